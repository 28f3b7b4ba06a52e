"""`introeval calibrate`: holds the model's scores against people's, and corrects them."""

import os
import pwd
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.exit_codes import ExitCode
from daemon.cli.forget import confirmed
from daemon.cli.lines import Line, say, table, width
from daemon.cli.time_parsing import day_name
from daemon.core.errors import UnknownTask, UsageError

if TYPE_CHECKING:
    from daemon.contracts.wire.calibration import AnchorSheet, CalibrationMade, CalibrationUsed
    from daemon.core.agreement.calibration import Correction
    from daemon.core.agreement.measures import Measured
    from daemon.core.content.document import Criterion


def calibrate(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A class, or a day: today, 2026-11-27.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write a CSV to score in, and exit.")
    ] = None,
    scored: Annotated[
        list[Path] | None, typer.Option("--from", metavar="FILE", help="A scored CSV; one for each rater.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Use the calibration at once.")] = False,
    use: Annotated[
        int | None, typer.Option("--use", metavar="NUMBER", help="Use a calibration made before.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Stop using the present calibration.")] = False,
    as_json: AsJson = False,
) -> int:
    """Hold the model's scores of a class against people's, and correct them.

    Ten to twenty tasks are shown without the model's figures, and you score them: here, or in a spreadsheet
    with --to and --from. Then the agreement is printed, with 90 % intervals. Once the calibration is used,
    the results of the class are revised, and every later rating by this model, prompt and parameters is
    corrected. --remove takes that back. Without a name, those made so far are listed.
    """
    if [name is not None, use is not None, remove].count(True) > 1:
        raise UsageError("give one of: a class or a day, --use NUMBER, --remove")
    if name is None:
        if to or scored or apply:
            raise UsageError("--to, --from and --apply need a class or a day")
        if use is None and not remove:
            _list(as_json=as_json)
            return ExitCode.DONE
        _show(None, _used("remove" if remove else f"{use}/apply"), as_json=as_json)
        return ExitCode.DONE
    named = day_name(name, datetime.now().astimezone())
    sheet = _sheet(named)
    if to is not None:
        if scored or apply:
            raise UsageError("--to only writes the sheet; give it without --from and --apply")
        _write(to, sheet, {})
        told = f"{len(sheet.tasks)} tasks are in {to}; fill in the scores"
        print(f"{told}, then run: introeval calibrate {quote(named)} --from {to}")
        return ExitCode.DONE
    if not scored and not sys.stdin.isatty():
        raise UsageError("scores are asked for at a terminal; for a spreadsheet, add: --to FILE")
    raters = _read(scored, sheet) if scored else _ask(sheet, named)
    if not raters:
        return ExitCode.NO
    made = _made({"name": named, "raters": raters})
    if not as_json:
        _show(made, None, as_json=False)
    if not apply and not as_json and sys.stdin.isatty():
        apply = confirmed("use it for this class, and every later rating by this model and prompt?")
    used = _used(f"{made.calibration.number}/apply") if apply else None
    _show(made if as_json else None, used, as_json=as_json)
    if used is None and not as_json:
        print(f"it is not used; to use it, run: introeval calibrate --use {made.calibration.number}")
    return ExitCode.DONE


def _list(*, as_json: bool) -> None:
    """Print the calibrations that were made."""
    from daemon.api import client
    from daemon.cli.plain import local
    from daemon.contracts.wire.calibration import CalibrationsKept

    kept = CalibrationsKept.model_validate(client.get(configuration().paths.socket, "/calibrations"))
    if as_json:
        print(kept.model_dump_json(indent=2))
        return
    for line in kept.made:
        used = ", in use" if line.number == kept.in_use else ""
        by = f" by {line.made_by}" if line.made_by else ""
        raters = ", ".join(line.raters)
        told = f"calibration {line.number} of {line.day}, scored by {raters}"
        say([Line(f"{told}, made {local(line.made_at)}{by}{used}", "green" if used else "")])
    if not kept.made:
        say([Line("no calibration was made; to make one, run: introeval calibrate today")])


def _sheet(name: str) -> "AnchorSheet":
    """The tasks to score. Raises UnknownClass, and UnknownTask where there are none."""
    from daemon.api import client
    from daemon.contracts.wire.calibration import AnchorSheet

    answer = client.get(configuration().paths.socket, "/calibrations/tasks", name=name)
    sheet = AnchorSheet.model_validate(answer)
    if not sheet.tasks:
        raise UnknownTask(f"no task of {name} has a rating that can be calibrated; see: introeval tasks")
    if sheet.others:
        told = f"{sheet.others} tasks were rated by another model or prompt, and are left out"
        say(
            [Line(f"{told}; to rate all by the present one, run: introeval rate --all", "yellow")], error=True
        )
    return sheet


def _made(body: dict[str, Any]) -> "CalibrationMade":
    from daemon.api import client
    from daemon.contracts.wire.calibration import CalibrationMade

    return CalibrationMade.model_validate(client.post(configuration().paths.socket, "/calibrations", body))


def _used(what: str) -> "CalibrationUsed":
    from daemon.api import client
    from daemon.contracts.wire.calibration import CalibrationUsed

    return CalibrationUsed.model_validate(client.post(configuration().paths.socket, f"/calibrations/{what}"))


