"""`introeval decide`: a person's word on a result."""

from typing import Annotated

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.core.errors import UsageError

Score = Annotated[int | None, typer.Option(min=1, max=10, metavar="SCORE", help="1 to 10.")]


def decide(
    task_id: Annotated[int, typer.Argument(metavar="ID", help="The number of the task.")],
    accept: Annotated[bool, typer.Option("--accept", help="Take the result as it is.")] = False,
    overall: Score = None,
    clarity: Score = None,
    content: Score = None,
    confidence: Score = None,
    feedback: Annotated[str | None, typer.Option(metavar="TEXT", help="Another feedback.")] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Another name in the form.")] = None,
    by: Annotated[str, typer.Option(metavar="WHO", help="Who answers for it; you.")] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; a change needs one.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take back what was decided.")] = False,
    as_json: AsJson = False,
) -> None:
    """Accept the result of a task, or change its scores and texts, with a reason.

    What the model said stays in the result, beside who changed it and why. The result is delivered again as
    the next revision, and may leave for a grade book.
    """
    from daemon.api import client
    from daemon.cli.lines import say
    from daemon.contracts.wire.tasks import TaskDetail

    given = {
        "overall_rating": overall,
        "clarity_of_speech": clarity,
        "content_quality": content,
        "confidence_level": confidence,
    }
    scores = {key: score for key, score in given.items() if score is not None}
    changes = bool(scores) or feedback is not None or name is not None
    if [accept, changes, undo].count(True) != 1:
        raise UsageError("give one of: --accept, a score or a text to change, --undo")
    socket = configuration().paths.socket
    if undo:
        answer = client.post(socket, f"/tasks/{task_id}/decide/undo")
    else:
        form = {} if name is None else {"name": name}
        body = {"scores": scores, "feedback": feedback, "profile": form, "by": by, "reason": reason}
        answer = client.post(socket, f"/tasks/{task_id}/decide", body)
    detail = TaskDetail.model_validate(answer)
    if as_json:
        print(detail.model_dump_json(indent=2))
        return
    done = "the decision is taken back" if undo else "accepted" if accept else "changed"
    rating = "no rating" if detail.rating is None else f"{detail.rating}/10"
    say([f"task {task_id}, {detail.student}: {done}; {rating}, revision {detail.revision}"])
