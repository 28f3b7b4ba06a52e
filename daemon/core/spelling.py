"""How names are compared: spellings of one name are the same."""

import unicodedata

UNSEEN = " \t\r\n\v\f\ufeff\u2060" + "".join(
    chr(code) for code in (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
)
"""White space, and marks of the direction of writing, which come along when a name is copied."""


def folded(name: str) -> str:
    """A name as it is compared: without its case, its width, and what cannot be seen around it."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip(UNSEEN)
