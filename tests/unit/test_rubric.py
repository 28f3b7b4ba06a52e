"""Which text a class is asked with, and what is wrong with a template."""

import os
import re
from pathlib import Path

import pytest

from daemon.core.alarms import Trouble
from daemon.core.errors import ConfigError
from daemon.llm.prompts import NAMES, OURS, load_prompt, load_prompts, unread
from daemon.llm.rubric import Rubric
from daemon.llm.rubric_advice import advice
from daemon.llm.template_check import VARIABLES, PromptName, faults

KIND, STRICT = "Be kind, {{ levels }}. {{ transcript }}", "Be just, {{ levels }}. {{ transcript }}"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("{{ transcript }}\n\n{{ mood }}", "line 3: mood is not a variable of rate; it may name complaint, "),
        ("{{ transcript }}\n{% if speaking %}", "line 2: "),
        ("{{ transcript }}{{ speaking|lower }}\n{{ profile|shout }}", "line 2: No filter named 'shout'"),
        ("{{ transcript }}\n{% if complaint %}\n{{ complaint.mood }}{% endif %}", "line 3: "),
        ("{{ transcript }}\n{% if profile == 'x' %}\n{{ 1 / 0 }}{% endif %}", "line 3: division by zero"),
        ("{{ transcript }}{% if not profile %}{% elif not speaking %}\n{{ profile.x }}{% endif %}", "line"),
        ("{{ transcript }}\n{{ 'a' if complaint else profile.b }}", "line 2: "),
        ("{{ transcript }}\n{% include 'other.j2' %}", "line 2: "),
        ("{{ transcript }}\n{{ [1, 2]|random }}", "line 2: "),
        ("{{ transcript }}\n{{ lipsum() }}", "line 2: lipsum"),
        ("{{ transcript }}{{ ''.__class__ }}", "line 1: "),
        ("{{ transcript }}{% for n in range(10**9) %}{% endfor %}", "line 1: "),
        ("No place for it.", "0 times; give them once"),
        ("{{ transcript }}{{ transcript }}", "2 times; give them once"),
        ("{{ transcript[:900] }}", "0 times when they are long"),
        ("{{ transcript|truncate(300) }}", "0 times when they are long"),
        ("{{ transcript }}{{ transcript.split('said')[1] }}", "line 1: "),
        ("{{ transcript }}{{ speaking.split('um ')[1] }}", "line 1: "),
        ("{{ transcript|lower }}", "0 times; "),
        ("{{ transcript|e }}", "0 times; "),
        ("{% if not complaint %}{{ transcript }}{% endif %}", "0 times when the question is asked again"),
    ],
)  # fmt: skip
def test_a_template_that_fails_for_any_student_is_refused_with_its_line(source: str, line: str) -> None:
    assert any(line in fault for fault in faults("rate", source)), faults("rate", source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ levels }}{{ transcript }}",
        "{{ levels }}{{ transcript }}{% if complaint %}{{ complaint.split(';')[0] }}{% endif %}",
        "{{ levels }}{% if not transcript %}nothing{% else %}{{ transcript }}{% endif %}",
        "{% set said = transcript %}{{ said }} {{ levels|upper }}",
        "{% macro quote(it) %}<{{ it }}>{% endmacro %}{{ quote(transcript) }}{{ levels }}",
        "{% for each in ['a', 'b'] %}{{ loop.index }}{{ each }}{% endfor %}{{ levels }}{{ transcript }}",
        "{# note #}{% raw %}{{ mood }}{% endraw %}{{ transcript }}{% if levels %}{% endif %}",
    ],
)
def test_a_template_that_works_for_every_student_is_not_refused(source: str) -> None:
    assert faults("rate", source) == []


def test_a_template_that_passes_its_check_is_measured_with_what_was_tried(tmp_path: Path) -> None:
    odd = "{{ levels }}{{ transcript }}{{ profile[0] }}{{ 1 / (profile|length - 1200) }}"
    (tmp_path / "rate.v1.j2").write_text(odd)
    prompt = load_prompt("rate", tmp_path)
    assert prompt.chars(1200) - prompt.chars(0) == 1200
    assert advice(prompt)


def test_a_mark_of_an_editor_at_the_beginning_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "rate.v1.j2").write_bytes(b"\xef\xbb\xbf" + KIND.encode())
    assert load_prompt("rate", tmp_path).render("Hi.") == "Be kind, 1 to 9. Hi."


def test_the_faults_of_both_templates_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "rate.v1.j2").write_text("{{ transcript }}{{ mood }}\n{{ age }}")
    (tmp_path / "extract.v1.j2").write_text("{{ transcript }}{{ speaking }}")
    with pytest.raises(ConfigError) as caught:
        load_prompts(tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.partition(" is not")[0].rpartition(": ")[2] for line in lines] == ["speaking", "mood", "age"]


