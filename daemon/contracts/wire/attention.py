"""The things that want a person, on the control socket."""

from daemon.contracts.wire.base import WireModel


class AttentionLine(WireModel):
    """One thing that wants a person, until it is fixed or acknowledged.

    `key` names it in a request: `task:12`, `refused:CLAIM_ID` or `alarm:CODE`. `who` is the student, or
    `account NAME` where no student is known; `what` the file, or what an alarm affects. `verb` is the request
    that does the next step, and is None where only a person can do it.
    """

    key: str
    kind: str
    at: str
    who: str | None
    what: str
    reason: str
    next: str
    verb: str | None = None
    task_id: int | None = None


class AttentionPage(WireModel):
    """A page of what wants a person, the most urgent kind first and in it the newest.

    `counts` is by kind, of all pages.
    """

    total: int
    counts: dict[str, int]
    lines: list[AttentionLine]
