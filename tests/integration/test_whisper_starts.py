"""Whisper's start as the lab's machine may see it: what fails is one line, with what to do about it.

The worker is the real one. In place of CTranslate2 and faster-whisper it finds modules that fail as they do.
"""

import asyncio
import importlib.util
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.contracts.wire.status import DaemonStatus
from daemon.core.alarms import Trouble
from daemon.core.errors import EngineError, ModelError
from daemon.doctor.facts import Facts
from daemon.doctor.finding import Finding, Level
from daemon.doctor.whisper import whisper
from daemon.stt.transcriber import WhisperEngine
from daemon.system.weights import Weights
from tests.integration.test_doctor import NO_GPU, facts
from tests.integration.test_whisper import whisper as real_whisper
from tests.support.checkout import REPOSITORY

LIBRARIES = "install CUDA's libraries, run: make setup CUDA=1 (as a service: make install CUDA=1), "
UNABLE = "Unable to load any of {libcudnn_ops.so.9.1.0, libcudnn_ops.so.9}"
FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")

Maker = Callable[[Path], WhisperEngine]


@pytest.fixture
def fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Maker]:
    """Makes engines whose worker fails, when it loads its model, by this program."""
    model, modules = tmp_path / "whisper-base", tmp_path / "modules"
    model.mkdir()
    modules.mkdir()
    for name in FILES:
        (model / name).write_text("{}")
    (modules / "ctranslate2.py").write_text("def get_cuda_device_count():\n    return 1\n")
    monkeypatch.setenv("PYTHONPATH", f"{modules}:{REPOSITORY}")

    def by(program: str) -> Maker:
        body = f"import os, sys, time\n\ndef WhisperModel(*_, **__):\n    {program}\n"
        (modules / "faster_whisper.py").write_text(body)
        return lambda folder: WhisperEngine(Weights.unpinned(model), folder, folder / "stt.log")

    return by


def tried(known: Facts, make: Maker, limit_s: float = 30.0) -> Finding:
    [finding] = asyncio.run(whisper(known, make, limit_s))
    return finding


@pytest.mark.parametrize(
    ("program", "text", "fix"),
    [
        (
            "raise RuntimeError('Library libcublas.so.12 is not found or cannot be loaded')",
            "Library libcublas.so.12 is not found",
            LIBRARIES,
        ),
        (
            f"print('{UNABLE}', 'Invalid handle', sep=chr(10), file=sys.stderr, flush=True); os.abort()",
            "ended by SIGABRT (Invalid handle)",
            f"if it runs on a GPU, {LIBRARIES}",
        ),
        (f"print('{UNABLE}', file=sys.stderr, flush=True); os.abort()", "ended by SIGABRT", LIBRARIES),
        ("os.kill(os.getpid(), 11)", "ended by SIGSEGV", f"if it runs on a GPU, {LIBRARIES}"),
        (
            "raise RuntimeError('CUDA failed with error out of memory')",
            "the cuda has no room for the Whisper model",
            "free memory, or set a smaller stt.model",
        ),
        (
            "raise RuntimeError('CUDA failed with error no CUDA-capable device is detected')",
            "no CUDA-capable device is detected",
            "see: nvidia-smi, or set",
        ),
        (
            "raise ValueError('Requested int8_float16 compute type, but the device does not support it')",
            "Requested int8_float16 compute type",
            'set stt.compute_type = "auto"',
        ),
        ("raise KeyError('what nobody has seen')", "what nobody has seen", "check stt.model, stt.device"),
    ],
)
def test_what_keeps_whisper_from_starting_is_one_line_with_its_fix(
    fails: Callable[[str], Maker], tmp_path: Path, program: str, text: str, fix: str
) -> None:
    found = tried(facts(tmp_path), fails(program))
    assert found.level is Level.FAIL
    assert text in found.text
    assert found.fix.startswith(fix)
    assert "\n" not in found.text + found.fix


def test_a_start_that_takes_long_is_no_failure(fails: Callable[[str], Maker], tmp_path: Path) -> None:
    assert tried(facts(tmp_path), fails("time.sleep(60)"), limit_s=0.5).level is Level.WARN


def test_a_model_that_is_not_here_is_to_be_pulled(tmp_path: Path) -> None:
    def absent(folder: Path) -> WhisperEngine:
        raise ModelError("whisper-base is not here; run: introeval models pull whisper-base")

    found = tried(facts(tmp_path), absent)
    assert (found.level, found.fix) == (Level.FAIL, "run: introeval models pull whisper-base")


def test_beside_a_running_daemon_it_is_not_tried(tmp_path: Path) -> None:
    def never(folder: Path) -> WhisperEngine:
        raise AssertionError("the GPU is the daemon's")

    status = {"version": "1", "pid": 77, "running": True, "runtime": "embedded", "phase": "stt", "group": []}
    more: dict[str, object] = {"phase_since": None, "why": "", "counts": {}, "undelivered": 0}
    running = DaemonStatus.model_validate({**status, **more})
    found = tried(facts(tmp_path, daemon=running, gpu=NO_GPU), never)
    assert found.level is Level.OK
    assert "not tried: the daemon (process 77)" in found.text


def test_a_start_that_its_limit_ended_has_twice_as_long_the_next_time(
    fails: Callable[[str], Maker], tmp_path: Path
) -> None:
    model = tmp_path / "whisper-base"
    fails("time.sleep(60)")
    engine = WhisperEngine(Weights.unpinned(model), tmp_path, tmp_path / "stt.log", start_limit_s=0.3)
    for limit in ("0.3", "0.6"):
        with pytest.raises(EngineError, match=f"not ready after {limit} s"):
            asyncio.run(engine.start())


@pytest.mark.anyio
async def test_whisper_on_the_processor_beside_a_gpu_is_an_alarm_until_a_start_without(
    tmp_path: Path,
) -> None:
    lasting: dict[str, str | None] = {}
    there = True

    async def has_gpu() -> bool:
        return there

    def alarmed(code: str, trouble: Trouble | None) -> None:
        lasting[code] = str(trouble) if trouble else None

    engine = real_whisper(tmp_path, device="auto", has_gpu=has_gpu, on_alarm=alarmed)
    await engine.start()
    assert "every task that waits for stt: it goes on, slower" in (lasting["degraded_stt"] or "")
    there = False
    await engine.start()
    await engine.stop()
    assert lasting == {"degraded_stt": None}


def test_what_ctranslate2_loads_by_name_is_what_the_cuda_packages_bring() -> None:
    """Of the pinned version: cuBLAS, and the driver's own library; no cuDNN."""
    spec = importlib.util.find_spec("ctranslate2")
    assert spec is not None
    assert spec.origin is not None
    found = set()
    for library in (Path(spec.origin).parents[1] / "ctranslate2.libs").glob("libctranslate2*"):
        found |= set(re.findall(rb"lib(?:cu|nv)[A-Za-z_]+\.so[.0-9]*", library.read_bytes()))
    assert found <= {b"libcublas.so.12", b"libcuda.so.1"}


@pytest.mark.parametrize(
    ("asked", "driver", "wanted"), [("1", False, True), ("0", True, False), ("auto", True, True)]
)
def test_cudas_libraries_are_installed_where_the_driver_is_or_as_asked(
    tmp_path: Path, asked: str, driver: bool, wanted: bool
) -> None:
    for name, program in {"nvidia-smi": f"exit {int(not driver)}", "uname": "echo x86_64"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [REPOSITORY / "systemd" / "wants-cuda", asked], env={"PATH": str(tmp_path)}, check=False
    )
    assert (done.returncode == 0) == wanted
