"""The work of `introeval rubric`: texts and values about templates, and the choice of their folder."""

import difflib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.text import Text

from daemon.api import client
from daemon.cli.common import Chosen
from daemon.cli.console import ERR, OUT
from daemon.config.edit import with_key
from daemon.config.load import LOCAL_FILE, Config, find, load
from daemon.core.errors import ConfigError, IntroEvalError, StoreError
from daemon.core.tasks.task import Stage
from daemon.llm.prompts import NAMES, OURS, Prompt, load_prompt
from daemon.llm.rubric import ALARM
from daemon.llm.template_check import DELIVERY, FORM, VARIABLES, WORDS
from daemon.placement.rubric_check import CheckedRubric, check_rubric
from daemon.store import open_reader, reports
from daemon.system.durable import whole_file
from daemon.system.state_folder import DATABASE

__all__ = ["check_rubric", "differences", "place", "show", "show_check", "show_differences", "use", "values"]


def show(config: Config, rubric: CheckedRubric, chosen: Sequence[Prompt]) -> None:
    """Print templates with their variables and a sample, and whether the daemon asks otherwise."""
    for prompt in chosen:
        _say(f"{prompt.title} ({_whose(prompt)}), sha256 {prompt.sha256}", "bold")
        _say(str(prompt.path))
        for name, about in VARIABLES[prompt.name].items():
            _say(f"  {name:<12}{about}{'' if name in prompt.names else '; not used'}")
        _say("with a sample:", "dim")
        _say(_sample(prompt))
        _say("")
    _warn(rubric)
    with suppress(IntroEvalError):
        for alarm in client.get(config.paths.socket, "/status")["alarms"]:
            if alarm["code"] == ALARM:
                ERR.print(Text(f"alarm: {alarm['message']}; {alarm['fix']}", style="red"), soft_wrap=True)
    _say(
        f"to write your own, copy it, as by: cp {chosen[-1].path} FOLDER; "
        "then run: introeval rubric check FOLDER, and: introeval rubric use FOLDER",
        "dim",
    )


def show_check(rubric: CheckedRubric) -> None:
    """Print that the templates can be used, and what is weak about them."""
    for name, prompt in rubric.prompts.items():
        words = rubric.words[name]
        room = "" if words is None else f", with room for {words} words of a student"
        _say(f"{prompt.title} ({_whose(prompt)}) can be used{room}")
    _warn(rubric)


def differences(config: Config, one: Path, other: Path) -> list[dict[str, Any]]:
    """How each template differs between two rubrics, and the results that rest on it. Raises ConfigError."""
    found = []
    for name in NAMES:
        before, after = (load_prompt(name, place(each)) for each in (one, other))
        lines = difflib.unified_diff(
            before.source.splitlines(),
            after.source.splitlines(),
            str(before.path),
            str(after.path),
            lineterm="",
        )
        sides = {"before": _counted(config, before), "after": _counted(config, after)}
        found.append({"name": name, **sides, "diff": list(lines)})
    return found


def show_differences(found: Sequence[dict[str, Any]]) -> None:
    """Print how two rubrics differ."""
    for each in found:
        before, after = each["before"], each["after"]
        for line in each["diff"]:
            _say(line, {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], ""))
        if before["sha256"] == after["sha256"]:
            _say(f"{each['name']}: the same text")
            continue
        _say(
            f"{each['name']}: {_told(before)} > {_told(after)}; ratings by both cannot be compared; "
            f"for all by one, run: introeval rate --all{' --extract' if each['name'] == 'extract' else ''}",
            "bold",
        )


def use(config: Config, folder: Path) -> None:
    """Name a folder in the configuration file, or none for ours. Raises ConfigError."""
    path = place(folder)
    rubric = check_rubric(config, path)
    if path is not None and all(prompt.path.parent != path for prompt in rubric.prompts.values()):
        raise ConfigError(f"{path} has no template; begin with a copy of ours: cp {OURS}/*.j2 {path}")
    file = _set(path)
    _warn(rubric)
    titles = " and ".join(f"{prompt.title} ({_whose(prompt)})" for prompt in rubric.prompts.values())
    _say(f"{file} chooses {titles}")
    with suppress(IntroEvalError):  # no daemon runs, or not for this user
        pid = client.get(config.paths.socket, "/status")["pid"]
        _say(f"the daemon takes it up by a reload; run: systemctl reload introeval, or: kill -HUP {pid}")


def values(rubric: CheckedRubric, prompt: Prompt) -> dict[str, Any]:
    """A template as JSON values."""
    return {
        "name": prompt.name,
        "version": prompt.version,
        "sha256": prompt.sha256,
        "path": str(prompt.path),
        "ours": prompt.path.parent == OURS,
        "variables": dict(VARIABLES[prompt.name]),
        "used": sorted(prompt.names),
        "words": rubric.words[prompt.name],
        "weak": list(rubric.weak[prompt.name]),
        "sample": _sample(prompt),
    }


def place(folder: Path) -> Path | None:
    """The folder that an argument names; None for ours."""
    return None if folder == Path("ours") else folder.absolute()


def _set(folder: Path | None) -> Path:
    """Write `prompts.folder` into the configuration file, whole or not at all. Raises ConfigError."""
    file = (find(Chosen.file) or LOCAL_FILE.absolute()).resolve()
    try:
        before = file.read_text() if file.exists() else ""
        text = with_key(before, "prompts", "folder", None if folder is None else str(folder))
        trial = file.with_name(f".{file.name}.trial")
        try:
            _write(trial, text, like=file)
            found = load(trial).prompts.folder
        finally:
            trial.unlink(missing_ok=True)
        if found != folder:
            raise ConfigError(
                f"INTROEVAL_PROMPTS__FOLDER in the environment names {found}, whatever {file} says; unset it"
            )
        if text != before:
            _write(file, text, like=file)
    except OSError as exc:
        raise ConfigError(f"{file} can't be changed, so the rubric stays as it is: {exc.strerror}") from exc
    return file


def _write(file: Path, text: str, like: Path) -> None:
    """Write a file with the owner and mode of another, if that exists."""
    at = like.stat() if like.exists() else None
    with whole_file(file, 0o644 if at is None else at.st_mode & 0o7777) as out:
        if at is not None:
            os.fchmod(out.fileno(), at.st_mode & 0o7777)
            os.fchown(out.fileno(), at.st_uid, at.st_gid)
        out.write(text.encode())


def _sample(prompt: Prompt) -> str:
    return prompt.render(WORDS, speaking=DELIVERY, profile=FORM)


def _counted(config: Config, prompt: Prompt) -> dict[str, Any]:
    """A template, and the number of results that rest on it; None without a database."""
    try:
        with open_reader(config.paths.state / DATABASE) as db:
            count = reports.asked_with(db, Stage(prompt.name), prompt.sha256)
    except StoreError:
        count = None
    return {"title": prompt.title, "sha256": prompt.sha256, "path": str(prompt.path), "results": count}


def _told(side: dict[str, Any]) -> str:
    count = "" if side["results"] is None else f", {side['results']} results"
    return f"{side['title']} ({side['sha256'][:8]}{count})"


def _whose(prompt: Prompt) -> str:
    return "ours" if prompt.path.parent == OURS else "the lab's"


def _warn(checked: CheckedRubric) -> None:
    for line in checked.lines:
        ERR.print(Text(f"weak: {line}", style="yellow"), soft_wrap=True)


def _say(line: str, style: str = "") -> None:
    OUT.print(Text(line, style=style), soft_wrap=True)
