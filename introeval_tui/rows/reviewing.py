"""A review: the results in their order, and what is chosen for each and not saved yet. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from daemon.contracts.wire.scores import CRITERIA

if TYPE_CHECKING:
    from daemon.contracts.wire.review import ReviewLine, ReviewPage

DECIDE, UNDO = "decide", "undo"
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Draft:
    """A person's choice for one result: to accept it as it is, or to change it for a reason."""

    accepts: bool = False
    scores: tuple[tuple[str, int], ...] = ()
    feedback: str | None = None
    reason: str = ""

    @property
    def changes(self) -> bool:
        """Whether it changes anything of the result."""
        return bool(self.scores) or self.feedback is not None

    def score_of(self, criterion: str) -> int | None:
        """The new score of a criterion."""
        return dict(self.scores).get(criterion)

    def body(self, revision: int) -> bytes:
        """The request that saves it, for the result that the person has seen."""
        wanted: dict[str, Any] = {"revision": revision, "reason": self.reason}
        if self.changes:
            wanted |= {"scores": dict(self.scores), "feedback": self.feedback}
        return json.dumps(wanted).encode()


@dataclass(slots=True)
class ReasonLine:
    """The line in which a reason is written; `saves`: its Enter saves the choice. What it begins with is
    replaced by the first letter.
    """

    text: str
    saves: bool
    fresh: bool = True

    def write(self, more: str) -> None:
        """Add letters at the end."""
        self.text = (("" if self.fresh else self.text) + " ".join(more.splitlines()))[:_LONGEST_REASON]
        self.fresh = False

    def rub_out(self, *, whole: bool = False) -> None:
        """Remove the last letter, or all."""
        self.text = "" if whole else self.text[:-1]
        self.fresh = False


