"""What people decided on a task, as its results tell. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from introeval_tui.rows.answer_rows import paragraph
from introeval_tui.rows.cells import Row, row
from introeval_tui.rows.format import day, parse
from introeval_tui.rows.state import Scene

Json = Mapping[str, Any]

_LONG = 40  # characters of a text that was changed


def decided_words(result: Json) -> str:
    """`changed by Dr. Roe: overall rating 7 > 6; reason: too short`; empty where nobody has decided."""
    decision = result.get("decision")
    if not decision:
        return ""
    account = decision.get("account")
    by = decision["by"] or account or "somebody"
    by += f" (account {account})" if account and account != by else ""
    changes = ", ".join(_change(path, own, result) for path, own in decision["before"].items())
    reason = f"; reason: {decision['reason']}" if decision["reason"] else ""
    return f"{decision['kind']} by {by}{': ' if changes else ''}{changes}{reason}"


def _change(path: str, own: object, result: Json) -> str:
    part, _, name = path.partition(".")
    now = (result.get(part) or {}).get(name)
    label = name.replace("_", " ")
    if all(value is None or isinstance(value, int) for value in (own, now)):
        return f"{label} {'-' if own is None else own} > {now}"
    return f'{label}, which was "{_short(own)}"'


def _short(value: object) -> str:
    said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return said if len(said) <= _LONG else said[: _LONG - 1] + "…"


def history_rows(results: Sequence[Json], scene: Scene, width: int) -> list[Row]:
    """The decisions of all revisions, the oldest first, and where one was taken back."""
    rows: list[Row] = []
    before: Json | None = None
    for result in results:
        told = decided_words(result)
        if not told and before is not None and before.get("decision"):
            told = "the decision is taken back, or the task was rated again"
        if told:
            at = parse((result.get("decision") or {}).get("at") or result.get("generated_at"))
            when = "-" if at is None else day(at, scene.now)
            rows += paragraph(f"revision {result.get('revision')} {told}", when, width, 14)
        before = result
    return [row(width, (" decisions", "bold")), *rows] if rows else []
