"""docs/commands.md says which exit code means what, from the types that have them.

`INTROEVAL_WRITE_DOCS=1 pytest tests/unit/test_commands_page.py` writes it anew.
"""

import importlib
import os
import pkgutil
from pathlib import Path

import daemon
from daemon.cli.exit_codes import MEANINGS, ExitCode, meanings, with_own_code
from daemon.core.errors import IntroEvalError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
BEGIN = "<!-- From the code: INTROEVAL_WRITE_DOCS=1 pytest tests/unit/test_commands_page.py -->\n"


def test_the_page_says_what_each_exit_code_means() -> None:
    text, begin, _ = PAGE.read_text().partition(BEGIN)
    page = text + BEGIN + rendered()
    if os.environ.get("INTROEVAL_WRITE_DOCS"):
        PAGE.write_text(page)
    assert begin, "the line that the table follows is gone"
    assert PAGE.read_text() == page, "write it anew with INTROEVAL_WRITE_DOCS=1"


def test_each_error_and_each_outcome_has_a_code_that_no_other_has() -> None:
    for module in pkgutil.walk_packages(daemon.__path__, "daemon."):
        if not module.name.endswith(("__main__", "stt.worker", "llm.server", "cluster.driver")):
            importlib.import_module(module.name)
    assert [each for each in IntroEvalError.__subclasses__() if "exit_code" not in vars(each)] == []
    codes = [*ExitCode, *(each.exit_code for each in with_own_code(IntroEvalError))]
    assert len(codes) == len(set(codes))
    assert set(MEANINGS) == set(ExitCode)
    assert IntroEvalError.exit_code == ExitCode.NO, "an error of a newer daemon"
    elsewhere = {each.__module__ for each in with_own_code(IntroEvalError)}
    assert elsewhere == {"daemon.core.errors"}, "the table knows those of that module"


def rendered() -> str:
    rows = [f"| {code} | {text} | {f'`{name}`' if name else ''} |" for code, text, name in meanings()]
    return "\n".join(["", "| code | meaning | error |", "| ---: | --- | --- |", *rows, ""])
