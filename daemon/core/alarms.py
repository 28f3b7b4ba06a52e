"""The alarms that there are: for each code who or what it affects, and what to do.

An alarm has three parts. Who notices a problem gives its code and its cause, and here the other two are
added. `{of}` in them is what follows the kind in a code: a stage, a group, or after a space a file.
"""

import re
from dataclasses import dataclass

from daemon.core.errors import two_parts

_DOCTOR = "run: introeval doctor"
_STATUS = "to see why, run: introeval status"
_VIDEO = "the video {of}, which is not evaluated before this is fixed"


@dataclass(frozen=True, slots=True)
class AlarmKind:
    """A kind of alarm. `affects` is a noun phrase, `fix` an instruction.

    `private`: its cause may name a file or a student, so that it stands in no log.
    """

    affects: str
    fix: str
    private: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Trouble:
    """A problem in three parts: its cause, who or what it affects, and what to do."""

    code: str
    cause: str
    affects: str
    fix: str

    def __str__(self) -> str:
        return f"{self.cause}; affects {self.affects}; {self.fix}"


KINDS = {
    # The database, the configuration and the hooks.
    "store": AlarmKind(
        "every task: nothing is decided or delivered until the database works", "run: introeval doctor"
    ),
    "older_database": AlarmKind(
        "results and videos of earlier tasks: no command finds them; none is overwritten",
        "restore the right database, or go on with this one",
    ),
    "configuration": AlarmKind(
        "the settings that were changed: the earlier ones still apply",
        "fix the file, then reload the daemon",
        private=True,
    ),
    "hook": AlarmKind(
        "the people whom alerts.command or alerts.webhook tells: they may have missed an alarm",
        "check alerts.command and alerts.webhook",
    ),
    "notices": AlarmKind(
        "the programs that hooks.{of} tells: their notices are kept and sent again", "check hooks.{of}"
    ),
    # Engines and the GPU.
    "engines_left": AlarmKind("every open task: none starts while engines of an earlier run last", _DOCTOR),
    "engine_stop": AlarmKind("every open task: the next engine starts only when this one is gone", _DOCTOR),
    "engine": AlarmKind("every task that waits for {of}", _DOCTOR),
    "reload": AlarmKind(
        "every task that waits for {of}, which takes longer", "find out who else uses it or the GPU's memory"
    ),
    "degraded": AlarmKind(
        "every task that waits for {of}: it goes on, slower", "to see why, run: introeval doctor"
    ),
    "container": AlarmKind(
        "whoever started it, and every task if it takes the GPU's memory",
        "find out who starts it; to use it yourself, stop the daemon first",
    ),
    "gpu_memory": AlarmKind(
        "every open task: the next engine starts only when the memory is free",
        "end the process; work then continues by itself",
    ),
    "gpu_lost": AlarmKind(
        "every open task: no engine starts without the GPU",
        "restart the machine; no work is lost",
    ),
    # The class.
    "unsteady": AlarmKind(
        "the students of these tasks, whose grade depends on chance",
        "look at them before a figure is handed out; for all spreads, run: introeval stability",
    ),
    "canary_unheard": AlarmKind(
        "the students of this class, who are graded by {of} all the same",
        "to see more, run: introeval canary show",
    ),
    "canary": AlarmKind(
        "every task of its stage: none starts, and none fails",
        "put it back, then run: introeval canary run; or accept it as it is, run: introeval canary accept",
    ),
    "rubric": AlarmKind("the open class: it is asked with the rubric before", "run: introeval rubric check"),
    "class_changed": AlarmKind(
        "the students of this class: their ratings can't be compared", "rate the earlier tasks again"
    ),
    "calibration_other": AlarmKind(
        "the results from now on: they carry the model's own figures",
        "run: introeval calibrate NAME, or introeval calibrate --remove",
    ),
    "alert_queue_depth": AlarmKind("the students whose videos wait", _STATUS),
    "alert_oldest_wait": AlarmKind("the student whose video waits", _STATUS, private=True),
    "alert_failures": AlarmKind(
        "the students of these tasks, who get no rating", "run: introeval tasks --status failed"
    ),
    "alert_switch_blocked": AlarmKind("every open task", "to see what holds the GPU, run: introeval doctor"),
    "alert_disk": AlarmKind("new videos: soon none is taken", "delete what is not needed on that disk"),
    "alert_engine": AlarmKind("every task that waits for {of}", _DOCTOR),
    "alert_deadline": AlarmKind(
        "the students whose results come too late",
        "to set a later deadline, run: introeval deadline HH:MM",
        private=True,
    ),
    # The outbox and what is kept.
    "outbox": AlarmKind(
        "results that wait for delivery: they are kept and delivered later",
        "free space on its disk, or let the daemon write there",
        private=True,
    ),
    "outbox_blocked": AlarmKind(
        "the student whose document has that name: it is delivered once the file is gone",
        "move the file away",
        private=True,
    ),
    "archive": AlarmKind(
        "videos of finished tasks, which stay in the spool",
        "check that the state folder can be written, has free space, and holds no links",
    ),
    "archive_name": AlarmKind(
        "both videos, which are kept", "check whether the database was lost or an older copy restored"
    ),
    "retention": AlarmKind(
        "files whose time is over, which are kept", "check that the state folder can be written"
    ),
    "cluster": AlarmKind(
        "the class, which goes on without the other machines",
        "start Ray's head: systemctl start introeval-head, or introeval node head",
    ),
    "node_canary": AlarmKind(
        "the class, which takes longer: the machine {of} is given no work of that stage",
        "compare its models, its prompts and its servers with this machine's; then run: introeval canary run",
    ),
    "node": AlarmKind("the class, which takes longer", "to see the machines, run: introeval nodes"),
    "clock": AlarmKind("deletions, which wait", "check that the clock is right"),
    "spool_adopted": AlarmKind(
        "the students of these videos, who may be evaluated twice",
        "compare their results, and cancel the second tasks",
        private=True,
    ),
    "spool_unknown": AlarmKind(
        "the students of these videos, who are not evaluated",
        "move them to the inbox as <student>_<name>, or delete them",
        private=True,
    ),
    # The inbox.
    "registered": AlarmKind(
        "the students of these tasks, who are not evaluated", "correct or delete their rows"
    ),
    "intake_store": AlarmKind(
        "every new video: none is taken until the database works", "run: introeval doctor", private=True
    ),
    "intake_inbox_unavailable": AlarmKind(
        "every new video: none is taken until the inbox is back",
        "create the folder or mount it again",
        private=True,
    ),
    "intake_inbox_slow": AlarmKind(
        "every new video: none is taken until the inbox answers",
        "check that its disk or share answers, and whose file system is mounted there",
        private=True,
    ),
    "intake_disk_low": AlarmKind(
        "every new video: none is taken until there is room",
        "delete files on that disk that are not needed",
        private=True,
    ),
    "intake_claim_waits": AlarmKind(_VIDEO, "run: introeval doctor", private=True),
    "intake_not_written": AlarmKind(
        "every video that is claimed now, which waits",
        "check that {of} can be written and its disk has free space",
        private=True,
    ),
    "intake_no_right": AlarmKind(
        _VIDEO, "give this user the right to read the file and to write its folder", private=True
    ),
    "intake_held_open": AlarmKind(_VIDEO, "end the copy, or the program that holds it", private=True),
    "intake_orphan": AlarmKind(_VIDEO, "rename the file to <student>_<name>.mp4", private=True),
    "intake_folder_too_deep": AlarmKind("videos in {of}, which are not taken", "move it up", private=True),
    "intake_folder_unreadable": AlarmKind(
        "videos in {of}, which are not taken", "give this user the right to read it", private=True
    ),
    "intake_folder_of_another": AlarmKind(
        "whoever puts a video into {of}",
        "create the students' folders beforehand, or name the account in intake.shared_accounts",
        private=True,
    ),
    "intake_mounted_inside": AlarmKind(
        "videos in {of}, which are not taken", "unmount it, or mount it as root", private=True
    ),
    "intake_many_at_once": AlarmKind(
        "the students of these videos, which may be mixed up under {of}",
        "if {of} is no student, cancel them and hand them in as <student>_<name>, or add a pattern to "
        "intake.patterns; if it is one, nothing needs to be done",
        private=True,
    ),
}
"""All kinds, by the code without what it is about."""


