"""The same recording gets the same scores wherever it stands in a class, through the real daemon."""

from pathlib import Path

import pytest

from tests.support.copies import hand_in_class, spread, worked_with_a_restart
from tests.support.process_lab import ProcessLab
from tests.support.studio import must_be_equipped

pytestmark = pytest.mark.timeout(900)


def test_four_copies_in_a_class_of_eight_with_a_restart_get_the_same_scores(tmp_path: Path) -> None:
    must_be_equipped()
    lab = ProcessLab(tmp_path, '[stt]\nmodel = "base"\n')
    same, files = hand_in_class(lab, "s002_about_me.mp4", copies=4, students=8)
    worked_with_a_restart(lab, files, timeout=400)
    found = spread([lab.results()[student] for student in same])
    assert found.copies == 4
    assert found.expected <= 0.1
    assert found.integers == 0
