"""The rows of what wants a person: two lines an item, with the next step and the key that does it. Pure."""

from collections.abc import Mapping, Set

from rich.cells import cell_len

from introeval_tui.rows import words
from introeval_tui.rows.cells import Piece, Row, clean, fit, row, wrap
from introeval_tui.rows.format import coarse, day, parse
from introeval_tui.rows.state import Scene
from introeval_tui.rows.table import mark
from introeval_tui.rows.target import Listing, Target

LINES = 2  # rows of an item
REASON = 3  # rows for the whole reason of the item under the cursor
_LEAST = 12  # cells that are worth to say what it is about
_ROOMY = 60  # cells from which kind, student and age are named


def item_rows(
    item: Target | None,
    keys: Mapping[str, str],
    scene: Scene,
    width: int,
    *,
    cursor: bool,
    marked: bool = False,
    pending: str | None = None,
) -> list[Row]:
    """The two rows of an item: what is wrong and with whom; below, what to do, and what it is about.

    The reason has one row, or its rest would be read as a part of the next step: see `reason_rows`.
    """
    if item is None or item.line is None:
        return [row(width, ("   …", "dim")), row(width)]
    line, look = item.line, words.kind(item.line.kind)
    if pending is not None:
        look = words.Look("↻", f"{pending}…", "yellow")
    roomy = width >= _ROOMY
    head = (f"{look.sign} {fit(look.word, 12)}" if roomy else look.sign) + " "
    since = parse(line.at)
    age = f" {coarse(scene.now - since):>5} " if since is not None and roomy else ""
    who = fit(item.who, 11 if roomy else 9) + " " if item.who else ""
    room = max(1, width - 2 - cell_len(head) - cell_len(who))
    style = "reverse" if cursor else "dim" if scene.stale else None
    first: Row = [
        (fit(mark(cursor=cursor, marked=marked)[0], 2), style or "bold yellow"),
        (head, style or look.style),
        (who, style or "bold"),
        (fit(clean(line.reason), room), style or ""),
    ]
    todo = next_step(item, keys)
    if not roomy:
        return [row(width, *first), row(width, ("   ", ""), *todo)]
    what = f"{item.name} {line.what}" if item.task_id is not None else line.what
    left = width - 4 - sum(cell_len(text) for text, _ in todo) - cell_len(age)
    about = f"   {clean(what)}" if left > _LEAST else ""
    return [
        row(width, *first),
        row(width, ("    ", ""), *todo, (fit(about, max(0, left)), "dim"), (age, "dim")),
    ]


def reason_rows(item: Target | None, width: int) -> list[Row]:
    """The whole reason of an item, in at most `REASON` rows."""
    if item is None or item.line is None:
        return [row(width)]
    lines = wrap(item.line.reason, max(10, width - 7))[:REASON]
    return [
        row(width, (" why  " if at == 0 else "      ", "dim"), (line, "")) for at, line in enumerate(lines)
    ]


def next_step(item: Target, keys: Mapping[str, str]) -> list[Piece]:
    """The next step, after the key that does it."""
    line = item.line
    if line is None:
        return []
    key = keys.get(line.verb or "")
    said = fit(line.next, len(line.next[:200]))
    return [(f"{key} ", "bold cyan"), (said, "")] if key else [("> ", "dim"), (said, "")]


def list_rows(
    listing: Listing,
    keys: Mapping[str, str],
    scene: Scene,
    width: int,
    height: int,
    *,
    first: int,
    cursor: int,
    marks: Set[str] = frozenset(),
    pending: Mapping[str, str] | None = None,
) -> list[Row]:
    """The items from place `first` on, as many as fit whole into `height` rows."""
    asked = pending or {}
    rows: list[Row] = []
    for place in range(first, min(first + max(1, height // LINES), listing.total)):
        item = listing.at(place)
        key = "" if item is None else item.key
        rows += item_rows(
            item,
            keys,
            scene,
            width,
            cursor=place == cursor,
            marked=key in marks,
            pending=asked.get(key),
        )
    return rows


def full_rows(item: Target | None, keys: Mapping[str, str], scene: Scene, width: int) -> list[Row]:
    """All of an item, wrapped."""
    if item is None or item.line is None:
        return []
    line, look = item.line, words.kind(item.line.kind)
    since = parse(line.at)
    facts = [
        ("who", item.who or "-"),
        ("what", f"{item.name} {line.what}" if item.task_id is not None else line.what),
        ("since", "-" if since is None else f"{day(since, scene.now)}, {coarse(scene.now - since)}"),
        ("why", line.reason),
        ("next", "".join(text for text, _ in next_step(item, keys)).removeprefix("> ")),
    ]
    rows = [row(width, (f" {look.sign} {look.word}", look.style))]
    for name, text in facts:
        rows += [
            row(width, (fit(f" {name if at == 0 else ''}", 8), "dim"), (part, ""))
            for at, part in enumerate(wrap(text, max(10, width - 9)))
        ]
    return rows
