"""`introeval doctor`: prints one line for each finding, followed by how to fix it."""

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.exit_codes import ExitCode
from daemon.cli.lines import Line, say
from daemon.config.load import find, load
from daemon.core.errors import ConfigError
from daemon.doctor import Finding, Level, examine, examine_without, worst

if TYPE_CHECKING:
    from daemon.contracts.ports import Transcriber

_STYLE = {Level.OK: "", Level.WARN: "yellow", Level.FAIL: "red"}


def doctor(file: Path | None, *, as_json: bool) -> int:
    """Run all checks, print the findings, and return the exit code: 1 when a check fails, else 0."""
    findings = look(file)
    level = worst([finding.level for finding in findings])
    if as_json:
        answer = {"level": level, "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(answer, indent=2))
    else:
        say(show(findings))
    return ExitCode.NO if level is Level.FAIL else ExitCode.DONE


def look(file: Path | None) -> list[Finding]:
    """The findings with the configuration in `file`; of the machine alone when it is not valid."""
    from daemon.app.configured import needed_models
    from daemon.app.engines import remote_transcriber, whisper_engine

    try:
        settings = load(file)

        def make(folder: Path) -> "Transcriber":
            if settings.stt.url:
                return remote_transcriber(settings)
            return whisper_engine(settings, folder, folder / "stt.log")

        return asyncio.run(examine(settings, find(file), os.environ, needed_models(settings), make))
    except ConfigError as exc:
        return examine_without(exc)


def show(findings: Sequence[Finding]) -> Iterator[Line]:
    """The lines of the findings; the last one counts them by level."""
    column = max((len(finding.check) for finding in findings), default=0) + len("fail ") + 2
    for finding in findings:
        said = f"{finding.text}; {finding.fix}" if finding.fix else finding.text
        yield Line(f"{finding.level:<5}{finding.check}".ljust(column) + said, _STYLE[finding.level], column)
        for detail in finding.details:
            yield Line(" " * column + detail, "dim")
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    yield Line(f"{counts[Level.OK]} ok, {counts[Level.WARN]} to look at, {counts[Level.FAIL]} to fix")
