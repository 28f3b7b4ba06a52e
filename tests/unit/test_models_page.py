"""MODELS.md says which models fit which card, by the arithmetic that `introeval doctor` and the daemon use.

`INTROEVAL_WRITE_DOCS=1 pytest tests/unit/test_models_page.py` writes its tables anew.
"""

import os
from pathlib import Path

from daemon.core.model_ref import WHISPERS
from daemon.core.schedule.memory import KNOWN, MB, ModelNeed, capacity_mb, known_model, whisper_mb
from daemon.core.schedule.residency import MODELS, PlanInputs, Wish, make_plan
from daemon.core.tasks.task import Stage

PAGE = Path(__file__).resolve().parents[2] / "MODELS.md"
BEGIN, END = "<!-- tables: written by tests/unit/test_models_page.py -->", "<!-- end of the tables -->"
CARDS_GB = (6, 8, 12, 16, 24)
WEIGHTS_GB = {"3B in Q4": 2.0, "8B in Q4": 4.9, "8B in Q8": 8.5, "14B in Q4": 9.0, "24B in Q4": 14.3}


def test_the_tables_are_those_of_the_arithmetic() -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page = f"{before}{BEGIN}\n\n{whispers()}\n{language_models()}\n{END}{after}"
    if os.environ.get("INTROEVAL_WRITE_DOCS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "write it anew with INTROEVAL_WRITE_DOCS=1"


def test_a_file_of_that_size_counts_as_the_model_of_that_size() -> None:
    for name, whisper in WHISPERS.items():
        assert whisper_mb("ours", parameters=whisper.millions * 10**6) == whisper_mb(name)
    assert whisper_mb("distil-small.en") < whisper_mb("small.en")
    assert whisper_mb("large-v3-turbo") < whisper_mb("medium") * 1.1
    assert whisper_mb("turbo") == whisper_mb("large-v3-turbo")


def whispers() -> str:
    """A row for each Whisper: its memory, and the widest type that fits each card beside nothing else."""
    lines = [
        "| Whisper | million parameters | `int8_float16` | `float16` | " + " | ".join(headings()) + " |",
        "| --- " * (4 + len(CARDS_GB)) + "|",
    ]
    for name, whisper in WHISPERS.items():
        need = {form: whisper_mb(name, form) for form in ("float16", "int8_float16")}
        fits = [
            next((form for form, mb in need.items() if mb <= capacity_mb(card * 1024)), "no")
            for card in CARDS_GB
        ]
        figures = f"{need['int8_float16'] / 1024:.1f} GB | {need['float16'] / 1024:.1f} GB"
        lines.append(f"| {name} | {whisper.millions} | {figures} | {' | '.join(fits)} |")
    return "\n".join(lines) + "\n"


def language_models() -> str:
    """A row for each pair of language models: how the daemon loads them on each card."""
    lines = [
        "| extract and rate | weights | " + " | ".join(headings()) + " |",
        "| --- " * (2 + len(CARDS_GB)) + "|",
    ]
    pairs = {"mistral, llama3": (KNOWN["mistral"], KNOWN["llama3"])}
    for name, size in WEIGHTS_GB.items():
        need = ModelNeed(name, size * 1e9 / MB, known_model("").kv_bytes_per_token)
        pairs[f"two of {name}"] = need, need
    for name, needs in pairs.items():
        weights = " + ".join(f"{need.weights_mb / 1024:.1f}" for need in needs)
        cells = [placed(needs, card) for card in CARDS_GB]
        lines.append(f"| {name} | {weights} GB | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def placed(needs: tuple[ModelNeed, ModelNeed], card_gb: int) -> str:
    """The plan for a card, in a few words."""
    models = dict(zip(MODELS, needs, strict=True))
    wishes = {stage: Wish() for stage in MODELS}
    plan = make_plan(PlanInputs(card_gb * 1024, whisper_mb("base"), models, wishes))
    if not plan.fits:
        return "no"
    at_once = sorted({plan.parallel[stage] for stage in MODELS})
    together = any(set(MODELS) <= group for group in plan.groups)
    never_switched = len(plan.groups) == 1 and set(Stage) == plan.groups[0]
    how = "all loaded" if never_switched else "side by side" if together else "one by one"
    return f"{how}, {' and '.join(map(str, at_once))} at a time"


def headings() -> list[str]:
    return [f"{card} GB" for card in CARDS_GB]
