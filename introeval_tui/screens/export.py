"""Exports the shown list as CSV and JSON."""

import asyncio
import csv
import io
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from introeval_tui.link.client import Client, DaemonSilent, RequestRefused
from introeval_tui.rows.state import PAGE, Query

if TYPE_CHECKING:
    from daemon.contracts.wire.tasks import TaskLine
    from introeval_tui.screens.app_protocol import DashboardApp

Row = Mapping[str, object]
"""One task of an export: the fields of its line, and what its last result says."""

_EVALUATION = ("clarity_of_speech", "content_quality", "confidence_level", "feedback")
_CRITERIA = ("overall_rating", "clarity_of_speech", "content_quality", "confidence_level")
_EXPECTED = tuple(f"expected_{criterion}" for criterion in _CRITERIA)


async def export(dashboard: "DashboardApp", query: Query) -> None:
    """Write all pages of a list as CSV and JSON into the working directory, and show the files' names."""
    name = time.strftime("introeval-%Y%m%d-%H%M%S", time.localtime(dashboard.setup.wall()))
    try:
        rows = [
            {**task.model_dump(), **await _rated(dashboard.asks, task)}
            for task in await every_page(dashboard.asks, query)
        ]
        await asyncio.to_thread(_write_both, Path.cwd(), name, rows)
    except (DaemonSilent, RequestRefused, ValueError, OSError) as exc:
        dashboard.say(f"nothing was exported: {exc}", "bold red")
    else:
        dashboard.say(f"{len(rows)} tasks are in {name}.csv and {name}.json", "green")


async def every_page(asks: Client, query: Query) -> "list[TaskLine]":
    """All tasks of a list. Raises DaemonSilent, RequestRefused; ValueError for an unreadable answer."""
    from daemon.contracts.wire.tasks import TaskPage

    tasks: list[TaskLine] = []
    while True:
        body = await asks.get("/tasks", replace(query, offset=len(tasks)).params)
        page = TaskPage.model_validate_json(body)
        tasks += page.tasks
        if len(page.tasks) < PAGE:
            return tasks


async def _rated(asks: Client, task: "TaskLine") -> dict[str, object]:
    """What the last result of a task says of the student. Raises DaemonSilent, RequestRefused, ValueError."""
    found = json.loads(await asks.get(f"/tasks/{task.id}/results")) if task.rating is not None else []
    last = found[-1] if found else {}
    evaluation = last.get("evaluation") or {}
    suggestions = " ".join(evaluation.get("suggestions", ()))
    rated = {key: evaluation.get(key) for key in _EVALUATION}
    scores = evaluation.get("scores") or {}  # empty before schema version 2
    expected = [scores.get(criterion, {}).get("expected") for criterion in _CRITERIA]
    return {
        "name": (last.get("profile") or {}).get("name"),
        **rated,
        "suggestions": suggestions or None,
        **dict(zip(_EXPECTED, expected, strict=True)),
    }


def _write_both(folder: Path, name: str, rows: "Sequence[Row]") -> None:
    write_whole(folder / f"{name}.csv", as_csv(rows))
    write_whole(folder / f"{name}.json", json.dumps(rows, indent=2))


def as_csv(rows: "Sequence[Row]") -> str:
    """The rows as CSV. Texts that a spreadsheet would take for formulas get an apostrophe in front."""
    from daemon.contracts.wire.cells import cell
    from daemon.contracts.wire.tasks import TaskLine

    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*TaskLine.model_fields, "name", *_EVALUATION, "suggestions", *_EXPECTED])
    for row in rows:
        writer.writerow([cell(value) for value in row.values()])
    return out.getvalue()


def write_whole(path: Path, text: str) -> None:
    """Write a file durably and atomically."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
