"""Every bad input through one run of the real daemon, and the page of the docs that says what comes of each.

`INTROEVAL_WRITE_DOCS=1 pytest tests/acceptance/test_bad_files.py` writes docs/bad-inputs.md anew.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkout import MEDIA, REPOSITORY, SAMPLES
from tests.support.clips import chords, film, silence, spoken, tone
from tests.support.hostile import hours_of_silence, many_streams
from tests.support.injections import section_on_rates
from tests.support.process_lab import ProcessLab

PAGE = REPOSITORY / "docs" / "bad-inputs.md"
PROBE = MEDIA / "probe.wav"
SETTINGS = '[stt]\nmodel = "base"\n'
LIMITS = {"max_duration_s": 60, "max_size_mb": 2}
ANSWERED = {"evaluated", "needs_review"}

# The superuser reads whatever it likes, unless it gives these two capabilities away before it begins.
WITHOUT_RIGHTS = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
os.execv(sys.argv[1], sys.argv[1:])
"""

Put = Callable[[Path], object]


@dataclass(frozen=True)
class Row:
    """One bad input: what it is, its name in the inbox, how it gets there, and the code of its answer.

    The code of a file that is evaluated is that of its flag, or empty. `stays`: it is left in the inbox.
    """

    what: str
    name: str | bytes
    put: Put
    code: str = ""
    stays: bool = False

    @property
    def shown(self) -> str:
        return os.fsdecode(self.name)


def content(of: bytes) -> Put:
    return lambda path: path.write_bytes(of)


def clip(folder: Path, name: str) -> Put:
    return lambda path: shutil.copyfile(folder / name, path)


def speech(number: int, end_s: float = 5.0) -> Put:
    """A short introduction, of which no two are the same file."""
    return lambda path: _made(path, lambda to: film(to, spoken(PROBE, number / 1000, end_s)))


def made(make: Callable[[Path], object]) -> Put:
    return lambda path: _made(path, make)


def _made(path: Path, make: Callable[[Path], object], suffix: str = ".mp4") -> None:
    made_at = path.with_name(f"made{suffix}")
    make(made_at)
    made_at.rename(path)


def link(path: Path) -> None:
    path.symlink_to(SAMPLES / "s001_introduction.mp4")


def unreadable(path: Path) -> None:
    speech(40)(path)
    path.chmod(0)


LONGEST = "s055_" + "ö" * 123 + ".mp4"  # 5 + 246 + 4 = 255 bytes
ROWS: Sequence[Row] = (
    Row("an empty file", "s001_empty.mp4", content(b""), "empty"),
    Row("a text that is called `.mp4`", "s002_text.mp4", content(b"Dear teacher,\n" * 9), "not_media"),
    Row("a playlist that is called `.mp4`", "s003_list.mp4", content(b"#EXTM3U\n/etc/passwd\n"), "not_media"),
    Row("a video without sound", "s004_mute.mp4", clip(MEDIA, "no_audio.mp4"), "no_audio"),
    Row("a video whose copy broke off", "s005_cut.mp4", clip(MEDIA, "cut_short.mp4"), "truncated"),
    Row("a damaged video", "s006_damaged.mp4", clip(MEDIA, "damaged.mp4"), "damaged"),
    Row("a video that is too long", "s007_long.mp4", made(lambda p: film(p, tone(61))), "too_long"),
    Row("a file that is too large", "s008_large.mp4", content(bytes(2_500_000)), "too_large"),
    Row("five hours of silence", "s009_hours.mp4", made(lambda p: hours_of_silence(p, 5)), "too_long"),
    Row("400 sound tracks", "s010_tracks.mp4", made(lambda p: many_streams(p, 400)), "no_speech"),
    Row("silence", "s011_silent.mp4", clip(SAMPLES, "s007_silent.mp4"), "no_speech"),
    Row("noise", "s012_noise.mp4", clip(MEDIA, "noise.mp4"), "no_speech"),
    Row("music", "s013_music.mp4", made(lambda p: film(p, chords(12))), "no_speech"),
    Row("hardly a word", "s014_short.mp4", speech(0, 1.3), "too_few_words"),
    Row("German", "s015_german.mp4", clip(MEDIA, "german.mp4"), "wrong_language"),
    Row("Spanish", "s016_spanish.mp4", clip(MEDIA, "spanish.mp4"), "wrong_language"),
    Row("French", "s017_french.mp4", clip(MEDIA, "french.mp4"), "wrong_language"),
    Row("Hindi", "s018_hindi.mp4", clip(MEDIA, "hindi.mp4"), "unintelligible"),
    Row("Dutch", "s019_dutch.mp4", clip(MEDIA, "dutch.mp4"), "unintelligible"),
    Row(
        "a silent sound track before the one that speaks",
        "s020_tracks.mp4",
        made(lambda p: film(p, silence(5), spoken(PROBE))),
        "audio_track",
    ),
    Row("no student in the name", "introduction.mp4", speech(21), "no_student"),
    Row("no video by its name", "s022_notes.txt", content(b"my notes"), "no_media_type"),
    Row("a symbolic link", "s023_link.mp4", link, "special_file"),
    Row("a named pipe", "s024_pipe.mp4", lambda path: os.mkfifo(path), "special_file"),
    Row("a folder that is called `.mp4`", "s025_folder.mp4", lambda path: path.mkdir(), stays=True),
    Row("a copy that is still under way", "s026_copy.mp4.part", speech(26), stays=True),
    Row("a file that may not be read", "s027_secret.mp4", unreadable, "no_right", stays=True),
    Row("a video", "s030_one.mp4", clip(SAMPLES, "s004_who_i_am.mp4")),
    Row("the same again, same student", "s030_two.mp4", clip(SAMPLES, "s004_who_i_am.mp4"), "duplicate"),
    Row("the same video of a student", "s031_same.mp4", speech(31), "same_content"),
    Row("the same video of another student", "s032_same.mp4", speech(31), "same_content"),
    Row("spaces in the name", "s050_my own  video .mp4", speech(50)),
    Row("a line break in the name", "s051_two\nlines.mp4", speech(51)),
    Row("an emoji in the name", "s052_me \N{GRINNING FACE}.mp4", speech(52)),
    Row("markup in the name", "s053_[red]me[bold].mp4", speech(53)),
    Row("a way up in the name", "s054_..\\..%2f..mp4", speech(54)),
    Row("a name of 255 bytes", LONGEST, speech(55)),
    Row("a name that is no UTF-8", b"s056_caf\xe9.mp4", speech(56)),
)


