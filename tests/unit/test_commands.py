"""The table of commands, and how a command line is read: every option, every error, every page of help."""

import ast
import inspect
import subprocess
import sys
from typing import Annotated

import pytest

from daemon.cli import help, parse
from daemon.cli.declare import Argument, Option, Parameter, parameters
from daemon.cli.main import SHARED, command_of, run
from daemon.cli.table import ROWS, Group, Row
from daemon.core.errors import UsageError
from daemon.core.tasks.task import Stage

each_command = pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
HEAVY = ("fastapi", "httpx", "peewee", "pydantic", "rich", "starlette", "structlog", "textual", "uvicorn")


def example(
    ids: Annotated[list[int] | None, Argument(metavar="[ID...]")] = None,
    limit: Annotated[int, Option(min=1, max=5, help="The most.")] = 3,
    stage: Annotated[list[Stage] | None, Option(help="Only these.")] = None,
    as_json: Annotated[bool, Option("--json")] = False,
) -> None:
    """An example."""


def read(*words: str) -> dict[str, object]:
    params = parameters(example)
    return parse.values(params, parse.split(params, words))


def test_options_and_arguments_are_mixed_as_one_likes() -> None:
    given = {"ids": [3, 4], "limit": 2, "stage": [Stage.STT, Stage.RATE], "as_json": True}
    assert read("3", "--json", "--limit=2", "4", "--stage", "stt", "--stage=rate") == given
    assert read() == {"ids": None, "limit": 3, "stage": None, "as_json": False}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--limt 2", "there is no option --limt (did you mean --limit?)"),
        ("-x", "there is no option -x"),
        ("--limit", "--limit needs a value: --limit N"),
        ("--limit nine", "--limit must be a whole number, not 'nine'"),
        ("--limit 6", "--limit must be at most 5, not 6"),
        ("--limit=0", "--limit must be at least 1, not 0"),
        ("--json=yes", "--json takes no value"),
        ("--stage rat", "--stage cannot be 'rat' (did you mean rate?)"),
        ("--stage x", "--stage cannot be 'x'; it takes: stt, extract, rate"),
        ("one", "ID must be a whole number, not 'one'"),
    ],
)
def test_each_wrong_word_is_one_line_that_names_it(words: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(*words.split())
    assert str(refused.value) == told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("stats", "there is no command 'stats' (did you mean status?); run: introeval --help"),
        ("models pul", "there is no command 'models pul' (did you mean models pull?); run: introeval --help"),
        ("task", "ID is missing; run: introeval task --help"),
        ("task 1 2", "there is an argument too many: '2'; run: introeval task --help"),
        ("retry", "give either task ids or --failed; run: introeval retry --help"),
        ("rate --al", "there is no option --al (did you mean --all?); run: introeval rate --help"),
        ("models list 1", "there is an argument too many: '1'; run: introeval models list --help"),
        ("--confg x status", "there is no option --confg (did you mean --config?); run: introeval --help"),
        ("tui --refresh 0", "--refresh must be at least 0.2, not 0; run: introeval tui --help"),
    ],
)
def test_a_usage_error_is_one_line_with_a_code_of_its_own(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words.split()) == UsageError.exit_code
    assert capsys.readouterr() == ("", f"introeval: {told}\n")


def test_options_of_the_program_are_taken_before_and_after_the_command() -> None:
    before = command_of(["--config", "x.toml", "models", "pull", "base"])
    after = command_of(["models", "pull", "base", "--config", "x.toml"])
    assert before[:2] == after[:2] == ("models pull", ROWS["models pull"])
    params = [*parameters(ROWS["models pull"].load()), *SHARED]
    assert parse.split(params, before[2]) == parse.split(params, after[2])


@pytest.mark.parametrize("words", ["--version", "status --version", "--version status", "tui --version"])
def test_the_version_is_told_wherever_it_is_asked(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 0
    assert capsys.readouterr().out.startswith("introeval ")


def test_the_help_lists_every_command_once_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for row in ROWS.values():
        assert len([line for line in lines if line.startswith(f"  {row.name} ")]) == 1, row.name
        assert [line for line in lines if line.endswith(f"  {row.summary}")], f"the line of {row.name} wraps"
    assert [line for line in lines if line in list(Group)] == list(Group)


@each_command
def test_each_command_has_a_help_that_fits_and_takes_no_option_of_the_program(
    row: Row, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*row.name.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert inspect.getdoc(row.load())
    own = {param.flag for param in parameters(row.load()) if param.flag}
    assert not own & {param.flag for param in SHARED}
    for param in parameters(row.load()):
        assert param.help or not param.flag, f"{param.flag} has no help"
    assert all(flag in said for flag in own)


def test_no_help_and_no_usage_error_imports_what_a_command_needs_to_run() -> None:
    code = (
        "import sys\nfrom daemon.cli import help\nfrom daemon.cli.main import run\n"
        "from daemon.cli.table import ROWS\n"
        "run(['--help'])\nrun(['tasks', '--bogus'])\n"
        "for row in ROWS.values(): help.command(row, row.load())\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert ast.literal_eval(done.stdout.splitlines()[-1]) == []


def test_a_parameter_shows_its_range_values_and_default() -> None:
    shown = {param.name: (param.metavar, param.help) for param in parameters(example)}
    assert shown["limit"] == ("N", "The most (1 to 5; default: 3).")
    assert shown["stage"] == ("stt|extract|rate", "Only these (can be given more than once).")
    assert help.usage(ROWS["task"], parameters(example)) == "introeval task [OPTIONS] [ID...]"
    assert isinstance(parameters(example)[0], Parameter)
