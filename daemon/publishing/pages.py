"""Rendering a page from its template. Everything is escaped; what HTML cannot hold is left out."""

import unicodedata
from functools import cache

import jinja2

_KEPT = frozenset(
    "\n\t\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
)  # the joiners belong to the spelling of words
_HIDDEN = ("Cc", "Cf", "Cs", "Cn")


def page(template: str, **values: object) -> bytes:
    """A page as UTF-8, from a template of this package and its values."""
    return _environment().get_template(template).render(**values).encode()


def clock(seconds: float) -> str:
    """A time in a recording as `1:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def in_words(name: str) -> str:
    """The name of a field in words."""
    return name.replace("_", " ").capitalize()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("daemon.publishing"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters.update(clock=clock, in_words=in_words)
    return environment


def _visible(value: object) -> object:
    """A text without control characters, halves of pairs, and marks that turn other text."""
    if type(value) is not str or (value.isascii() and value.isprintable()):
        return value
    return "".join(c for c in value if c in _KEPT or unicodedata.category(c) not in _HIDDEN)