@dataclass
class Worked:
    """The run over: what the outbox, the operator's commands and the folders say of each row."""

    rows: Sequence[Row]
    lab: ProcessLab
    report: dict[str, Any]
    tasks: dict[str, dict[str, Any]]
    results: dict[str, dict[str, Any]]
    reasons: dict[str, dict[str, Any]]

    def student_gets(self, row: Row) -> str:
        """What lies in the outbox for it, as the page of the docs says it."""
        name = _printable(row)
        if name in self.reasons:
            return f"a reason: {self._plain(self.reasons[name]['reason'])}"
        if name not in self.results:
            return "nothing yet"
        result = self.results[name]
        if result["outcome"] in ANSWERED:
            return "a result with a form and a rating"
        return f"a result, `{result['outcome']}`: {self._plain(result['error']['message'])}"

    def operator_sees(self, row: Row) -> str:
        """What `introeval tasks` and `status` show, and where the file is."""
        name = _printable(row)
        alarms = [alarm for alarm in self.report["alarms"] if name in alarm]
        if alarms:
            return f"an alarm: {self._plain(alarms[0])}"
        if name in self.reasons:
            return "the file in `rejected/`"
        if row.stays:
            return "the file stays in the inbox"
        task = self.tasks[name]
        outcome = "evaluated" if task["outcome"] in ANSWERED else task["outcome"]
        how = "" if outcome == task["status"] else f", `{outcome}`"
        return f"a task, `{task['status']}`{how}; the video in `archive/`"

    def code(self, row: Row) -> str:
        """The stable code of what came of it: an error's, a refusal's, a flag's, an alarm's."""
        name = _printable(row)
        if name in self.reasons:
            return str(self.reasons[name]["reason"].partition(":")[0])
        if name in self.results:
            result = self.results[name]
            flags = {flag["code"] for flag in result["flags"]} & {"audio_track", "same_content"}
            return str(result["error"]["code"]) if result["error"] else "".join(flags)
        return "no_right" if any(name in alarm for alarm in self.report["alarms"]) else ""

    def _plain(self, text: str) -> str:
        """Without what differs from run to run, and fit for a table."""
        text = text.replace(f"{self.lab.folder}/", "")
        text = re.sub(r"only \d words? \w+ heard", "only 2 words were heard", text)
        return re.sub(r"task \d+", "task 7", text).replace("|", "\\|")


