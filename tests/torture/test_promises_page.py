"""The page of promises tells what the torture does now."""

from pathlib import Path

import pytest

from tests.torture import page
from tests.torture.__main__ import PARTS
from tests.torture.mutants import MUTANTS
from tests.torture.table import Report


def test_the_page_names_each_guard_with_its_test_and_each_part() -> None:
    told = page.rows(page.GUARDS)
    assert [*told] == [mutant.guard for mutant in MUTANTS]
    for mutant in MUTANTS:
        assert f"`{mutant.test}`" in told[mutant.guard]
    assert page.rows(page.COUNTS).keys() == PARTS.keys()


def test_a_run_writes_its_own_row_and_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "promises.md"
    copy.write_text(page.PAGE.read_text())
    monkeypatch.setattr(page, "PAGE", copy)
    before = page.rows(page.COUNTS)
    page.write([Report("soak", "10 tasks", seconds=120.0, processor_s=60.0)], 7)
    assert page.rows(page.COUNTS) == before | {"soak": "| soak | 7 | 10 tasks | 0 | 2 | 1 |"}
