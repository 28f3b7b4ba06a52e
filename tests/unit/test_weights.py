"""The bytes of a model against their pins, and the heads of its files."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from daemon.core.errors import ModelError
from daemon.core.schedule.memory import MB, known_model, whisper_mb
from daemon.models import find_asset
from daemon.models.adopting import add, model_files
from daemon.models.headers import gguf_head, whisper_parameters
from daemon.models.needs import gguf_need, whisper_need_mb
from daemon.system.weights import Weights
from tests.support.hub import tiny_gguf, tiny_whisper


def pinned(folder: Path) -> tuple[Weights, Path]:
    file = folder / "model.gguf"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    return Weights(file, {file: digest}, file, fix="run: it again"), file


def test_bytes_that_nobody_touched_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, file = pinned(tmp_path)
    hashed: list[Any] = []
    real = hashlib.file_digest

    def count(*args: Any) -> Any:
        hashed.append(args)
        return real(*args)

    monkeypatch.setattr(hashlib, "file_digest", count)
    assert weights.verify() == weights.verify() == hashlib.sha256(b"weights").hexdigest()
    assert len(hashed) == 1
    file.chmod(0o600)  # its ctime is another
    weights.verify()
    assert len(hashed) == 2


@pytest.mark.parametrize("change", ["in place", "replaced", "gone"])
def test_other_bytes_are_one_line_even_with_the_same_size_and_time(tmp_path: Path, change: str) -> None:
    weights, file = pinned(tmp_path)
    weights.verify()
    before = file.stat()
    if change == "gone":
        file.unlink()
    elif change == "in place":
        file.write_bytes(b"WEIGHTS")
    else:
        other = tmp_path / "other"
        other.write_bytes(b"WEIGHTS")
        other.replace(file)
    if change != "gone":
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(
        ModelError, match=r"(is not what was pinned|cannot be read).*; run: it again$"
    ) as caught:
        weights.verify()
    assert "\n" not in str(caught.value)


def test_the_heads_give_the_figures_of_the_memory(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(tiny_whisper(size=1_000_000)["model.bin"])
    (tmp_path / "model.gguf").write_bytes(tiny_gguf())
    assert whisper_parameters(tmp_path / "model.bin") == 1_000_000
    head = gguf_head(tmp_path / "model.gguf")
    assert (head.context, head.kv_bytes_per_token) == (2048, 2 * 4 * (16 + 16) * 2)


@pytest.mark.parametrize(
    "content", [b"", b"GGUF", b"GGUF" + b"\xff" * 40, b"<html>", b"\x06\0\0\0\x0c\0Whis"]
)
def test_a_head_that_is_none_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    for read in (whisper_parameters, gguf_head):
        with pytest.raises(ModelError, match="is not a"):
            read(file)


@pytest.mark.parametrize("cut", range(4, 220, 12))
def test_a_head_that_is_cut_short_is_one_line(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(tiny_gguf(size=0)[:cut])
    with pytest.raises(ModelError):
        gguf_head(file)


def test_a_split_gguf_needs_all_its_parts(tmp_path: Path) -> None:
    first = tmp_path / "m-00001-of-00002.gguf"
    first.write_bytes(tiny_gguf())
    with pytest.raises(ModelError, match=r"m-00002-of-00002\.gguf cannot be read"):
        model_files(first)


def test_a_model_of_another_name_needs_what_its_file_says(tmp_path: Path) -> None:
    models, brought = tmp_path / "models", tmp_path / "brought"
    brought.mkdir()
    for name, content in tiny_whisper(size=2_000_000).items():
        (brought / name).write_bytes(content)
    (tmp_path / "rater.gguf").write_bytes(tiny_gguf())
    assert whisper_need_mb(models, "mine", "int8", 8) == whisper_mb("large-v3", "int8")
    assert gguf_need(models, "rater").weights_mb == known_model("llama3").weights_mb
    assert gguf_need(models, "smollm2").weights_mb == find_asset("smollm2").size / MB
    add(find_asset("mine"), brought, models, lambda *_: None)
    add(find_asset("rater"), tmp_path / "rater.gguf", models, lambda *_: None)
    assert whisper_need_mb(models, "mine", "int8", 8) == whisper_mb("mine", "int8", parameters=2_000_000)
    need = gguf_need(models, "rater")
    assert (need.name, need.most_ctx) == ("rater", 2048)
    assert need.weights_mb == len(tiny_gguf()) / MB
