"""What the pages of the site say to type: each block says its language, each command is one that there is."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cli.table import ROWS
from daemon.cli.tree import made
from tests.unit.test_pages import CHECKOUT, each_page

LANGUAGES = {"sh", "python", "toml", "ini", "sql", "json", "text", "{toctree}"}
"""`sh` and `python` are run by tests/integration/test_site_commands.py; the others are no commands."""

PLACEHOLDERS = {"COMMAND": "status", "ID": "1", "N": "5"}
FOR_DEVELOPERS = {"CHANGELOG.md"}  # says what was, also of commands that are gone

_SPAN = re.compile(r"`introeval ([^`]+)`")
_FENCE = re.compile(r"^ *```(.*)$", re.MULTILINE)


def typed(text: str) -> Iterator[list[str]]:
    """The words after `introeval` of each command in a line of text, with values for the placeholders."""
    for match in _SPAN.finditer(" ".join(text.split())):
        command, _, _ = match[1].partition(" > ")
        yield [PLACEHOLDERS.get(word, word) for word in shlex.split(command)]


@each_page
def test_every_block_says_its_language(page: Path) -> None:
    fences = _FENCE.findall(page.read_text(encoding="utf-8"))
    assert len(fences) % 2 == 0
    assert set(fences[::2]) <= LANGUAGES
    assert set(fences[1::2]) <= {""}


@each_page
def test_every_command_in_a_text_is_one_that_there_is_with_its_options(page: Path) -> None:
    if page.relative_to(CHECKOUT).name in FOR_DEVELOPERS:
        pytest.skip("it tells what was")
    for words in typed(page.read_text(encoding="utf-8")):
        if words[0].startswith(("-", "...")):
            continue
        row = ROWS.get(" ".join(words[:2])) or ROWS.get(words[0])
        assert row is not None, words
        given = words[len(row.name.split()) :]
        if given and given != ["--help"]:  # a name alone stands for the command, whatever it takes
            made(row).make_context(row.name, given)
