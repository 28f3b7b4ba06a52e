"""`introeval rubric`: what it shows and refuses, and how it changes the configuration file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.cli.common import Chosen
from daemon.config.edit import with_key
from daemon.config.load import load
from daemon.core.errors import ConfigError
from daemon.llm.prompts import OURS, load_prompt
from daemon.llm.template_check import DELIVERY
from tests.support.commands import Ended, invoke
from tests.support.rights import somebody_else

TEXT = 'n = """\n[prompts]\nfolder = "y"\n"""\n'
SETTINGS = "# the lab's own\n[intake]\nsettle_s = 0.5  # quick\n\n[run]\nstop_grace_s = 3\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab's folder with a configuration and a rubric like ours."""
    (tmp_path / "introeval.toml").write_text(SETTINGS)
    (tmp_path / "rubric").mkdir()
    ours = load_prompt("rate").source
    (tmp_path / "rubric" / "rate.v4.j2").write_text(ours.replace("You are a teacher.", "You are a coach."))
    monkeypatch.setattr(Chosen, "file", tmp_path / "introeval.toml")
    return tmp_path


def rubric(*arguments: object) -> Ended:
    return invoke("rubric", *map(str, arguments))


def test_show_gives_each_template_with_its_variables_and_a_sample(folder: Path) -> None:
    shown = json.loads(rubric("show", "--json").stdout)
    assert [each["name"] for each in shown] == ["extract", "rate"]
    assert all(Path(each["path"]).parent == OURS and each["ours"] for each in shown)
    assert (
        set(shown[1]["variables"])
        == set(shown[1]["used"])
        == {"complaint", "levels", "profile", "question", "scores", "speaking", "transcript"}
    )
    assert f"Delivery: {DELIVERY}" in shown[1]["sample"]
    text = rubric("show", "--stage", "rate").stdout
    assert shown[1]["sample"] in text
    assert shown[1]["sha256"] in text
    assert "extract.v2" not in text


def test_use_changes_one_key_and_leaves_the_rest_of_the_file(folder: Path) -> None:
    file = folder / "introeval.toml"
    file.chmod(0o640)
    assert rubric("use", folder / "rubric").exit_code == 0
    assert load(file, {}).prompts.folder == folder / "rubric"
    assert file.read_text().startswith(SETTINGS)
    assert file.stat().st_mode & 0o777 == 0o640
    assert rubric("use", "ours").exit_code == 0
    assert load(file, {}).prompts.folder is None
    assert [path.name for path in folder.glob("*introeval*")] == ["introeval.toml"]


@pytest.mark.parametrize(
    ("name", "source", "told"),
    [
        ("rate.v4.j2", "{{ transcript }}\n{{ mood }}", "rate.v4.j2, line 2: mood"),
        ("rate.v4.j2", "x " * 20_000 + "{{ levels }}{{ transcript }}", "leaves no room for a transcript"),
        ("extract.v1.j2", "{{ transcript }}{{ profile }}", "extract.v1.j2, line 1: profile"),
    ],
)
def test_a_rubric_that_cannot_be_used_is_not_chosen(folder: Path, name: str, source: str, told: str) -> None:
    (folder / "rubric" / name).write_text(source)
    done = rubric("use", folder / "rubric")
    assert isinstance(done.exception, ConfigError)
    assert told in str(done.exception)
    assert (folder / "introeval.toml").read_text() == SETTINGS
    assert isinstance(rubric("check", folder / "rubric").exception, ConfigError)


def test_a_rubric_that_students_could_write_is_refused_or_told(folder: Path) -> None:
    template = folder / "rubric" / "rate.v4.j2"
    template.chmod(0o646)
    told = json.loads(rubric("check", folder / "rubric", "--json").stdout)
    assert told["folder"] == [f"everybody on this machine may change {template}; run: chmod o-w {template}"]
    inside = folder / "inbox" / "s001"
    inside.mkdir(parents=True)
    (folder / "link").symlink_to(inside)
    for each in (inside, folder / "link"):
        assert "lies in the inbox" in str(rubric("use", each).exception)


def test_a_folder_that_the_daemon_may_not_read_does_not_fall_back_to_ours_in_silence(folder: Path) -> None:
    (folder / "rubric").chmod(0o000)
    with somebody_else(), pytest.raises(ConfigError, match="can't be read: Permission denied"):
        load_prompt("rate", folder / "rubric")
    (folder / "rubric").chmod(0o755)


def test_a_configuration_with_a_rubric_that_cannot_be_used_is_not_valid(folder: Path) -> None:
    assert rubric("use", folder / "rubric").exit_code == 0
    assert invoke("config").exit_code == 0
    (folder / "rubric" / "rate.v4.j2").write_text("{{ transcript }}\n{{ mood }}")
    refused = invoke("config").exception
    assert isinstance(refused, ConfigError)
    assert "rate.v4.j2, line 2: mood is not a variable of rate; it may name complaint" in str(refused)


