"""Why a task wants a person, in words: for every flag and code that the program can give."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.core.content.reasons import IN_WORDS, advice
from daemon.core.content.result import REVIEW_FLAGS
from daemon.core.tasks.offers import ANSWER_FLAGS, OF_THE_FILE, TaskFacts, Verb
from daemon.core.tasks.task import Outcome, Stage, Status
from tests.unit.test_offers import DOUBTFUL, FAILED, NOW, RATED, TERMS, UNSCORABLE, WAITS

DAEMON = Path(__file__).resolve().parents[2] / "daemon"


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for module in DAEMON.rglob("*.py"):
        yield module, ast.parse(module.read_text(encoding="utf-8"))


def constants(tree: ast.Module) -> dict[str, str]:
    """The names of a module that stand for a text, also those that it imports."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            text = str(node.value.value)
            found |= {target.id: text for target in node.targets if isinstance(target, ast.Name)}
    return found


def raised_flags() -> set[str]:
    """The codes of all flags in the source: `Flag(code=...)`, and those of the media child."""
    parsed = dict(trees())
    known = {name: value for tree in parsed.values() for name, value in constants(tree).items()}
    found: set[str] = set()
    for module, tree in parsed.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Flag":
                (code,) = [each.value for each in node.keywords if each.arg == "code"]
                if isinstance(code, ast.Constant):
                    found.add(str(code.value))
                elif isinstance(code, ast.Name):
                    found.add(known[code.id])
                else:
                    assert ast.unparse(code) == "flag.code", "one of the media child, which is named below"
        if module.name == "media.py":
            text = module.read_text(encoding="utf-8")
            found |= set(re.findall(r'flags\["(\w+)"\]', text))
            found |= set(re.findall(r'flags = \[\{"code": "(\w+)"', text))
    return found


def test_every_flag_that_can_be_raised_has_its_sentence() -> None:
    assert raised_flags() == IN_WORDS.keys()
    assert IN_WORDS.keys() >= REVIEW_FLAGS | ANSWER_FLAGS
    assert ANSWER_FLAGS <= REVIEW_FLAGS
    assert all("_" not in said and len(said) < 80 for said in IN_WORDS.values())


def test_the_failures_of_a_file_are_those_that_the_program_finds_in_one() -> None:
    source = "\n".join(module.read_text(encoding="utf-8") for module in DAEMON.rglob("*.py"))
    found = set(re.findall(r'MediaFault\(\s*"(\w+)"', source))
    found |= set(re.findall(r'Blame\.PERMANENT, "(\w+)"', source))
    elsewhere = "no_room unreadable decoder_hung decoder_died daemon_died transcript_too_long rubric_failed"
    assert found - {"code", *elsewhere.split()} == OF_THE_FILE


@pytest.mark.parametrize("code", sorted(REVIEW_FLAGS))
def test_what_needs_review_says_why_and_what_is_next(code: str) -> None:
    told = advice(replace(DOUBTFUL, flag_codes=(code, "demo_model")), None, TERMS, NOW)
    assert told is not None
    assert told.reason == IN_WORDS[code]
    assert told.verb is (Verb.RETRY if code in ANSWER_FLAGS else None)
    assert told.next.startswith("retry it") is (code in ANSWER_FLAGS)


@pytest.mark.parametrize(
    ("task", "message", "reason", "verb"),
    [
        (FAILED, "Whisper died\ntwice", "Whisper died twice", Verb.RETRY),
        (replace(FAILED, error_code="no_audio"), "the video has no sound", "the video has no sound", None),
        (replace(FAILED, video_kept=False), None, "no reason was recorded", None),
        (UNSCORABLE, "no speech was heard", "no speech was heard", None),
        (replace(WAITS, claimed_at=NOW - 4500), None, "it has waited 75 min for stt", None),
    ],
)
def test_each_other_kind_says_it_too(task: TaskFacts, message: str | None, reason: str, verb: Verb) -> None:
    told = advice(task, message, TERMS, NOW)
    assert told is not None
    assert (told.reason, told.verb) == (reason, verb)
    assert told.next


def test_what_is_well_wants_nobody() -> None:
    cancelled = replace(FAILED, status=Status.CANCELLED, outcome=Outcome.CANCELLED)
    assert [advice(task, None, TERMS, NOW) for task in (RATED, WAITS, cancelled)] == [None] * 3
    assert {stage.value for stage in Stage} == {"stt", "extract", "rate"}, "the words of a wait"
