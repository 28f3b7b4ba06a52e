import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.content.untrusted import neutralise
from daemon.core.errors import ConfigError
from daemon.llm.prompts import load_prompt
from daemon.llm.template_check import PromptName

NAMES: list[PromptName] = ["extract", "rate"]
TEMPLATES = Path(__file__).parents[2] / "daemon" / "llm" / "templates"
ONE = "I am Mira and I like chess."
OTHER = "My name is Bo. " * 30


WITH = {"speaking": "10 s of speech", "profile": '{"name": "Mira"}'}


def shared_head(one: str, other: str) -> int:
    return next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)


@pytest.mark.parametrize("name", NAMES)
def test_ours_are_versioned_and_hashed(name: PromptName) -> None:
    prompt = load_prompt(name)
    file = TEMPLATES / f"{name}.{prompt.version}.j2"
    assert prompt.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_the_same_for_all_comes_first_and_the_transcript_last(name: PromptName) -> None:
    prompt = load_prompt(name)
    one = prompt.render(ONE, **(WITH if name == "rate" else {}))
    other = prompt.render(OTHER, **({**WITH, "profile": "none"} if name == "rate" else {}))
    head = shared_head(one, other)
    assert head > 0.75 * len(one.partition(ONE)[0])
    tail = one.partition(ONE)[2]
    assert tail == other.partition(OTHER)[2]
    assert tail.lstrip().startswith("</transcript>")
    assert tail.count("\n") <= 3


def test_both_questions_about_a_student_are_the_same_up_to_the_transcripts_end() -> None:
    prompt = load_prompt("rate")
    confidence = prompt.render(ONE, question="confidence", profile=WITH["profile"])
    rating = prompt.render(ONE, question="rating", **WITH)
    head = rating[: shared_head(confidence, rating)]
    assert head.rstrip().endswith(f"{ONE}\n</transcript>")
    assert WITH["speaking"] not in confidence
    assert confidence.endswith("Confidence:")
    assert rating.endswith("Rating:")


@pytest.mark.parametrize("name", NAMES)
def test_a_complaint_stands_after_the_transcript(name: PromptName) -> None:
    prompt = load_prompt(name)
    text = prompt.render(ONE, complaint="age: Input should be a valid integer")
    assert text.index(ONE) < text.index("age: Input should be a valid integer")
    assert text.startswith(prompt.render(ONE).partition(ONE)[0])


@given(st.text(max_size=200))
def test_no_transcript_can_end_its_delimiter(text: str) -> None:
    prompt = load_prompt("extract")
    assert prompt.render(neutralise(text)).count("</transcript>") == prompt.render("Hello").count(
        "</transcript>"
    )


def test_a_transcript_is_no_template() -> None:
    assert "{{ 7 * 7 }}" in load_prompt("extract").render("{{ 7 * 7 }}")


def test_a_labs_folder_takes_the_place_of_ours_by_name(tmp_path: Path) -> None:
    (tmp_path / "rate.v2.j2").write_text("Old, {{ levels }}. {{ transcript }}\n")
    (tmp_path / "rate.v10.j2").write_text("Grade kindly, {{ levels }}. {{ transcript }}\n{{ speaking }}")
    prompt = load_prompt("rate", tmp_path)
    assert (prompt.version, prompt.render(ONE, speaking="fast")) == (
        "v10",
        f"Grade kindly, 1 to 9. {ONE}\nfast",
    )
    assert load_prompt("extract", tmp_path) == load_prompt("extract")


def test_a_labs_rubric_may_name_the_form_or_leave_it_out(tmp_path: Path) -> None:
    (tmp_path / "rate.v4.j2").write_text("{{ levels }} {{ transcript }}\n{{ profile }}")
    assert (
        load_prompt("rate", tmp_path).render(ONE, profile='{"name": "Bo"}')
        == f'1 to 9 {ONE}\n{{"name": "Bo"}}'
    )
    (tmp_path / "rate.v4.j2").write_text("{{ levels }} {{ transcript }}")
    assert load_prompt("rate", tmp_path).render(ONE, profile='{"name": "Bo"}') == f"1 to 9 {ONE}"


@pytest.mark.parametrize(
    "source",
    [
        "No place for it.",
        "{{ transcript",
        "{{ transcript }} {{ mood }}",
        "{{ transcript }}{% if complaint %}{{ mood }}{% endif %}",
        "{{ transcript }}{% if complaint %}{{ complaint.mood }}{% endif %}",
        "{{ transcript }} {{ profile }}",
        "{{ transcript }}{{ transcript }}",
    ],
)
def test_a_template_that_cant_be_used_is_a_configuration_error(tmp_path: Path, source: str) -> None:
    (tmp_path / "extract.v1.j2").write_text(source)
    with pytest.raises(ConfigError, match=r"extract\.v1\.j2"):
        load_prompt("extract", tmp_path)


def test_a_folder_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing can't be read: No such file"):
        load_prompt("rate", tmp_path / "missing")