def _printable(row: Row) -> str:
    return row.shown.replace("\n", "\\n").replace("\udce9", "\\xe9")


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Worked:
    lab = ProcessLab(tmp_path_factory.mktemp("lab"), SETTINGS, (sys.executable, "-c", WITHOUT_RIGHTS))
    toml = lab.folder / "introeval.toml"
    limits = "".join(f"{key} = {value}\n" for key, value in LIMITS.items())
    toml.write_text(toml.read_text().replace("[intake]\n", f"[intake]\n{limits}"))
    rows = [row for row in ROWS if row.code != "no_right" or _can_be_denied(lab)]
    for row in rows:
        row.put(Path(os.fsdecode(os.fsencode(lab.folder / "inbox") + b"/" + os.fsencode(row.name))))
    done = lab.run("run", "--once", "--json", timeout=900)
    assert done.returncode in (2, 3), done.stderr
    results = [json.loads(path.read_bytes()) for path in lab.folder.glob("outbox/*/*.result.json")]
    reasons = [json.loads(path.read_bytes()) for path in lab.folder.glob("outbox/_rejected/*.reason.json")]
    listed = json.loads(lab.run("tasks", "--json").stdout)["tasks"]
    return Worked(
        rows,
        lab,
        json.loads(done.stdout),
        {task["filename"]: task for task in listed},
        {result["source"]["filename"]: result for result in results},
        {reason["filename"]: reason for reason in reasons},
    )


def _can_be_denied(lab: ProcessLab) -> bool:
    secret = lab.folder / "secret"
    secret.touch(mode=0)
    command = [*lab.wrapper, sys.executable, "-c", f"open({str(secret)!r})"]
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


pytestmark = pytest.mark.timeout(1000)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_each_gets_its_answer(worked: Worked, row: Row) -> None:
    if row not in worked.rows:
        pytest.skip("nothing can be kept from this user")
    assert worked.code(row) == row.code, worked.student_gets(row)
    name = _printable(row)
    in_inbox = os.path.lexists(worked.lab.folder / "inbox" / row.shown)
    assert in_inbox == row.stays
    assert (name in worked.results) + (name in worked.reasons) == (not row.stays)
    if name in worked.results:
        result = worked.results[name]
        assert result["task_id"] == worked.tasks[name]["id"]
        assert (result["error"] is None) == (result["outcome"] in ANSWERED)
        assert (result["evaluation"] is None) == (result["outcome"] not in ANSWERED)
        if result["error"]:
            assert len(result["error"]["message"]) > 20
            assert "\n" not in result["error"]["message"]


def test_nothing_is_left_over_and_nothing_is_answered_twice(worked: Worked) -> None:
    names = [_printable(row) for row in worked.rows]
    assert len(set(names)) == len(names)
    assert worked.tasks.keys() == worked.results.keys()
    assert sorted([*worked.results, *worked.reasons]) == sorted(
        _printable(row) for row in worked.rows if not row.stays
    )
    rejected = list((worked.lab.folder / "var" / "rejected").iterdir())
    assert len(rejected) == len(worked.reasons)
    assert list((worked.lab.folder / "var" / "spool").iterdir()) == []


def test_no_name_gets_out_of_the_outbox_or_is_more_than_a_line(
    worked: Worked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    for path in (worked.lab.folder / "outbox").rglob("*"):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", path.name)
        assert len(path.relative_to(worked.lab.folder / "outbox").parts) <= 2
    shown = worked.lab.run("tasks").stdout
    assert "[red]me[bold]" in shown.replace("\n", "")
    for result in worked.results.values():
        assert result["source"]["filename"].isprintable()


def test_the_docs_tell_what_this_run_showed(worked: Worked) -> None:
    if worked.rows != list(ROWS):
        pytest.skip("a row could not be tried by this user")
    page = as_page(worked)
    if os.environ.get("INTROEVAL_WRITE_DOCS"):
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "write it anew with INTROEVAL_WRITE_DOCS=1"


def as_page(worked: Worked) -> str:
    lines = [
        "# What becomes of bad inputs",
        "",
        "Written by `INTROEVAL_WRITE_DOCS=1 pytest tests/acceptance/test_bad_files.py`, from a run of the "
        "daemon over a class",
        f"that hands in all of these at once, with Whisper `base`, at most {LIMITS['max_duration_s']} s and "
        f"{LIMITS['max_size_mb']} MB a video. Do not edit it.",
        "",
        "What the student's side gets lies in `outbox/`: a result in the student's folder, or a reason in "
        "`_rejected/`.",
        "",
        "| what was handed in | what the student's side gets | what the operator sees | code |",
        "| --- | --- | --- | --- |",
    ]
    for row in worked.rows:
        code = f"`{row.code}`" if row.code else ""
        lines.append(
            f"| {row.what} | {worked.student_gets(row)} | {worked.operator_sees(row)} | {code} |".replace(
                "  |", " |"
            )
        )
    return "\n".join([*lines, "", *section_on_rates()]) + "\n"
