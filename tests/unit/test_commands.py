"""The table of commands, and how a command line is read: every option, every error, every page of help."""

import ast
import errno
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import typer

from daemon.cli.common import Chosen
from daemon.cli.main import run
from daemon.cli.table import ROWS, Group, Row
from daemon.cli.tree import made, program
from daemon.core.errors import NotAllowed, StoreError, UsageError

each_command = pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
HEAVY = {"fastapi", "httpx", "jinja2", "peewee", "rich", "starlette", "structlog", "textual", "uvicorn"}
READING = {"common", "exit_codes", "main", "table", "time_parsing", "tree"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("tasks --limt 2", "no such option: --limt (did you mean --limit?); run: introeval tasks --help"),
        ("tasks -x", "no such option: -x; run: introeval tasks --help"),
        ("tasks --limit", "option '--limit' requires an argument; run: introeval tasks --help"),
        (
            "tasks --limit nine",
            "invalid value for '--limit': it must be a whole number; run: introeval tasks --help",
        ),
        (
            "tasks --limit=501",
            "invalid value for '--limit': it must be less than or equal to 500; run: introeval tasks --help",
        ),
        ("tasks --json=yes", "option '--json' does not take a value; run: introeval tasks --help"),
        (
            "tasks --order x",
            "invalid value for '--order': 'x' is not one of 'age', 'queue', 'student', 'status', 'eta'; "
            "run: introeval tasks --help",
        ),
        ("hold", "missing argument 'ID'; run: introeval hold --help"),
        (
            "accept",
            "missing argument 'inbox|outbox'. Choose from: inbox, outbox; run: introeval accept --help",
        ),
        ("task 1 2", "got unexpected extra argument(s) (2); run: introeval task --help"),
        ("models list 1", "got unexpected extra argument(s) (1); run: introeval models list --help"),
        ("xyz\n", "no such command 'xyz\\n'; run: introeval --help"),
        ("resum", "no such command 'resum'. Did you mean 'resume'? run: introeval --help"),
        ("models pul", "no such command 'pul'. Did you mean 'pull'? run: introeval models --help"),
        ("--confg x status", "no such option: --confg (did you mean --config?); run: introeval --help"),
        ("--config", "option '--config' requires an argument; run: introeval --help"),
        ("retry", "give either task ids or --failed; run: introeval retry --help"),
        ("--config x.toml retry", "give either task ids or --failed; run: introeval retry --help"),
    ],
)
def test_a_usage_error_is_one_line_with_a_code_of_its_own(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words.split(" ")) == UsageError.exit_code
    assert capsys.readouterr() == ("", f"introeval: {told}\n")


@pytest.mark.parametrize(
    "words", ["--config FILE config --json", "config --config FILE --json", "config --json --config=FILE"]
)
def test_the_configuration_is_named_before_and_after_the_command(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chosen, "file", None)
    (tmp_path / "x.toml").write_text("[batch]\nsize = 7\n")
    assert run(words.replace("FILE", str(tmp_path / "x.toml")).split()) == 0
    assert '"size": 7' in capsys.readouterr().out


