"""The part of a provenance that must be the same for a class: models, prompts, parameters, versions."""

from collections.abc import Mapping
from typing import Any

IDENTITY = (
    "model",
    "digest",
    "server_version",
    "ctranslate2",
    "faster-whisper",
    "runtime",
    "degraded",
    "device",
    "kv_cache",
    "compute_type",
    "vad",
    "hotwords",
    "prompt",
    "prompt_sha256",
    "schema_sha256",
    "parameters",
    "calibration",
)
"""The keys that must not change within a class; the others belong to one attempt."""

_ROOM = "num_ctx"
"""The parameter that may differ between phases: it bounds the prompt and does not change an answer."""


def identity(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a provenance that must be the same for the whole class."""
    known = {key: provenance[key] for key in IDENTITY if key in provenance}
    if isinstance(parameters := known.get("parameters"), Mapping):
        known["parameters"] = {name: value for name, value in parameters.items() if name != _ROOM}
    return known


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The keys in which two identities differ, sorted."""
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
