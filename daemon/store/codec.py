"""Conversions between columns and the core's values: JSON, flags, tasks.

Text and numbers from videos and models are cleaned here once: a lone surrogate cannot be stored, and NaN
(which Whisper gives for a log probability at times) is no JSON. A task with either could never end.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.core.content.document import Evaluation, Flag, Profile, SetAside, Speaking, Transcript
from daemon.core.content.result import as_heard
from daemon.core.tasks.task import SHARED_NAME, Status, Task
from daemon.store.models import TaskRow


def printable_text(text: str) -> str:
    """The text with lone surrogates escaped, so that it can be stored as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def dumps(value: Any) -> str:
    """The JSON text of a plain value; NaN and infinity become 0."""
    return json.dumps(_clean(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def stt_text(transcript: Transcript | None, speaking: Speaking | None) -> str:
    """The text of the column `stt_result`."""
    return dumps({
        "transcript": transcript and transcript.model_dump(),
        "speaking": speaking and speaking.model_dump(),
    })  # fmt: skip


def read_stt(text: str | None) -> tuple[Transcript | None, Speaking | None]:
    """Parse the column `stt_result`. (None, None) before the stage is done."""
    if text is None:
        return None, None
    parts = json.loads(text)
    transcript, speaking = parts["transcript"], parts["speaking"]
    return (
        None if transcript is None else Transcript.model_validate(transcript),
        None if speaking is None else Speaking.model_validate(speaking),
    )


def read_profile(text: str | None) -> Profile | None:
    """Parse the column `mistral_result`. None also when the stage gave nothing valid."""
    return None if text in (None, "null") else Profile.model_validate_json(text)


def read_form(row: TaskRow) -> Profile | None:
    """The form of a task as a rater is shown it: with the name that was heard, as the transcript has it."""
    return as_heard(read_profile(row.mistral_result), json.loads(row.provenance))


def read_evaluation(text: str | None) -> Evaluation | None:
    """Parse the column `llama_result`. None also when the stage gave nothing valid."""
    return None if text in (None, "null") else Evaluation.model_validate_json(text)


def set_aside_text(set_aside: Sequence[SetAside]) -> str:
    """The text of the column `set_aside`."""
    return dumps([each.model_dump() for each in set_aside])


def read_set_aside(text: str) -> tuple[SetAside, ...]:
    """Parse the column `set_aside`."""
    return tuple(map(SetAside.model_validate, json.loads(text)))


def flags_text(by_stage: Mapping[str, Sequence[Flag]]) -> str:
    """The text of the column `flags`: a JSON object by stage."""
    return dumps({stage: [flag.model_dump() for flag in flags] for stage, flags in by_stage.items() if flags})


def read_flags(text: str) -> dict[str, tuple[Flag, ...]]:
    """Parse the column `flags`: the flags by stage. `intake` has those known at the claim."""
    return {stage: tuple(map(Flag.model_validate, flags)) for stage, flags in json.loads(text).items()}


def flag_codes(text: str) -> tuple[str, ...]:
    """The codes in the column `flags`, each once."""
    stages: dict[str, list[dict[str, Any]]] = json.loads(text)
    return tuple(dict.fromkeys(flag["code"] for flags in stages.values() for flag in flags))


def to_task(row: TaskRow) -> Task:
    """The task in a row, open or final."""
    return Task(
        id=row.id,
        student=row.user_id,
        filename=row.filename,
        path=row.file_path,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        duration_s=row.duration_s,
        claimed_at=row.upload_timestamp,
        account=row.account,
        status=Status(row.status),
        revision=row.revision,
        attempt=row.attempt,
        retry_count=row.retry_count,
        suspicion=row.suspicion,
        deaths_alone=row.deaths_alone,
        not_before=row.not_before or 0.0,
        held=row.held,
        cancel_requested=row.cancel_requested,
        batch_id=row.batch_id,
        shared_name=f'"{SHARED_NAME}"' in (row.flags or ""),
        acknowledged=row.acknowledged_at is not None,
        reseeded=bool(row.reseeded),
        first_at=row.first_at or 0.0,
    )


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return printable_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else 0.0
    if isinstance(value, Mapping):
        return {printable_text(str(key)): _clean(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(part) for part in value]
    return value if value is None or isinstance(value, int) else str(value)
