"""Models of the hub: the real huggingface-hub client against a hub of the tests' own; no network."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from daemon.core.errors import ModelError
from daemon.models import find_asset, weights_of
from daemon.models.catalog import Asset, HubFiles
from daemon.models.installed import MANIFEST
from daemon.models.pull import pull
from tests.integration.test_pull import ASSET, CHECKOUT, CONFIG, WEIGHTS_1, WEIGHTS_2, Seen, everything_in
from tests.integration.test_pull import wheels as wheels
from tests.support.hub import ModelHub, serving, tiny_gguf, tiny_whisper

WHISPER = "lab/whisper-tiny"
GGUF = "lab/rater/rater.Q4.gguf"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "state" / "models"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """A hub that the client of this process asks, as HF_ENDPOINT and HF_HOME would have it."""
    with serving(ModelHub()) as running:
        use_hub(monkeypatch, running.url, tmp_path / "hf")
        yield running


def use_hub(monkeypatch: pytest.MonkeyPatch, url: str, home: Path) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)  # 10 MB: what a break may cost
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


def get(name: str, models: Path, **options: object) -> Path:
    return pull(find_asset(name), models, Seen(), **options)  # type: ignore[arg-type]


def flip(path: Path) -> None:
    """Change one byte in the middle, with the times as they were."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(before.st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(before.st_size // 2)
        stream.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# The whole way, and the pins


def test_a_whisper_comes_with_what_its_engine_takes_and_is_pinned(hub: ModelHub, models: Path) -> None:
    commit = hub.publish(WHISPER, files := tiny_whisper())
    folder = get(WHISPER, models)
    taken = {name: content for name, content in files.items() if name != "README.md"}
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST} == taken
    weights = weights_of(models, WHISPER)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    assert manifest["files"]["model.bin"]["sha256"] == weights.verify()
    assert (manifest["revision"], weights.revision, manifest["from"]) == (commit, commit, [WHISPER])


def test_a_name_that_faster_whisper_knows_is_a_repository(hub: ModelHub, models: Path) -> None:
    hub.publish("mobiuslabsgmbh/faster-whisper-large-v3-turbo", tiny_whisper())
    assert get("turbo", models) == models / "whisper-large-v3-turbo"
    assert (models / "whisper-large-v3-turbo" / "preprocessor_config.json").is_file()


def test_a_gguf_is_one_file_of_its_repository(hub: ModelHub, models: Path) -> None:
    hub.publish("lab/rater", {"rater.Q4.gguf": tiny_gguf(), "rater.Q8.gguf": tiny_gguf(b"two")})
    path = get(GGUF, models)
    assert path.name == "rater.Q4.gguf"
    assert path.read_bytes() == tiny_gguf()
    assert hub.asked("rater.Q8.gguf") == []


def test_a_split_gguf_is_fetched_whole(hub: ModelHub, models: Path) -> None:
    names = [f"big-0000{n}-of-00002.gguf" for n in (1, 2)]
    hub.publish("lab/big", {name: tiny_gguf(name.encode()) for name in names})
    path = get(f"lab/big/{names[0]}", models)
    assert path.name == names[0]
    assert sorted(each.name for each in path.parent.glob("*.gguf")) == names


@pytest.mark.parametrize("name", [WHISPER, GGUF])
def test_what_is_not_what_it_claims_is_not_stored(hub: ModelHub, models: Path, name: str) -> None:
    hub.publish(WHISPER, {**tiny_whisper(), "model.bin": b"<html>" * 200_000})
    hub.publish("lab/rater", {"rater.Q4.gguf": b"<html>" * 200_000})
    with pytest.raises(ModelError, match="is not a"):
        get(name, models)
    assert not [path for path in everything_in(models) if not path.startswith(".")]


