"""`introeval doctor`: prints one line for each finding, followed by how to fix it."""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from daemon.cli.common import OUT
from daemon.config.load import find, load
from daemon.core.errors import ConfigError
from daemon.doctor import Finding, Level, examine, examine_without, worst

if TYPE_CHECKING:
    from daemon.stt.transcriber import WhisperEngine

EXIT_FAIL = 1
_STYLE = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


def doctor(file: Path | None, *, as_json: bool) -> int:
    """Run all checks, print the findings, and return the exit code: 1 when a check fails, else 0."""
    findings = look(file)
    level = worst([finding.level for finding in findings])
    if as_json:
        answer = {"level": level, "findings": [asdict(finding) for finding in findings]}
        typer.echo(json.dumps(answer, indent=2))
    else:
        show(OUT, findings)
    return EXIT_FAIL if level is Level.FAIL else 0


def look(file: Path | None) -> list[Finding]:
    """The findings with the configuration in `file`; of the machine alone when it is not valid."""
    from daemon.app.engines import needed_models, whisper_engine

    try:
        settings = load(file)

        def make(folder: Path) -> "WhisperEngine":
            return whisper_engine(settings, folder, folder / "stt.log")

        return asyncio.run(examine(settings, find(file), os.environ, needed_models(settings), make))
    except ConfigError as exc:
        return examine_without(exc)


def show(console: Console, findings: Sequence[Finding]) -> None:
    """Print the findings, with a last line that counts them by level."""
    width = max((len(finding.check) for finding in findings), default=0)
    for finding in findings:
        line = Text(f"{finding.level:<5}", style=_STYLE[finding.level])
        line.append(f"{finding.check:<{width}}  ", style="bold")
        line.append(finding.text, style="none")
        if finding.mend:
            line.append(f"; {finding.mend}", style="italic")
        console.print(line, soft_wrap=True)
        for detail in finding.details:
            console.print(Text(f"{'':<{5 + width}}  {detail}", style="dim"), soft_wrap=True)
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    console.print(
        Text(f"{counts[Level.OK]} ok, {counts[Level.WARN]} to look at, {counts[Level.FAIL]} to fix"),
        highlight=False,
    )
