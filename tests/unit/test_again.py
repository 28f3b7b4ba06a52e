"""Where a task goes when it is taken up again, and which never is."""

from dataclasses import replace

import pytest

from daemon.core.errors import IllegalTransition
from daemon.core.tasks.reopening import REOPENINGS, FinishedTask, rated_again, retried
from daemon.core.tasks.task import FINAL, WAITING, Outcome, Status

NOTHING = FinishedTask(1, Status.FAILED, Outcome.FAILED, False, False, False, True)
RATED = FinishedTask(1, Status.COMPLETED, Outcome.EVALUATED, True, True, True, True)
DOUBTFUL = replace(RATED, outcome=Outcome.NEEDS_REVIEW)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
@pytest.mark.parametrize(
    ("transcript", "form", "to"),
    [
        (False, False, Status.UPLOADED),
        (True, False, Status.STT_COMPLETE),
        (True, True, Status.MISTRAL_COMPLETE),
    ],
)
def test_a_retry_goes_on_where_the_task_stood(
    status: Status, transcript: bool, form: bool, to: Status
) -> None:
    assert retried(replace(NOTHING, status=status, has_transcript=transcript, form_tried=form)) is to


def test_a_doubtful_task_goes_to_the_stage_that_gave_nothing_else_to_rating() -> None:
    assert retried(replace(DOUBTFUL, has_form=False)) is Status.STT_COMPLETE
    assert retried(DOUBTFUL) is Status.MISTRAL_COMPLETE


def test_a_new_rating_begins_at_rating_or_at_the_form() -> None:
    for task in (RATED, DOUBTFUL):
        assert rated_again(task, extract=False) is Status.MISTRAL_COMPLETE
        assert rated_again(task, extract=True) is Status.STT_COMPLETE


def test_what_is_unscorable_is_never_rated() -> None:
    unscorable = replace(RATED, outcome=Outcome.UNSCORABLE)
    with pytest.raises(IllegalTransition, match="unscorable"):
        rated_again(unscorable, extract=True)
    with pytest.raises(IllegalTransition, match="nothing to retry"):
        retried(unscorable)


def test_what_is_good_or_under_way_is_not_retried() -> None:
    with pytest.raises(IllegalTransition, match="nothing to retry"):
        retried(RATED)
    with pytest.raises(IllegalTransition, match="still open"):
        retried(replace(NOTHING, status=Status.STT_PROCESSING, outcome=None))
    with pytest.raises(IllegalTransition, match="only one that was evaluated"):
        rated_again(NOTHING, extract=False)


def test_a_video_that_is_gone_cannot_be_transcribed_again() -> None:
    with pytest.raises(IllegalTransition, match="retention"):
        retried(replace(NOTHING, video_kept=False))
    assert retried(replace(NOTHING, video_kept=False, has_transcript=True)) is Status.STT_COMPLETE


def test_only_what_is_over_is_reopened_and_only_to_where_it_waits() -> None:
    assert {before for before, _ in REOPENINGS} == FINAL
    assert {after for _, after in REOPENINGS} == WAITING
