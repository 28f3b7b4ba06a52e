"""Whether all of a class get the same: models, prompts, parameters and server versions."""

from collections.abc import Mapping
from typing import Any

IDENTITY = (
    "model",
    "digest",
    "version",
    "versions",
    "runtime",
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


def identity(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a provenance that is the same for all of a class."""
    return {key: provenance[key] for key in IDENTITY if key in provenance}


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is different between two identities, by its key."""
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