def _ask(sheet: "AnchorSheet", name: str) -> list[dict[str, Any]]:
    """Ask for the scores at the terminal. Gives none when stopped; a file then has those so far."""
    from daemon.cli.scoring import asked

    scores, done = asked(sheet.tasks)
    if done:
        return [{"rater": pwd.getpwuid(os.getuid()).pw_name, "scores": scores}]
    told = "stopped: no calibration is made"
    if any(scores.values()):
        file = Path(f"calibration-{name}-{datetime.now().astimezone():%H%M%S}.csv")
        _write(file, sheet, scores)
        told += f"; the scores so far are in {file}: fill in the others, "
        told += f"then run: introeval calibrate {quote(name)} --from {quote(str(file))}"
    say([Line(told, "yellow")], error=True)
    return []


def _write(file: Path, sheet: "AnchorSheet", scores: "dict[int, dict[Criterion, int]]") -> None:
    """Write a new sheet, which only this user can read. Raises UsageError."""
    from daemon.cli.scoring import columns
    from daemon.core.agreement.sheet import write_sheet

    text = write_sheet((columns(task) for task in sheet.tasks), scores)
    try:
        with open(file, "x", encoding="utf-8-sig", newline="", opener=_private) as written:
            written.write(text)
    except OSError as exc:
        raise UsageError(f"{file} cannot be written: {exc.strerror}; name another file") from exc


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _read(files: Sequence[Path], sheet: "AnchorSheet") -> list[dict[str, Any]]:
    """The scores of each file, named after its rater; none where one has faults. Raises UsageError."""
    from daemon.core.agreement.sheet import read_sheet

    if twice := [name for name, count in Counter(file.stem for file in files).items() if count > 1]:
        raise UsageError(f"two files are named {twice[0]}, and the name is the rater's; rename one")
    raters, faults = [], []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8-sig", errors="replace")
        except OSError as exc:
            raise UsageError(f"{file} cannot be read: {exc.strerror}; name the scored sheet") from exc
        found = read_sheet(text, sheet.ids)
        faults += [f"{file}, {fault}" for fault in found.faults]
        raters.append({"rater": file.stem[:64], "scores": found.scores})
    if faults:
        say([Line(fault, "red") for fault in faults], error=True)
        say(["no calibration is made; correct the sheet, and run the same again"], error=True)
        return []
    return raters


def _show(made: "CalibrationMade | None", used: "CalibrationUsed | None", *, as_json: bool) -> None:
    import json

    if as_json:
        said = {"made": made and made.model_dump(mode="json"), "used": used and used.model_dump(mode="json")}
        print(json.dumps(said, indent=2))
        return
    if made is not None:
        say(_of_made(made))
    if used is not None:
        say(_of_used(used))


def _of_made(made: "CalibrationMade") -> Iterator["Line"]:
    from daemon.cli.scoring import in_words
    from daemon.core.agreement.offset import LEAST_FOR_INTERVAL

    calibration = made.calibration
    raters = ", ".join(calibration.raters)
    yield Line(f"calibration {calibration.number} of {calibration.day}, scored by {raters}", "bold")
    for criterion, correction in calibration.criteria.items():
        few = f"no interval below {LEAST_FOR_INTERVAL} tasks"
        half = few if correction.half_width is None else f"interval +-{correction.half_width:.1f}"
        told = f"{in_words(criterion)}: {correction.anchors} tasks, offset {correction.offset:+.1f}, {half}"
        yield Line(told, "cyan")
        heads = ("agreement", "the model's own", "corrected")
        yield from (Line(f"  {row}") for row in table([heads, *_rows(correction)], width(), right=()))
    yield Line("?: the 90 % interval crosses the limit, so that other tasks could say otherwise", "dim")
    yield Line(f"file: {made.file}")
    yield Line(f"report: {made.report}")


def _rows(correction: "Correction") -> Iterator[tuple[str, ...]]:
    from daemon.cli.scoring import in_words
    from daemon.core.agreement.measures import THRESHOLDS, Measure

    for measure, measured in correction.model.items():
        name = "difference in SD" if measure is Measure.STANDARDISED else in_words(measure)
        wanted = f" {THRESHOLDS[measure]}" if measure in THRESHOLDS else ""
        yield (name + wanted, _cell(measured), _cell(correction.corrected[measure]))


def _cell(measured: "Measured") -> str:
    if measured.value is None:
        return "not defined"
    low_high = "" if measured.interval is None else " ({:z.2f}, {:z.2f})".format(*measured.interval)
    said = {None: "", True: " yes", False: " no"}[measured.reached]
    return f"{measured.value:z.2f}{low_high}{said}{'' if measured.certain or not said else '?'}"


def _of_used(used: "CalibrationUsed") -> Iterator["Line"]:
    count = "1 result is" if used.revised == 1 else f"{used.revised} results are"
    yield Line(f"calibration {used.number}: {count} revised, and delivered again")
    if used.left:
        told = f"{used.left} results of the class were rated with another {', '.join(used.differs)}"
        yield Line(f"{told}, and keep the model's figures", "yellow")
