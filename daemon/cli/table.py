"""The table of all commands. A command is one row here, and a function in the module that the row names.

The module is imported when the command runs, and for its own help; not for that of the program.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Group(StrEnum):
    """The groups of the help, in its order."""

    CLASS = "A class"
    TASK = "One task"
    RESULTS = "Results and rubric"
    MACHINE = "The machine"
    RECORDS = "Records"


@dataclass(frozen=True, slots=True)
class Row:
    """One command. `name` may have two words; `place` is MODULE:FUNCTION in `daemon.cli`.

    The docstring of the function is the help; `summary` is one short line of the program's.
    """

    name: str
    place: str
    group: Group
    summary: str

    def load(self) -> Callable[..., int | None]:
        """Import the function."""
        module, _, function = self.place.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(f"daemon.cli.{module}"), function)
        return found


_C, _T, _R, _M, _L = Group.CLASS, Group.TASK, Group.RESULTS, Group.MACHINE, Group.RECORDS

ROWS = {
    row.name: row
    for row in (
        Row("run", "machine:run", _C, "Watch the inbox and evaluate each video, until stopped"),
        Row("stop", "stopping:stop", _C, "Stop the running daemon"),
        Row("tui", "machine:tui", _C, "Open the dashboard"),
        Row("status", "read_commands:status", _C, "Show the phase, the tasks, the class clock, the alarms"),
        Row("class open", "classes:open_class", _C, "Open a class, with its roster and its deadline"),
        Row("class close", "classes:close", _C, "Close the open class"),
        Row("class list", "classes:listed", _C, "List the classes that were opened"),
        Row("class show", "classes:show", _C, "Show who has handed in, who is missing, what to look at"),
        Row("class roster", "classes:roster", _C, "Replace the roster of a class"),
        Row("class release", "classes:release", _C, "Accept the results of a class that are not flagged"),
        Row("review", "reviewing:review", _C, "Review the results of a class, the most doubtful first"),
        Row("attention", "attention:attention", _C, "Show what wants a person, the most urgent first"),
        Row("wait", "read_commands:wait", _C, "Wait until every video is claimed, rated and delivered"),
        Row("deadline", "write_commands:deadline", _C, "Set the deadline of the class"),
        Row("pause", "write_commands:pause", _C, "Start nothing new"),
        Row("resume", "write_commands:resume", _C, "Continue after a pause or a drain"),
        Row("drain", "write_commands:drain", _C, "Claim no new videos, and finish the open tasks"),
        Row("go", "write_commands:go", _C, "Leave stt without waiting for more uploads"),
        Row("tasks", "read_commands:tasks", _T, "List tasks, the newest first"),
        Row("task", "read_commands:task", _T, "Show one task with its history and its files"),
        Row("acknowledge", "attention:acknowledge", _T, "Say that you have seen what wants a person"),
        Row("retry", "write_commands:retry", _T, "Retry tasks that failed or need review"),
        Row("cancel", "write_commands:cancel", _T, "Cancel open tasks"),
        Row("hold", "write_commands:hold", _T, "Keep open tasks from being started"),
        Row("release", "write_commands:release", _T, "Let held tasks be started again"),
        Row("next", "write_commands:next_", _T, "Put open tasks before all others"),
        Row("rate", "write_commands:rate", _R, "Rate again, and show what changed"),
        Row("decide", "deciding:decide", _R, "Accept the result of a task, or change it"),
        Row("export", "exporting:export", _R, "Write the released results for Moodle, Canvas, or a table"),
        Row("report", "reporting:report", _R, "Write the report of a class, or a page for each student"),
        Row("compare", "compare:compare", _R, "Compare two results of each task"),
        Row("calibrate", "calibrate:calibrate", _R, "Hold the scores against yours, and correct them"),
        Row("rubric show", "rubric:show", _R, "Show the templates in use, and a prompt made of them"),
        Row("rubric check", "rubric:check", _R, "Check a rubric, and say what is weak about it"),
        Row("rubric diff", "rubric:diff", _R, "Show how two rubrics differ"),
        Row("rubric use", "rubric:use", _R, "Choose the folder of the rubric"),
        Row("deliver", "write_commands:deliver", _R, "Deliver the last results of tasks again"),
        Row("schema", "machine:schema", _R, "Print the JSON Schema of a result file"),
        Row("fairness", "fairness:fairness", _R, "Measure whether the rater treats all alike"),
        Row("fairness show", "fairness:show", _R, "Show the last fairness card"),
        Row("fairness accept", "fairness:accept", _R, "Take a rater for grades in spite of its card"),
        Row("stability", "stability:stability", _R, "Show how far scores move with the seed"),
        Row("canary show", "canary:show", _R, "Show what known words gave, and what drifted"),
        Row("canary run", "canary:run", _R, "Ask the canary again before the next task"),
        Row("canary accept", "canary:accept", _R, "Accept what drifted, and let the class go on"),
        Row("setup", "machine:setup", _M, "Create the containers, and pull their models"),
        Row("doctor", "machine:doctor", _M, "Check the installation, and say how to fix each problem"),
        Row("config", "machine:config", _M, "Check the configuration, and name its file"),
        Row("models pull", "models:pull", _M, "Fetch, verify and pin models"),
        Row("models add", "models:add", _M, "Add a model that you have"),
        Row("models list", "models:show", _M, "List the models, and which of them are here"),
        Row("samples", "machine:samples", _M, "Copy the sample class into the inbox"),
        Row("rehearse", "rehearse:rehearse", _M, "Run a synthetic class on the real engines, and report"),
        Row("simulate", "simulate:simulate", _M, "Forecast when a class would be done"),
        Row("completion", "completion:completion", _M, "Print the completion script of a shell"),
        Row("nodes", "nodes:nodes", _M, "List the machines that lend their GPU"),
        Row("nodes drain", "nodes:drain", _M, "Let a machine finish what it has, and give it no more"),
        Row("node token", "node:token", _M, "Make the secret that the machines of a cluster share"),
        Row("node head", "node:head", _M, "Run Ray's head here, on the machine that has the inbox"),
        Row("node join", "node:join", _M, "Lend this machine's GPU to the machine that has the inbox"),
        Row("accept", "write_commands:accept", _M, "Accept the folder that is there as the inbox or outbox"),
        Row("events", "read_commands:events", _L, "Show the last events"),
        Row("logs", "read_commands:logs", _L, "Show the last lines of a log"),
        Row("replay", "replay:replay", _L, "Open the dashboard on a recorded day"),
        Row("ledger", "ledger:ledger", _L, "Show what each switch took, and who held the GPU's memory"),
        Row("decisions", "decisions:decisions", _L, "Repeat the recorded decisions, and show differences"),
        Row("audit", "audit:audit", _L, "Show and verify the audit, or write the bundle of a class"),
        Row("backup", "backup:backup", _L, "Copy the state of a running lab into one file"),
        Row("restore", "backup:restore", _L, "Put a backup into an empty state folder"),
        Row("forget", "forget:forget", _L, "Delete everything of a student"),
    )
}
