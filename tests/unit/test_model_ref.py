"""The names of models: one parser, and faster-whisper's own table."""

import importlib.util
from pathlib import Path

import pytest

from daemon.config.load import load
from daemon.core.errors import ConfigError, ModelError
from daemon.core.model_ref import ALIASES, WHISPERS, parse, shards
from daemon.core.tasks.task import Stage
from daemon.models import find_asset


def whisper_table() -> dict[str, str]:
    """The table of the installed faster-whisper, read without importing it."""
    spec = importlib.util.find_spec("faster_whisper")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).with_name("utils.py").read_text()
    begin = source.index("_MODELS = {")
    table: dict[str, dict[str, str]] = {}
    exec(source[begin : source.index("}", begin) + 1], table)  # the program's own dependency
    return table["_MODELS"]


def test_every_name_that_faster_whisper_knows_is_a_model_with_its_repository() -> None:
    assert whisper_table() == {name: parse(name).repo for name in (*WHISPERS, *ALIASES)}
    assert {parse(name).size for name in whisper_table()} == set(WHISPERS)


@pytest.mark.parametrize(
    ("text", "folder", "repo", "files"),
    [
        ("base", "whisper-base", "Systran/faster-whisper-base", ()),
        ("whisper-base", "whisper-base", "Systran/faster-whisper-base", ()),
        ("turbo", "whisper-large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo", ()),
        ("smollm2", "smollm2", "", ()),
        ("ours", "ours", "", ()),
        ("own/name", "own--name", "own/name", ()),
        ("own/name/m.Q4.gguf", "own--name--m.Q4.gguf", "own/name", ("m.Q4.gguf",)),
        ("own/name/q4/m.gguf", "own--name--q4--m.gguf", "own/name", ("q4/m.gguf",)),
    ],
)
def test_a_name_has_one_folder_and_its_place_on_the_hub(
    text: str, folder: str, repo: str, files: tuple[str, ...]
) -> None:
    ref = parse(text)
    assert (ref.folder, ref.repo, ref.files) == (folder, repo, files)
    assert parse(ref.text) == ref


def test_a_split_gguf_is_all_of_its_parts() -> None:
    assert shards("m-00001-of-00003.gguf") == tuple(f"m-0000{n}-of-00003.gguf" for n in (1, 2, 3))
    assert shards("m.gguf") == ("m.gguf",)


@pytest.mark.parametrize(
    "text", ["", "a b", "../", "own/", "/own", "own/name/file.bin", "x/../y", "a\n", "-x"]
)
def test_what_names_no_model_says_what_would(text: str) -> None:
    if text.startswith(("/", "../")):
        assert parse(text).path == text
    else:
        with pytest.raises(ValueError, match="use "):
            parse(text)


def test_a_path_is_one_model_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    names = ["./m.gguf", "~/m.gguf", f"{tmp_path}/m.gguf", f"{tmp_path}/x/../m.gguf"]
    assert len({find_asset(name).name for name in names}) == 1


def test_a_path_in_the_configuration_is_relative_to_its_file(tmp_path: Path) -> None:
    file = tmp_path / "introeval.toml"
    file.write_text('[stt]\nmodel = "./whisper"\n[embedded]\nrate_model = "../rater.gguf"\n')
    config = load(file, {})
    assert config.stt.model == str(tmp_path / "whisper")
    assert find_asset(config.embedded.of(Stage.RATE)).root == tmp_path.parent
    assert config.embedded.of(Stage.EXTRACT) == "smollm2"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[stt]\nmodel = "own/name/m.gguf"', "is a GGUF file; name a Whisper"),
        ('[stt]\nmodel = "no model"', "names no model"),
        ('[embedded]\nmodel = "own/name"', "is no GGUF file; name it"),
        ('[embedded]\nrate_model = "base"', "is no GGUF file; name it"),
        ('[embedded]\nextract_model = "own/name/m.bin"', "use owner/name/file.gguf"),
    ],
)
def test_a_model_of_the_wrong_kind_is_refused_before_anything_starts(
    tmp_path: Path, text: str, why: str
) -> None:
    file = tmp_path / "introeval.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=why) as caught:
        load(file, {})
    assert "\n" not in str(caught.value)


def test_a_name_that_nobody_knows_is_an_error_when_it_is_pulled() -> None:
    asset = find_asset("lagre")
    assert (asset.hub, asset.files, asset.root) == (None, (), None)
    with pytest.raises(ModelError):
        find_asset("a b")