def test_an_empty_folder_is_told_how_to_begin(folder: Path) -> None:
    (folder / "empty").mkdir()
    done = rubric("use", folder / "empty")
    assert f"cp {OURS}/*.j2" in str(done.exception)
    assert (folder / "introeval.toml").read_text() == SETTINGS


def test_the_environment_is_not_overruled_in_silence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTROEVAL_PROMPTS__FOLDER", str(folder))
    done = rubric("use", folder / "rubric")
    assert "INTROEVAL_PROMPTS__FOLDER in the environment" in str(done.exception)
    assert (folder / "introeval.toml").read_text() == SETTINGS


@pytest.mark.parametrize(
    ("source", "weak"),
    [
        (
            "{{ levels }}<t>{{ transcript }}</t>" + "Read this well. " * 9,
            "come after what differs by student",
        ),
        (
            "{{ levels }}<t>{{ transcript }}</t>" + "Read this. " * 9 + "{{ speaking }}",
            "so the server reads them anew for each",
        ),
        ("Read this, {{ levels }}: {{ transcript }}", "do not stand between tags"),
        (
            "Read this, {{ levels }}: <t>{{ transcript }}</t>",
            "it does not name overall_rating, clarity_of",
        ),
        ("Read this, {{ levels }}: <t>{{ transcript }}</t>", "it does not use speaking"),
        ("Read this, {{ levels }}: <t>{{ transcript }}</t>{{ speaking }}", "it does not use profile"),
        ("Read this, {{ levels }}: <t>{{ transcript }}</t>{{ speaking }}", "it does not use complaint"),
        ("Read this, {{ levels }}: <t>{{ transcript }}</t>{{ speaking }}", "it does not use question"),
    ],
)
def test_what_is_weak_about_a_rubric_is_told_and_does_not_stop_it(
    folder: Path, source: str, weak: str
) -> None:
    (folder / "rubric" / "rate.v5.j2").write_text(source)
    done = rubric("check", folder / "rubric", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert weak in " ".join(told["templates"][1]["weak"])
    assert told["folder"] == ["rate.v4.j2 is not used, since rate.v5.j2 is newer"]


def test_a_short_rubric_with_what_differs_at_its_end_is_not_weak_in_its_order(folder: Path) -> None:
    short = "Read this, {{ levels }}: <t>{{ transcript }}</t>{{ speaking }}{{ profile }}"
    (folder / "rubric" / "rate.v4.j2").write_text(short)
    told = json.loads(rubric("check", folder / "rubric", "--json").stdout)
    assert "differs by student" not in " ".join(told["templates"][1]["weak"])


def test_ours_is_not_weak(folder: Path) -> None:
    told = json.loads(rubric("check", "--json").stdout)
    assert [each["weak"] for each in told["templates"]] == [[], []]
    assert told["folder"] == []


def test_diff_shows_the_lines_and_what_rests_on_each(folder: Path) -> None:
    extract, rate = json.loads(rubric("diff", "ours", folder / "rubric", "--json").stdout)
    assert extract["diff"] == []
    assert [line[:17] for line in rate["diff"] if line[:1] in "+-"][2:] == [
        "-You are a teache",
        "+You are a coach.",
    ]
    assert (rate["before"]["title"], rate["after"]["title"]) == ("rate.v4", "rate.v4")
    assert "extract: the same text" in rubric("diff", "ours", folder / "rubric").stdout


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[prompts]\nfolder = "x"\n'),
        ("a = 1\n", 'a = 1\n\n[prompts]\nfolder = "x"\n'),
        ("[prompts]  # ours\n[run]\n", '[prompts]  # ours\nfolder = "x"\n[run]\n'),
        ("[prompts]\n# folder = 1\nfolder = 'y' # why\n", '[prompts]\n# folder = 1\nfolder = "x"  # why\n'),
        ("prompts.folder = 'y'\n", 'prompts.folder = "x"\n'),
        (TEXT, f'{TEXT}\n[prompts]\nfolder = "x"\n'),
        ("[other]\nfolder = 'y'\n[prompts]\n", "[other]\nfolder = 'y'\n[prompts]\nfolder = \"x\"\n"),
        ("[prompts]", '[prompts]\nfolder = "x"\n'),
        ("[prompts]\nfolder = 'x'\n", "[prompts]\nfolder = 'x'\n"),
    ],
)  # fmt: skip
def test_a_key_is_set_where_it_belongs(before: str, after: str) -> None:
    assert with_key(before, "prompts", "folder", "x") == after


def test_a_file_that_cannot_be_edited_safely_is_left_to_its_owner() -> None:
    with pytest.raises(ConfigError, match="by hand"):
        with_key("prompts = { folder = 'y' }\n", "prompts", "folder", "x")


def test_the_commands_load_nothing_heavy_before_they_run() -> None:
    look = "import sys, daemon.cli.rubric; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
