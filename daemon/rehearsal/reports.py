"""The reports of rehearsals: kept in the state folder, as JSON and as one HTML page without a script."""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from daemon.core.errors import ConfigError
from daemon.core.forecast.rehearsal import Rehearsal
from daemon.publishing.rehearsal_report import rehearsal_report
from daemon.rehearsal.lab import REHEARSALS
from daemon.system.durable import whole_file


def keep(state: Path, rehearsal: Rehearsal) -> Path:
    """Keep a report. Gives the path of the page; the figures lie beside it."""
    folder = state / REHEARSALS
    made = datetime.fromisoformat(rehearsal.made_at).astimezone(UTC)
    stem = folder / f"{made:%Y-%m-%dT%H%M%S}-{rehearsal.students}"
    figures, page = rehearsal.model_dump_json(indent=1).encode(), rehearsal_report(rehearsal)
    for suffix, content in ((".json", figures), (".html", page)):
        with whole_file(stem.with_suffix(suffix)) as file:
            file.write(content)
    return stem.with_suffix(".html")


def last(state: Path) -> Rehearsal | None:
    """The last rehearsal that was finished; None without one. Raises ConfigError for a damaged report."""
    newest = max((state / REHEARSALS).glob("*.json"), default=None)
    if newest is None:
        return None
    try:
        return Rehearsal.model_validate_json(newest.read_bytes())
    except ValidationError as exc:
        raise ConfigError(f"the report {newest} is of another version or damaged; remove it") from exc
