"""The keys of a review: each result is accepted or changed, and nothing is saved before Enter."""

from collections.abc import Callable

from textual import events
from textual.binding import Binding

from daemon.contracts.wire.scores import CRITERIA
from introeval_tui.rows.quotes import LETTERS
from introeval_tui.rows.reviewing import DECIDE, UNDO, ReasonLine
from introeval_tui.screens.review_sheet import ReviewSheet
from introeval_tui.widgets.panel import Panel

_LONGEST = 4000  # characters of a feedback, as the daemon allows
_CHOOSES = ("accept", "score", "criterion", "feedback", "reason", "save")


class ReviewScreen(ReviewSheet):
    """The keys of a review."""

    BINDINGS = [
        Binding("escape,backspace", "leave", "back to the list", id="leave"),
        Binding("a", "accept", "take the model's", id="accept"),
        *(
            Binding(LETTERS[name], f"criterion('{name}')", name.replace("_", " "), id=name)
            for name in CRITERIA
        ),
        Binding("1", "score(1)", "score 1; 2 to 9; 0 is 10", id="score"),
        *(Binding(str(points % 10), f"score({points})", show=False) for points in range(2, 11)),
        Binding("enter", "save", "save it, and go on", id="save"),
        Binding("r", "reason", "say the reason", id="reason"),
        Binding("e", "feedback", "feedback, in your editor", id="feedback"),
        Binding("x", "drop", "drop what is chosen", id="drop"),
        Binding("u", "undo", "undo the last decision", id="undo"),
        Binding("n,right", "go(1)", "the next", id="ahead"),
        Binding("p,left", "go(-1)", "the one before", id="previous"),
        Binding("v", "every", "all, or what is left", id="every"),
        Binding("down,j", "scroll(1)", "down", id="review_down", show=False),
        Binding("up,k", "scroll(-1)", "up", id="review_up", show=False),
        Binding("pagedown,space", "scroll_page(1)", "a page down", id="review_page_down", show=False),
        Binding("pageup", "scroll_page(-1)", "a page up", id="review_page_up", show=False),
        Binding("q", "close", "quit", id="quit"),
    ]

    # --- what can be done

    def why_not(self, action: str) -> str:
        """Why an action cannot be done now, in one line; empty when it can."""
        name, review = action.partition("(")[0], self.review
        if name in _CHOOSES:
            return self.dashboard.scene.forbidden or self._why_not_choose(name)
        if name == "drop" and not review.choice.changes and not review.choice.accepts:
            return "nothing is chosen for this one"
        if name == "undo":
            nothing = "" if review.undoable is not None else "no decision is here to take back"
            return self.dashboard.scene.forbidden or nothing
        if name == "go" and (review.current is None or len(review.lines) < 2):
            return "there is no other result"
        return super().why_not(action)

    def _why_not_choose(self, name: str) -> str:
        line, choice = self.review.current, self.review.choice
        if line is None:
            return "there is no result to decide on"
        if DECIDE not in line.task.can:
            return "there is nothing to decide on in this one"
        if line.task.id in self.review.sent:
            return "its decision is on its way to the daemon"
        if name == "accept" and (choice.changes or choice.accepts):
            return "Enter saves what is chosen, x drops it"
        if name == "accept" and not line.result.get("evaluation"):
            return "it has no rating to take; give all four scores"
        if name == "accept" and line.task.decided_by is not None:
            return "it is decided; u takes that back"
        if name in ("save", "reason") and not (choice.changes or choice.accepts):
            return "nothing is chosen: a takes the model's, a digit gives a score"
        if name == "save" and choice.changes and self.review.missing:
            return "it has no rating: give all four scores first"
        return ""

    def _may(self, action: str) -> bool:
        return self.dashboard.can_be_done(self.why_not(action))

    async def on_key(self, event: events.Key) -> None:
        """Do what a key of this screen is for, here and now: keys that come faster than the app passes them
        on must each find what the one before has done.
        """
        asked = self.review.asked
        active = self.active_bindings.get(event.key)
        if asked is not None:
            self._write(asked, event)
        elif active is not None and active.node is self:
            await self.run_action(active.binding.action)
        else:
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """Take a pasted text as the reason that is asked for."""
        if self.review.asked is not None:
            self.review.asked.write(event.text)
            self.draw()

    def _write(self, asked: ReasonLine, event: events.Key) -> None:
        if event.key == "enter":
            self._explain(asked)
        elif event.key == "escape":
            self.review.asked = None
        elif event.key in ("backspace", "ctrl+h", "ctrl+u", "ctrl+w"):
            asked.rub_out(whole=event.key in ("ctrl+u", "ctrl+w"))
        elif event.is_printable and event.character is not None:
            asked.write(event.character)
        self.draw()

    def action_accept(self) -> None:
        """Choose to take the model's result."""
        if self._may("accept"):
            self.review.accept()
            self.draw()

    def action_criterion(self, name: str) -> None:
        """Choose the criterion that the next digit is for."""
        self.review.criterion = name
        self.draw()

    def action_score(self, points: int) -> None:
        """Choose a score."""
        if self._may("score"):
            self.review.score(points)
            self.draw()

    def action_feedback(self) -> None:
        """Edit the feedback in the person's editor."""
        from introeval_tui.screens.editor import EditorFailed, edited

        line = self.review.current
        if not self._may("feedback") or line is None:
            return
        own = (line.result.get("evaluation") or {}).get("feedback", "")
        try:
            text = edited(self.app, self.review.choice.feedback or own)
        except EditorFailed as exc:
            self.dashboard.say(str(exc), "bold red")
            return
        if not 0 < len(text) <= _LONGEST:
            told = "is empty" if not text else f"has {len(text)} characters, of at most {_LONGEST}"
            self.dashboard.say(f"the feedback {told}: nothing is changed")
        else:
            self.review.write(text)
        self.draw()

    def action_reason(self) -> None:
        """Ask for the reason."""
        if self._may("reason"):
            self.review.ask(saves=False)
            self.draw()

    def action_save(self) -> None:
        """Save what is chosen and go on; a change without a reason asks for it first."""
        if not self._may("save"):
            return
        if self.review.choice.changes and not self.review.choice.reason:
            self.review.ask(saves=True)
            self.draw()
        else:
            self._save()

    def _explain(self, asked: ReasonLine) -> None:
        self.review.asked = None
        self.review.explain(asked.text.strip())
        if asked.saves and not self.review.choice.reason:
            self.dashboard.say("a change needs a reason; Enter asks for it again")
        elif asked.saves:
            self._save()

    def _save(self) -> None:
        if (line := self.review.current) is not None and self._may("save"):
            self.post(line.task.id, DECIDE)
            self._go_on()

    def _go_on(self) -> None:
        self.review.go_on()
        self.moved()

    def action_drop(self) -> None:
        """Drop what is chosen and not saved."""
        if self._may("drop"):
            self.review.drop()
            self.draw()

    def action_undo(self) -> None:
        """Take back the decision on the result that is shown, else the last one, and show it."""
        task_id = self.review.undoable
        if self._may("undo") and task_id is not None:
            self.show(task_id)
            self.post(task_id, UNDO)
            self.draw()

    def action_go(self, by: int) -> None:
        """Show another result; nothing is saved."""
        if self._may("go"):
            self.review.move(by)
            self.moved()

    def action_every(self) -> None:
        """Show all results of the class, or only those to decide on."""
        self._every = not self._every
        self.review.lines, self.review.at, self.review.total = [], 0, 0
        self.load()

    def action_scroll(self, by: int) -> None:
        """Scroll the transcript."""
        self._first = max(0, min(self._first + by, self._shown.most))
        self.draw()

    def action_scroll_page(self, by: int) -> None:
        """Scroll the transcript by a page."""
        self.action_scroll(by * self._shown.page)

    def action_leave(self) -> None:
        """Go back; asks first where something is not saved."""
        self._end(lambda: self.dismiss())

    def action_close(self) -> None:
        """Quit the dashboard; asks first where something is not saved."""
        self._end(self.app.exit)

    def _end(self, then: Callable[[], object]) -> None:
        from introeval_tui.screens.dialogs import Question

        review = self.review
        lost = [f"{len(review.unsaved)} are chosen and not saved."] if review.unsaved else []
        lost += [f"{len(review.sent)} wait for the daemon's answer."] if review.sent else []
        if not lost:
            then()
            return

        def answered(yes: bool | None) -> None:
            if yes:
                then()

        _ = self.app.push_screen(
            Question(
                ["Leave the review?", *lost, "What is not saved is lost."],
                ascii_only=self.dashboard.setup.ascii_only,
            ),
            answered,
        )

    def on_panel_pointed(self, event: Panel.Pointed) -> None:
        """Go back, or do what a key of the footer does."""
        if self.review.asked is not None:
            self.dashboard.say("Enter takes the reason, Esc gives it up")
        elif event.piece.strip() == "< esc":
            self.action_leave()
        else:
            self.press(event.piece)

    def on_panel_wheeled(self, event: Panel.Wheeled) -> None:
        """Scroll with the wheel."""
        self.action_scroll(event.by)