@dataclass(slots=True)
class Review:
    """The results that are loaded, of `total`; the place in them; the choices by task; the requests that were
    sent and are not answered, by task.
    """

    class_name: str = ""
    total: int = 0
    lines: "list[ReviewLine]" = field(default_factory=list)
    at: int = 0
    criterion: str = CRITERIA[0]
    choices: dict[int, Draft] = field(default_factory=dict)
    sent: dict[int, tuple[str, Draft]] = field(default_factory=dict)
    decided: list[int] = field(default_factory=list)  # here, the last one last
    last_reason: str = ""
    asked: ReasonLine | None = None

    def take(self, page: "ReviewPage", offset: int) -> None:
        """Add the results of a page that are not here yet; at least `offset` of its list are."""
        self.total = page.total + max(0, len(self.lines) - offset)
        known = {line.task.id for line in self.lines}
        self.class_name = page.class_name
        self.lines += [line for line in page.lines if line.task.id not in known]
        self.total = max(self.total, len(self.lines))

    @property
    def current(self) -> "ReviewLine | None":
        """The result that is shown; None while it is not loaded."""
        return self.lines[self.at] if self.at < len(self.lines) else None

    @property
    def choice(self) -> Draft:
        """The choice for the result that is shown."""
        line = self.current
        return Draft() if line is None else self.choices.get(line.task.id, Draft())

    @property
    def open_places(self) -> list[int]:
        """The places of the results that nobody has decided on, nor sent a decision for."""
        return [place for place, line in enumerate(self.lines) if self._is_open(line)]

    def _is_open(self, line: "ReviewLine") -> bool:
        return line.task.decided_by is None and line.task.id not in self.sent

    def find(self, task_id: int) -> int | None:
        """The place of a task's result."""
        return next((place for place, line in enumerate(self.lines) if line.task.id == task_id), None)

    def move(self, by: int) -> None:
        """Go on or back by so many results, round at the ends. What is chosen stays."""
        if self.lines:
            self.at = (self.at + by) % len(self.lines)

    def go_on(self) -> None:
        """Go to the next result that is open, round at the end; stay where there is none."""
        places = self.open_places
        later = [place for place in places if place > self.at]
        self.at = (later or places or [self.at])[0]
        self.criterion = CRITERIA[0]

    # --- choosing

    def _choose(self, choice: Draft) -> None:
        if (line := self.current) is not None:
            if choice == Draft():
                self.choices.pop(line.task.id, None)
            else:
                self.choices[line.task.id] = choice

    def accept(self) -> None:
        """Choose to take the model's."""
        self._choose(Draft(accepts=True))

    def score(self, points: int) -> None:
        """Choose a score for the chosen criterion; the one that it has takes the choice back."""
        line = self.current
        if line is None:
            return
        evaluation = line.result.get("evaluation") or {}
        scores = dict(self.choice.scores)
        scores.pop(self.criterion, None)
        if evaluation.get(self.criterion) != points:
            scores[self.criterion] = points
        ordered = tuple((name, scores[name]) for name in CRITERIA if name in scores)
        self._choose(replace(self.choice, accepts=False, scores=ordered))

    def write(self, feedback: str) -> None:
        """Choose another feedback; the one that it has takes the choice back."""
        line = self.current
        if line is not None:
            own = (line.result.get("evaluation") or {}).get("feedback", "")
            self._choose(replace(self.choice, accepts=False, feedback=None if feedback == own else feedback))

    def ask(self, *, saves: bool) -> None:
        """Begin the line for the reason, with the one that is given or was given last."""
        self.asked = ReasonLine(self.choice.reason or self.last_reason, saves)

    def explain(self, reason: str) -> None:
        """Give the reason for the choice; it is offered for the next ones, too."""
        self.last_reason = reason or self.last_reason
        self._choose(replace(self.choice, reason=reason))

    def drop(self) -> None:
        """Take back all that is chosen for the result that is shown."""
        self._choose(Draft())

    @property
    def missing(self) -> list[str]:
        """The criteria that a result without a rating still needs a score for."""
        line = self.current
        if line is None or line.result.get("evaluation"):
            return []
        return [name for name in CRITERIA if self.choice.score_of(name) is None]

    # --- saving

    def send(self, task_id: int, verb: str) -> bytes:
        """Count what is chosen for a task as sent; the body of the request."""
        place = self.find(task_id)
        choice = self.choices.pop(task_id, Draft()) if verb == DECIDE else Draft()
        self.sent[task_id] = verb, choice
        revision = 0 if place is None else self.lines[place].task.revision
        return choice.body(revision) if verb == DECIDE else b""

    def saved(self, line: "ReviewLine") -> None:
        """Take the answer to what was sent: the result as it is now."""
        verb, _ = self.sent.pop(line.task.id, ("", Draft()))
        self._put(line)
        self.decided = [id_ for id_ in self.decided if id_ != line.task.id]
        if verb == DECIDE:
            self.decided.append(line.task.id)

    def refused(self, task_id: int, line: "ReviewLine | None") -> None:
        """Take back what was sent and not saved: it is chosen again, for the result as it is now."""
        verb, choice = self.sent.pop(task_id, ("", Draft()))
        if line is not None:
            self._put(line)
        if verb == DECIDE:
            self.choices.setdefault(task_id, choice)

    def came_through(self, line: "ReviewLine") -> bool:
        """Whether the result as it is now has what was sent, so that only the answer was lost."""
        verb, choice = self.sent[line.task.id]
        decision = line.result.get("decision")
        if verb == UNDO or decision is None:
            return (verb == UNDO) is (decision is None)
        evaluation = line.result.get("evaluation") or {}
        as_sent = all(evaluation.get(name) == points for name, points in choice.scores)
        return as_sent and decision["reason"] == choice.reason

    def _put(self, line: "ReviewLine") -> None:
        place = self.find(line.task.id)
        if place is not None:
            self.lines[place] = line

    @property
    def undoable(self) -> int | None:
        """The task whose decision an undo takes back: that on show, else the last one decided here."""
        here = [] if self.current is None else [self.current.task.id]
        for task_id in (*here, *reversed(self.decided)):
            place = self.find(task_id)
            if place is not None and UNDO in self.lines[place].task.can and task_id not in self.sent:
                return task_id
        return None

    @property
    def unsaved(self) -> Sequence[int]:
        """The tasks with a choice that was not sent."""
        return list(self.choices)