def kind_of(code: str) -> str:
    """The kind of a code, a key of KINDS. Raises KeyError for one that is not there."""
    kind = code.partition(" ")[0]
    while kind not in KINDS:
        kind, cut, _ = kind.rpartition("_")
        if not cut:
            raise KeyError(code)
    return kind


def trouble(code: str, cause: str, *, affects: str = "", fix: str = "") -> Trouble:
    """The problem with this code and cause. A part that is not given is that of its kind."""
    key = kind_of(code)
    kind, (head, _, file) = KINDS[key], code.partition(" ")
    of = file or " and ".join(filter(None, head.removeprefix(key).split("_"))) or "the rest"
    return Trouble(
        code,
        in_words(cause) or "the cause is not known",
        affects or kind.affects.replace("{of}", of),
        in_words(fix) or kind.fix.replace("{of}", of),
    )


def trouble_of(code: str, line: str, *, affects: str = "") -> Trouble:
    """The problem that the line of an error tells; its fix is the line's own, where it has one."""
    cause, fix = two_parts(line)
    return trouble(code, cause, affects=affects, fix=fix)


def in_words(text: str) -> str:
    """One line for people, without what programs put into their errors: numbers and names of types."""
    text = re.sub(r"\[Errno -?\d+\] ", "", " ".join(text.split()))
    text = re.sub(r"\b\w*(?:Error|Exception)\((?:-?\d+, )?(?:'([^']*)'|\"([^\"]*)\"|)\)", r"\1\2", text)
    return re.sub(r"\b[A-Z]\w*(?:Error|Exception|Timeout)\b(?:: )?", "", text).strip(" :;,.")
