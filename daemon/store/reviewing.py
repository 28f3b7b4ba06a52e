"""What a review of a class reads of its tasks: their ratings, and the results that were delivered last."""

import json
from collections.abc import Sequence
from typing import Any

from peewee import chunked, fn

from daemon.contracts.documents import Kind
from daemon.core.classes.doubt import Doubtable
from daemon.store.codec import flag_codes, read_evaluation
from daemon.store.database import Database, reads
from daemon.store.models import DocumentRow, TaskRow

_AT_ONCE = 400  # SQLite allows at least 999 variables in a statement


@reads
def rated(db: Database, ids: Sequence[int]) -> list[Doubtable]:
    """The ratings of tasks, with the codes of their flags."""
    found: list[Doubtable] = []
    for some in chunked(ids, _AT_ONCE):
        columns = (TaskRow.id, TaskRow.flags, TaskRow.llama_result)
        rows = TaskRow.select(*columns).where(TaskRow.id.in_(some)).execute(db)
        found += [Doubtable(row.id, flag_codes(row.flags), read_evaluation(row.llama_result)) for row in rows]
    return found


@reads
def last_results(db: Database, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The last result of each task, by task."""
    results = (DocumentRow.kind == Kind.RESULT.value) & DocumentRow.task_id.in_(list(ids))
    columns = (DocumentRow.task_id, DocumentRow.content, fn.MAX(DocumentRow.revision))
    rows = DocumentRow.select(*columns).where(results).group_by(DocumentRow.task_id).execute(db)
    return {row.task_id: json.loads(bytes(row.content)) for row in rows}
