"""The pages for developers name files, functions and each other: all of these must be there."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = sorted((*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")))

# `daemon/store/commits.py::commit`, and after it, in the same module, `find`.
_PLACE = re.compile(
    r"`(?P<file>(?:daemon|docs|introeval_tui|samples|systemd|tests)/[\w./]*)(?:::(?P<name>[\w.]+))?`"
)
_NEXT = re.compile(r"(?:\s\(R\d\))?(?:,| and)\s+`(?P<name>\w+)`")
_LINK = re.compile(r"\]\((?P<file>[^)#:]*)(?:#(?P<anchor>[\w-]+))?\)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))


@cache
def defined(module: Path) -> frozenset[str]:
    """The names of a module, and as `Class.name` those of its classes."""
    return frozenset(_names(ast.parse(module.read_text(encoding="utf-8")).body, ""))


def _names(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from _names(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))


def places(text: str) -> Iterator[tuple[str, str]]:
    """Each file with a name in it, or with an empty one."""
    for match in _PLACE.finditer(text):
        yield match["file"], match["name"] or ""
        end = match.end()
        while match["name"] and (more := _NEXT.match(text, end)):
            yield match["file"], more["name"]
            end = more.end()


def is_there(file: str, name: str) -> bool:
    """Whether there is such a file or folder, and such a name in it."""
    path = CHECKOUT / file
    return path.exists() and (not name or name in defined(path))


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page may say, as GitHub makes it of the heading."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_what_a_page_names_of_the_code_is_there(page: Path) -> None:
    named = set(places(page.read_text(encoding="utf-8")))
    assert sorted(f"{file}::{name}" for file, name in named if not is_there(file, name)) == []


@each_page
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    for match in _LINK.finditer(page.read_text(encoding="utf-8")):
        target = page.parent / match["file"] if match["file"] else page
        assert target.exists(), match[0]
        assert not match["anchor"] or match["anchor"] in anchors(target), match[0]


def test_each_owner_in_the_glossary_is_there() -> None:
    words = (CHECKOUT / "docs" / "glossary.md").read_text(encoding="utf-8")
    owners = re.findall(r"`([\w/]+\.py)`", words)
    assert len(owners) > 50
    assert [owner for owner in owners if not (CHECKOUT / "daemon" / owner).exists()] == []