def test_what_is_here_is_not_asked_for_again_whatever_the_publisher_does(hub: ModelHub, models: Path) -> None:
    hub.publish(WHISPER, tiny_whisper())
    get(WHISPER, models)
    hub.publish(WHISPER, tiny_whisper(b"another"))
    before = len(hub.requests)
    get(WHISPER, models)
    assert len(hub.requests) == before


def test_damaged_bytes_are_refused_at_the_load_and_come_back_from_the_pinned_commit(
    hub: ModelHub, models: Path
) -> None:
    hub.publish(WHISPER, files := tiny_whisper())
    folder = get(WHISPER, models)
    hub.publish(WHISPER, tiny_whisper(b"another"))
    weights = weights_of(models, WHISPER)
    digest = weights.verify()
    flip(folder / "model.bin")
    with pytest.raises(
        ModelError, match=r"model\.bin is not what was pinned .* run: .* --verify lab/whisper"
    ):
        weights.verify()
    get(WHISPER, models, verify=True)
    assert weights.verify() == digest
    assert (folder / "model.bin").read_bytes() == files["model.bin"]


def test_changed_bytes_under_the_pinned_commit_are_refused(hub: ModelHub, models: Path) -> None:
    commit = hub.publish(WHISPER, tiny_whisper())
    folder = get(WHISPER, models)
    (folder / "model.bin").write_bytes(b"lost")
    hub.commits[WHISPER][commit] = tiny_whisper(b"rewritten")
    with pytest.raises(ModelError, match="is not what was pinned, so nothing was stored; if the publisher's"):
        get(WHISPER, models)
    assert hub.asked("model.bin") == [""]  # seen before a byte of it was fetched
    assert (folder / "model.bin").read_bytes() == b"lost"


def test_bytes_that_change_on_their_way_are_refused(hub: ModelHub, models: Path) -> None:
    hub.publish(WHISPER, files := tiny_whisper())
    hub.altered["model.bin"] = bytes(len(files["model.bin"]))
    with pytest.raises(ModelError, match="came with other bytes than the hub announced"):
        get(WHISPER, models)
    hub.altered.clear()
    assert get(WHISPER, models).is_dir()


# What breaks off


def test_a_connection_that_breaks_goes_on_where_it_was(hub: ModelHub, models: Path) -> None:
    hub.publish("lab/rater", {"rater.Q4.gguf": tiny_gguf()})
    hub.cuts["rater.Q4.gguf"] = 600_000
    assert get(GGUF, models).read_bytes() == tiny_gguf()
    assert hub.asked("rater.Q4.gguf") == ["", "bytes=600000-"]


def test_a_pull_that_failed_is_continued_by_the_next(hub: ModelHub, models: Path) -> None:
    hub.publish(WHISPER, files := tiny_whisper())
    hub.cuts["model.bin"] = 600_000
    seen = Seen()

    def break_down(step: object, done: int, total: int) -> None:
        seen(step, done, total)  # type: ignore[arg-type]
        if done >= 600_000:
            hub.broken.add("model.bin")

    with pytest.raises(ModelError, match=r"came to 1 of 3 MB: .*; run it again to continue"):
        pull(find_asset(WHISPER), models, break_down)
    assert not (models / "lab--whisper-tiny").exists()
    hub.broken.clear()
    hub.requests.clear()
    folder = get(WHISPER, models)
    assert hub.asked("model.bin") == ["bytes=600000-"]
    assert (folder / "model.bin").read_bytes() == files["model.bin"]
    assert {name.split("/")[0] for name in everything_in(models)} == {"lab--whisper-tiny"}


# Without the hub


