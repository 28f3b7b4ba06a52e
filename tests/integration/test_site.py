"""The site is built without a warning, and its pages load nothing from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.checkout import REPOSITORY

_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}
_NO_LOAD = {"index", "next", "prev", "search", "canonical", "author"}
_IN_STYLE = re.compile(r"url\(\s*['\"]?((?:https?:)?//[^)'\"]*)|@import")


class Loads(HTMLParser):
    """The addresses from which a page takes something by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get(_LOADED.get(tag, ""))
        if address and given.get("rel") not in _NO_LOAD:
            self.found.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, where a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-c", "docs", "."]
    done = subprocess.run(
        [*command, str(folder)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    outside = {
        f"{page.relative_to(site)}: {address}"
        for page in pages
        for address in Loads(page.read_text(encoding="utf-8")).found
        if re.match(r"(?:\w+:)?//", address)
    }
    assert outside == set()
    styles = {style for style in site.rglob("*.css") if _IN_STYLE.search(style.read_text(encoding="utf-8"))}
    assert styles == set()


def test_what_the_pages_load_is_there(site: Path) -> None:
    for page in site.rglob("*.html"):
        for address in Loads(page.read_text(encoding="utf-8")).found:
            assert (page.parent / address.partition("?")[0]).exists(), f"{page}: {address}"


def test_the_makefile_builds_it_in_the_same_way() -> None:
    assert "sphinx -q -W --keep-going -b html -c docs ." in (REPOSITORY / "Makefile").read_text()