def test_the_page_describes_the_variables_as_they_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "rubric.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (both|`rate`|`extract`) \| (.*) \|$", page, re.MULTILINE)
    others: dict[PromptName, str] = {"rate": "`extract`", "extract": "`rate`"}
    for name, other in others.items():
        assert {each: about for each, where, about in rows if where != other} == VARIABLES[name]


def test_files_of_the_folder_that_are_not_read_are_named(tmp_path: Path) -> None:
    for name in ("rate.v2.j2", "rate.v10.j2", "rate.v010.j2", "rate.j2", "extract.v1.txt", "notes.pdf"):
        (tmp_path / name).write_text(KIND)
    told = unread(tmp_path)
    assert [line.partition(" is not used")[0] for line in told] == [
        "extract.v1.txt",
        "rate.j2",
        "rate.v010.j2",
        "rate.v2.j2",
    ]
    assert "rate.v10.j2 is newer" in told[-1]


def rubric(folder: Path, text: str = KIND) -> tuple[Rubric, dict[str, str | None]]:
    (folder / "rate.v1.j2").write_text(text)
    alarms: dict[str, str | None] = {}

    def on_alarm(code: str, trouble: Trouble | None) -> None:
        alarms[code] = str(trouble) if trouble else None

    return Rubric(folder, on_alarm), alarms


def test_a_class_keeps_the_text_of_its_first_question(tmp_path: Path) -> None:
    rubric_, alarms = rubric(tmp_path)
    assert rubric_.text("rate", asking=True).source == KIND
    (tmp_path / "rate.v1.j2").write_text(STRICT)
    assert rubric_.text("rate", asking=True).source == KIND
    assert "rate.v1.j2" in (alarms["rubric"] or "")
    rubric_.end_class()
    assert alarms["rubric"] is None
    assert rubric_.text("rate", asking=True).source == STRICT


def test_an_engine_that_starts_does_not_begin_a_class(tmp_path: Path) -> None:
    rubric_, alarms = rubric(tmp_path)
    rubric_.text("rate")
    (tmp_path / "rate.v1.j2").write_text(STRICT)
    assert rubric_.text("rate", asking=True).source == STRICT
    assert alarms["rubric"] is None


def test_an_edit_that_is_taken_back_is_no_change(tmp_path: Path) -> None:
    rubric_, alarms = rubric(tmp_path)
    rubric_.text("rate", asking=True)
    for text in (STRICT, KIND):
        (tmp_path / "rate.v1.j2").write_text(text)
        rubric_.text("rate", asking=True)
    assert alarms["rubric"] is None
    assert rubric_.renew() == []


def test_an_edit_is_seen_though_size_and_time_are_as_before(tmp_path: Path) -> None:
    rubric_, _ = rubric(tmp_path)
    file = tmp_path / "rate.v1.j2"
    was = file.stat()
    file.write_text(STRICT)
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert len(STRICT) == len(KIND)
    assert [prompt.source for prompt in rubric_.renew()] == [STRICT]


def test_a_newer_version_and_a_removed_one_are_edits_too(tmp_path: Path) -> None:
    rubric_, _ = rubric(tmp_path)
    (tmp_path / "rate.v2.j2").write_text(STRICT)
    assert [prompt.title for prompt in rubric_.renew()] == ["rate.v2"]
    (tmp_path / "rate.v2.j2").unlink()
    (tmp_path / "rate.v1.j2").unlink()
    assert [prompt.path.parent for prompt in rubric_.renew()] == [OURS]


def test_a_folder_that_is_away_leaves_the_texts_in_use(tmp_path: Path) -> None:
    folder = tmp_path / "rubric"
    folder.mkdir()
    rubric_, alarms = rubric(folder)
    folder.rename(tmp_path / "elsewhere")
    assert rubric_.text("rate", asking=True).source == KIND
    assert "can't be read: No such file" in (alarms["rubric"] or "")
    with pytest.raises(ConfigError, match="nothing is rated again"):
        rubric_.check()
    (tmp_path / "elsewhere").rename(folder)
    assert rubric_.renew() == []
    assert alarms["rubric"] is None


def test_what_is_not_edited_is_not_read_again(tmp_path: Path) -> None:
    rubric_, _ = rubric(tmp_path)
    first = {name: rubric_.text(name) for name in NAMES}
    assert all(rubric_.text(name) is first[name] for name in NAMES)
    assert first["extract"] == load_prompt("extract")
