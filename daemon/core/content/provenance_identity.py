"""Whether all of a class get the same: models, prompts, parameters and server versions."""

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
    "compute_type",
    "vad",
    "hotwords",
    "prompt",
    "prompt_sha256",
    "schema_sha256",
    "parameters",
)
"""What of a provenance must not change within a class; the rest tells of the one try."""

_ROOM = "num_ctx"
"""Of the parameters the one that is each phase's own: how much a prompt may hold, nothing of an answer."""


def identity(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a provenance that is the same for all of a class."""
    known = {key: provenance[key] for key in IDENTITY if key in provenance}
    if isinstance(parameters := known.get("parameters"), Mapping):
        known["parameters"] = {name: value for name, value in parameters.items() if name != _ROOM}
    return known


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is different between two identities, by its key."""
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