@pytest.mark.parametrize("words", ["--version", "status --version", "--version status", "models --version"])
def test_the_version_is_told_wherever_it_is_asked(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 0
    assert capsys.readouterr().out.startswith("introeval ")


def test_a_full_or_failing_disk_is_one_line_and_a_fault_of_the_program_is_not_hidden(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(code: int) -> Callable[[Sequence[str]], int]:
        def fails(words: Sequence[str]) -> int:
            raise OSError(code, os.strerror(code), "var/received")

        return fails

    for code in (errno.ENOSPC, errno.EROFS, errno.EIO):
        monkeypatch.setitem(run.__globals__, "execute", execute(code))
        assert run(["serve"]) == StoreError.exit_code
        told = f"introeval: var/received: {os.strerror(code)}; free space there, or check the disk\n"
        assert capsys.readouterr().err == told
    monkeypatch.setitem(run.__globals__, "execute", execute(errno.EBADF))
    with pytest.raises(OSError, match="var/received"):
        run(["serve"])


def test_what_this_account_may_not_read_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(words: Sequence[str]) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "var/models")

    monkeypatch.setitem(run.__globals__, "execute", execute)
    assert run(["models", "list"]) == NotAllowed.exit_code
    told = capsys.readouterr().err
    assert told.startswith("introeval: var/models: Permission denied; run this as an account that may, ")
    assert "sudo -u introeval introeval ..." in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("words", ["", "--help", "models", "models --help"])
def test_without_a_command_the_help_is_printed(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 0
    assert "  models pull  " in capsys.readouterr().out


def test_the_help_lists_every_command_once_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for row in ROWS.values():
        assert len([line for line in lines if line.startswith(f"  {row.name}  ")]) == 1, row.name
        assert [line for line in lines if line.endswith(f"  {row.summary}")], f"the line of {row.name} wraps"
    headings = [f"{group}:" for group in Group]
    assert [line for line in lines if line in headings] == headings


@each_command
def test_each_command_has_a_help_that_fits_and_takes_the_options_of_the_program(
    row: Row, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*row.name.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    command = made(row)
    assert command.help
    names = [each.name for each in command.params]
    assert len(names) == len(set(names)), "an option of the program is declared anew"
    assert {each.name for each in program().params} <= set(names)
    for option, text in filter(
        None, (each.get_help_record(typer.Context(command)) for each in command.params)
    ):
        assert text.partition("[")[0], f"{option} has no help"


@pytest.mark.parametrize(
    ("words", "completed"),
    [("--help", ""), ("models", ""), ("stats", ""), ("--confg", ""), ("", "introeval sta")],
)
def test_no_help_wrong_name_or_completed_name_imports_a_command(words: str, completed: str) -> None:
    loaded = imported(f"run({words.split()})" if words else completing(completed))
    assert {name for name in loaded if name.startswith("daemon.cli.")} - {"daemon.cli.completion"} == {
        f"daemon.cli.{name}" for name in READING
    }
    assert not loaded & (HEAVY - {"rich"})


def test_no_help_and_no_usage_error_of_a_command_imports_its_work() -> None:
    asked = [[*row.name.split(), word] for row in ROWS.values() for word in ("--help", "--bogus")]
    assert not imported(f"for words in {asked}: run(words)") & HEAVY


def test_what_reads_the_database_imports_no_work_of_the_daemon() -> None:
    work = {"daemon.contracts.values", "daemon.core.schedule.scheduler", "daemon.core.intake.students"}
    assert not imported("import daemon.cli.reading, daemon.cli.show, daemon.cli.stored") & work


def test_the_tables_of_the_configuration_are_built_as_parts_of_the_whole(tmp_path: Path) -> None:
    (tmp_path / "introeval.toml").touch()
    code = (
        "import sys; from pathlib import Path; from daemon.config.load import Config, load\n"
        "load(Path(sys.argv[1]), {})\n"
        "built = [each for each in Config.__mro__[1].__subclasses__() if each.__pydantic_complete__]\n"
        "sys.exit(built != [Config])"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "introeval.toml")], check=True)


def test_a_command_searches_no_garbage_and_what_runs_long_does_as_usual() -> None:
    code = (
        "import gc, sys; usual = gc.get_threshold()\n"
        "from daemon.cli import common, main\n"
        "before, sys.argv = gc.get_stats(), ['introeval', 'schema']\n"
        "try: main()\n"
        "except SystemExit: searched = gc.get_stats() != before\n"
        "common.collect_as_usual(); sys.exit(searched or gc.get_threshold() != usual)"
    )
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)


@pytest.mark.parametrize("words", ["tui", "tui --socket here"])
def test_the_dashboard_is_opened_without_the_parser_of_the_commands(words: str) -> None:
    opening = "from daemon.cli import tui; tui.open_or_print = lambda socket: 0"
    assert not imported(f"{opening}; run({words.split()})") & {"typer", "pydantic", "rich"}


def imported(code: str) -> set[str]:
    """The modules that a process has imported after this."""
    whole = f"import sys\nfrom daemon.cli.main import run\n{code}\nprint(list(sys.modules))"
    done = subprocess.run([sys.executable, "-c", whole], text=True, capture_output=True, check=True)
    found: list[str] = ast.literal_eval(done.stdout.splitlines()[-1])
    return set(found)


def completing(line: str) -> str:
    variables = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    asked = "from daemon.cli.completion import answer\nanswer('complete_bash')"
    return f"import os\nos.environ.update({variables})\n{asked}"
