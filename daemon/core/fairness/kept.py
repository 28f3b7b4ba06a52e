"""A card as it is kept, with the person who has accepted it in spite of its conclusion."""

from pydantic import Field

from daemon.core.content.document import DocumentPart, Flag
from daemon.core.fairness.card import Card
from daemon.core.fairness.conclusion import headline


class Acceptance(DocumentPart):
    """Who takes the rater for grades in spite of its card, and why. `account` is the user's here."""

    by: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=1000)
    account: str
    at: str


class KeptCard(DocumentPart):
    """A card, and its acceptance if there is one."""

    card: Card
    accepted: Acceptance | None = None

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The flags of a rating by this rater."""
        if self.card.fit or self.accepted is not None:
            return ()
        return (Flag(code="not_for_grades", field="evaluation", detail=headline(self.card)),)

    @property
    def state(self) -> str:
        """What holds of its ratings, in words."""
        if self.card.fit:
            return "fit"
        return "not for grades" if self.accepted is None else f"accepted by {self.accepted.by}"