def test_offline_afterwards_all_goes_on(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(ModelHub()) as hub:
        use_hub(monkeypatch, hub.url, tmp_path / "hf")
        hub.publish(WHISPER, tiny_whisper())
        folder = get(WHISPER, models)
    assert weights_of(models, WHISPER).verify()
    assert get(WHISPER, models, verify=True) == folder
    with pytest.raises(ModelError, match=r"the model hub cannot be reached .*; check the network and HF_"):
        get("lab/other", models)


def test_a_cache_that_was_carried_here_does_without_the_hub(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(ModelHub()) as hub:
        use_hub(monkeypatch, hub.url, tmp_path / "hf")
        commit = hub.publish(WHISPER, files := tiny_whisper())
        for name in files:
            huggingface_hub.hf_hub_download(WHISPER, name)
    folder = get(WHISPER, models)
    assert (folder / "model.bin").read_bytes() == files["model.bin"]
    assert weights_of(models, WHISPER).revision == commit


def catalogued(repo: str = "lab/pinned") -> Asset:
    return replace(ASSET, hub=HubFiles(repo, ("model.bin", "config.json")))


def test_the_catalogs_bytes_are_taken_from_the_hub_and_no_wheel_is_asked_for(
    hub: ModelHub, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    hub.publish("lab/pinned", {"model.bin": WEIGHTS_1 + WEIGHTS_2, "config.json": CONFIG})
    said: list[str] = []
    # These bytes are noise, so that only what is pinned says that they are a model.
    monkeypatch.setattr("daemon.models.pull.model_files", lambda path: ())
    pull(catalogued(), models, Seen(), say=said.append)
    assert (models / "test-model" / "model.bin").read_bytes() == WEIGHTS_1 + WEIGHTS_2
    assert said == []


@pytest.mark.parametrize("hubs", ["other bytes", "no repository", "nobody there"])
def test_wheels_are_taken_where_the_hub_has_not_the_pinned_bytes(
    hub: ModelHub, models: Path, wheels: Path, hubs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    if hubs == "other bytes":
        hub.publish("lab/pinned", {"model.bin": bytes(4_500_000), "config.json": CONFIG})
    elif hubs == "nobody there":
        use_hub(monkeypatch, "http://127.0.0.1:9", models.parent / "hf")
    said: list[str] = []
    pull(catalogued(), models, Seen(), say=said.append)
    assert (models / "test-model" / "model.bin").read_bytes() == WEIGHTS_1 + WEIGHTS_2
    (line,) = said
    assert line.endswith("test-model is taken from its pinned wheels")
    assert hub.asked("model.bin") == []


def test_a_repository_that_is_not_there_is_one_line(hub: ModelHub, models: Path) -> None:
    with pytest.raises(
        ModelError, match=r"the hub does not give lab/none \(.*\); check the name, HF_TOKEN and"
    ):
        get("lab/none", models)
    hub.publish("lab/empty", {"README.md": b""})
    with pytest.raises(ModelError, match=r"the hub's repository lab/empty has no .*; correct the model"):
        get("lab/empty", models)


# As an operator has it: the program, and the client's own settings


def test_the_program_pulls_each_stages_model_by_the_clients_own_settings(tmp_path: Path) -> None:
    (tmp_path / "introeval.toml").write_text(
        f'[stt]\nmodel = "{WHISPER}"\n[embedded]\nextract_model = "{GGUF}"\nrate_model = "./mine.gguf"\n'
    )
    (tmp_path / "mine.gguf").write_bytes(tiny_gguf(b"mine"))
    with serving(ModelHub()) as hub:
        hub.publish(WHISPER, tiny_whisper())
        hub.publish("lab/rater", {"rater.Q4.gguf": tiny_gguf()})
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": "hf_secret"}
        pulled = subprocess.run(
            [sys.executable, "-m", "daemon", "models", "pull", "--json"],
            cwd=tmp_path,
            env=environment | {"PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    rows = {row["name"]: row for row in json.loads(pulled.stdout)}
    assert list(rows) == [WHISPER, GGUF, str(tmp_path / "mine.gguf")]
    assert all(row["here"] and row["needed"] and len(row["sha256"]) == 64 for row in rows.values())
    assert rows[GGUF]["revision"]
    assert {token for path, token in hub.tokens.items() if "/lab/" in path} == {"Bearer hf_secret"}
    assert pulled.stderr == ""
