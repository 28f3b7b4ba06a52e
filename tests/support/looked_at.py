"""Pages in a real browser: what they load, say and lack, at each width, in light and dark, and on paper."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from daemon.publishing.paper import chromium
from tests.docker.engine import absent

_SCROLLED = "[...document.querySelectorAll('.scroll')].some(each => each.scrollWidth > each.clientWidth)"
_SERIOUS = ("serious", "critical")
_NARROW, _WIDE = 360, 1400


class Look(NamedTuple):
    """How a page is shown."""

    width: int
    scheme: Literal["light", "dark"]
    media: Literal["screen", "print"]


LOOKS = [
    Look(_NARROW, "light", "screen"),
    Look(_NARROW, "dark", "screen"),
    Look(_WIDE, "light", "screen"),
    Look(_WIDE, "dark", "screen"),
    Look(1000, "dark", "print"),
]


@contextmanager
def browsing() -> Iterator[Browser]:
    """The Chromium of this machine, which is also what prints reports."""
    program = chromium()
    if program is None:
        absent("Chromium is not installed (Debian: chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        try:
            yield browser
        finally:
            browser.close()


def faults(browser: Browser, file: Path) -> set[str]:
    """What is wrong with a page that is opened from the file system: each request for another file, each
    line on the console, each serious finding of axe, and what is wider than its window.
    """
    found: set[str] = set()
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        page.on("request", lambda asked: found.add(f"asks for {asked.url}"))
        page.on("console", lambda said: found.add(f"says {said.text}"))
        page.on("pageerror", lambda error: found.add(f"fails: {error}"))
        page.goto(file.as_uri())
        for look in LOOKS:
            page.set_viewport_size({"width": look.width, "height": 900})
            page.emulate_media(media=look.media, color_scheme=look.scheme)
            found |= {f"{told} ({look.width} px, {look.scheme}, {look.media})" for told in _seen(page, look)}
    return found - {f"asks for {file.as_uri()}"}


def _seen(page: Page, look: Look) -> Iterator[str]:
    if look.media == "screen":
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > look.width:
            yield f"is {wide} px wide"
        if look.width == _WIDE and page.evaluate(_SCROLLED):
            yield "hides a part of a table, which has to be scrolled"
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    for each in violations:
        if each["impact"] in _SERIOUS:
            yield f"{each['id']}: {each['nodes'][0]['html'][:200]}"
