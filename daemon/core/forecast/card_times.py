"""The durations of a class on a card that is not here, computed line by line, and what would have to hold.

Each figure is a card's data, a published measurement or an assumption, and its line says which. An answer's
token reads all weights once, for all requests at a time together; prompts gain nothing by company, nor does
what the server does on one core: the likeliest tokens that it tells of each token of the scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.core.forecast.durations import Durations, MeasuredSwitch, Pace
from daemon.core.forecast.explain import seconds
from daemon.core.forecast.simulated import SimulatedClass
from daemon.core.schedule.batch_curve import FIRST_GUESS, LEVELS, ONE_AFTER_ANOTHER, BatchCurve
from daemon.core.schedule.memory import MB
from daemon.core.schedule.phase_state import Group
from daemon.core.schedule.residency import MODELS, Plan
from daemon.core.tasks.task import Stage

GOAL_S = 6.0
"""Seconds a student: thirty in three minutes."""

MEDIA_S = 45.0
"""The length of a video in this computation, in seconds."""

_USED = 0.7  # of the memory's bandwidth, by an answer's tokens
_PROMPT_TOKENS_S = 1500.0
_HEARD = 49.0  # x real time: faster-whisper's figure for large-v2 in int8, batch 8, on a 3070 Ti
_HEARD_AT_GB_S = 608.0  # that card's bandwidth
_ALONE = "not enough by itself"
_START_S = 0.8  # a container ended and another one started, with warm files
_TOKENS: Mapping[Stage, tuple[int, int, int]] = {Stage.EXTRACT: (270, 200, 120), Stage.RATE: (790, 320, 250)}
"""Of the part of the prompt that all share, which each slot computes once; of a student's own part; and of
the answer: a transcript of 45 s, a form, a rating."""
_SCORES = 86  # tokens of both answers with scores, as seen on the class of the samples


@dataclass(frozen=True, slots=True)
class CardFigures:
    """A card: its memory, how fast it reads that, how fast weights come into it from the page cache, and
    Whisper's speed on it in times real time. `told_s` is what the server takes, in seconds, to tell the
    likeliest tokens at one place of an answer.
    """

    name: str
    memory_mb: float
    read_gb_s: float
    load_gb_s: float
    heard: float
    told_s: float

    def tokens_s(self, weights_mb: float) -> float:
        """The tokens a second of one answer alone."""
        return self.read_gb_s * 1e9 * _USED / (weights_mb * MB)


@dataclass(frozen=True, slots=True)
class CardLine:
    """A part of a computed class: its seconds, where they come from, and what must hold for the goal."""

    what: str
    takes_s: float
    source: str
    must_hold: str


LAB_CARD = CardFigures("RTX 3060 Ti", 8192.0, 448.0, 2.0, heard=_HEARD * 448.0 / _HEARD_AT_GB_S, told_s=0.044)


def computed(card: CardFigures, plan: Plan, students: int) -> Durations:
    """The durations of a class under a plan."""
    heard_s = MEDIA_S / card.heard
    paces = {Stage.STT: Pace(heard_s, MEDIA_S, heard_s / MEDIA_S, (1.0,), ONE_AFTER_ANOTHER)}
    for stage in MODELS:
        prompt_s, answer_s = _parts_s(card, plan, stage, students)
        if stage is Stage.RATE:
            prompt_s += _SCORES * card.told_s  # for each student anew, as its prompt is
        shares = [
            (prompt_s + answer_s) / (level * prompt_s + answer_s / share)
            for level, share in zip(LEVELS, FIRST_GUESS.shares, strict=True)
        ]
        paces[stage] = Pace(prompt_s + answer_s, MEDIA_S, 0.0, (1.0,), BatchCurve(tuple(shares)))
    switches = [
        MeasuredSwitch(None, group, _START_S + _loaded_mb(plan, group) * MB / card.load_gb_s / 1e9)
        for group in plan.groups
    ]
    return Durations(paces, switches)


def card_lines(card: CardFigures, plan: Plan, result: SimulatedClass) -> tuple[CardLine, ...]:
    """The computation of a class: each stage, the switches, and all."""
    count = len(result.ends)
    slack_s = GOAL_S * count - result.makespan_s
    heard_s = count * MEDIA_S / card.heard
    lines = [
        CardLine(
            "stt",
            heard_s,
            f"{count} x {MEDIA_S:.0f} s at {card.heard:.0f} x real time: "
            "published for large-v2 in int8 on a 3070 Ti, by bandwidth",
            _bound("at least {:.1f} x", count * MEDIA_S, heard_s, slack_s),
        )
    ]
    for stage in MODELS:
        model, slots, answer = plan.asked.models[stage], plan.parallel[stage], _TOKENS[stage][-1]
        own = _prompt_tokens(plan, stage, count)
        alone, gain = card.tokens_s(model.weights_mb), FIRST_GUESS.speedup(slots)
        prompts_s, answers_s = (count * part for part in _parts_s(card, plan, stage, count))
        lines.append(
            CardLine(
                f"{stage}: prompts",
                prompts_s,
                f"{count} x {own:.0f} tokens at {_PROMPT_TOKENS_S:.0f}/s, assumed",
                _bound("at least {:.0f}/s", count * own, prompts_s, slack_s),
            )
        )
        lines.append(
            CardLine(
                f"{stage}: answers",
                answers_s / gain,
                f"{count} x {answer} tokens of {model.name} at {alone:.0f}/s ({_USED:.0%} of the bandwidth), "
                f"{slots} at a time {gain:.2f} x as fast (first guess)",
                _bound("at least {:.0f}/s together", count * answer, answers_s / gain, slack_s),
            )
        )
    told_s = count * _SCORES * card.told_s
    lines.append(
        CardLine(
            "rate: likeliest tokens",
            told_s,
            f"{count} x {_SCORES} tokens of scores at {card.told_s * 1000:.0f} ms: measured with "
            "Ollama 0.24's code for 128,000 words, on one core of a server",
            f"at most {(told_s + slack_s) / (count * _SCORES) * 1000:.0f} ms"
            if told_s + slack_s > 0
            else _ALONE,
        )
    )
    switches = max(1, result.switches)
    most_s = (result.switching_s + slack_s) / switches
    lines.append(
        CardLine(
            "switches",
            result.switching_s,
            f"{switches} with {_START_S} s to start and weights at {card.load_gb_s:.0f} GB/s, assumed",
            f"at most {seconds(most_s)} each" if most_s > 0 else _ALONE,
        )
    )
    all_s = sum(line.takes_s for line in lines)
    lines.append(
        CardLine(
            "in all",
            result.makespan_s,
            f"by the scheduler; the lines alone {seconds(all_s)}",
            f"at most {seconds(GOAL_S * count)}: {'held' if slack_s >= 0 else 'missed'}",
        )
    )
    return tuple(lines)


def _prompt_tokens(plan: Plan, stage: Stage, students: int) -> float:
    """The tokens that are computed for one student's prompt, with the share in what all have in common."""
    shared, own, _ = _TOKENS[stage]
    return own + shared * min(1.0, plan.parallel[stage] / students)


def _parts_s(card: CardFigures, plan: Plan, stage: Stage, students: int) -> tuple[float, float]:
    """The seconds of one student's prompt, and of the answer to it alone."""
    own, answer = _prompt_tokens(plan, stage, students), _TOKENS[stage][-1]
    return own / _PROMPT_TOKENS_S, answer / card.tokens_s(plan.asked.models[stage].weights_mb)


def _loaded_mb(plan: Plan, group: Group) -> float:
    weights = {stage: plan.asked.models[stage].weights_mb for stage in MODELS}
    return sum(weights.get(stage, plan.asked.whisper_mb) for stage in group)


def _bound(text: str, work: float, now_s: float, slack_s: float) -> str:
    """The least speed with which the goal is met, everything else as computed."""
    most_s = now_s + slack_s
    return text.format(work / most_s) if most_s > 0 else _ALONE
