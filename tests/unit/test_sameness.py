"""What must be the same for all of a class."""

import pytest

from daemon.core.content.provenance_identity import changed, identity

EXTRACT = {
    "model": "mistral",
    "digest": "sha256:1",
    "server_version": "0.25.0",
    "runtime": "docker",
    "degraded": "",
    "prompt": "extract.v1",
    "prompt_sha256": "2",
    "schema_sha256": "3",
    "parameters": {"temperature": 0.1, "seed": 1, "num_ctx": 4096},
    "transcript_sha256": "4",
    "tries": 1,
}
STT = {"model": "whisper-base", "ctranslate2": "4.8", "faster-whisper": "1.2", "windows_redone": 0}


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("model", "llama3"),
        ("digest", "sha256:9"),
        ("server_version", "0.32.0"),
        ("degraded", "half of it is on the processor"),
        ("prompt_sha256", "9"),
        ("parameters", {"temperature": 0.2, "seed": 1, "num_ctx": 4096}),
    ],
)
def test_another_model_server_prompt_or_parameter_is_a_change(what: str, value: object) -> None:
    assert changed(identity(EXTRACT), identity({**EXTRACT, what: value})) == [what]


def test_another_whisper_library_is_a_change() -> None:
    assert changed(identity(STT), identity({**STT, "ctranslate2": "4.9"})) == ["ctranslate2"]


def test_what_tells_of_one_try_or_of_the_room_of_a_phase_is_none() -> None:
    roomier = {**EXTRACT, "parameters": {"temperature": 0.1, "seed": 1, "num_ctx": 8192}}
    other = {**roomier, "transcript_sha256": "5", "tries": 3}
    assert changed(identity(EXTRACT), identity(other)) == []
    assert changed(identity(STT), identity({**STT, "windows_redone": 2})) == []
