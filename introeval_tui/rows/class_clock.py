"""The class clock: how many are done, when the rest will be, and whether the deadline holds. Pure."""

from typing import TYPE_CHECKING

from introeval_tui.rows.cells import Piece
from introeval_tui.rows.format import clock, parse
from introeval_tui.rows.state import Scene

if TYPE_CHECKING:
    from daemon.contracts.wire.status import Clock

_STYLE = {
    "running": "bold",
    "on_time": "bold green",
    "at_risk": "bold yellow",
    "late": "bold red",
    "missed": "bold red",
    "paused": "",
    "done": "bold",
}


def outcomes(said: "Clock") -> str:
    """How the tasks of the class ended, by their number: `24 evaluated, 3 need review`."""
    found = {name.replace("_", " "): count for name, count in said.outcomes.items() if count}
    return ", ".join(
        f"{count} {'need review' if name == 'needs review' and count > 1 else name}"
        for name, count in found.items()
    )


def class_clock(said: "Clock | None", scene: Scene) -> list[Piece]:
    """The class clock; empty before the first class."""
    if said is None or not said.total:
        return []
    deadline = clock(parse(said.deadline)) if said.deadline else ""
    style = _STYLE.get(said.state, "")
    if said.state == "on_time" and _troubled(scene):
        style = "bold"  # an alarm may overrule the forecast
    if said.state == "done":
        ended = f": {outcomes(said)}" if said.outcomes else ""
        due = f"; deadline {deadline}" if deadline else ""
        return [(f"class of {said.total} done{ended}{due}   ", style)]
    head = f"class {said.done} of {said.total}"
    expected = parse(said.expected_at)
    if said.state == "paused" or scene.stale or expected is None:
        text = f"{head}, paused: no forecast" if said.state == "paused" else head
        if said.state == "missed":
            text += f", deadline {deadline} MISSED"
        elif deadline:
            text += f", deadline {deadline}"
        return [(f"{text}   ", style)]
    text = f"{head}, all by {'~' if said.guess else ''}{clock(expected)}{_range(said)}"
    return [(f"{text}{_against(said, deadline, scene.now)}   ", style)]


def _troubled(scene: Scene) -> bool:
    """Whether there is an alarm that nobody has seen."""
    status = scene.known.status
    return status is not None and any(not alarm.acknowledged for alarm in status.alarms)


def _range(said: "Clock") -> str:
    if said.guess:
        return " (first guess)"
    earliest, latest = clock(parse(said.earliest_at)), clock(parse(said.latest_at))
    return f" ({earliest}-{latest})" if earliest != latest and said.earliest_at and said.latest_at else ""


def _against(said: "Clock", deadline: str, now: float) -> str:
    """The deadline, and the forecast against it."""
    if not deadline:
        return ""
    if said.state == "missed":
        ago = max(0.0, now - (parse(said.deadline) or now)) / 60
        return f", deadline {deadline} MISSED {ago:.0f} min ago"
    if said.spare_s is None:
        return f", deadline {deadline}"
    how = f"{abs(said.spare_s) / 60:.1f} min {'late' if said.spare_s < 0 else 'to spare'}"
    at_risk = said.state == "at_risk"
    cause = f": {said.cause[:60]}" if said.cause and (at_risk or said.spare_s < 0) else ""
    return f", deadline {deadline}{' AT RISK' if at_risk else ''} ({how}{cause})"
