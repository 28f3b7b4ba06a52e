"""The memory that the models of this machine need, from the heads of their files."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from daemon.core.errors import ModelError
from daemon.core.model_ref import parse
from daemon.core.schedule.memory import MB, ModelNeed, known_model, whisper_mb
from daemon.models.catalog import WHISPER_WEIGHTS, find_asset
from daemon.models.headers import gguf_head, whisper_parameters
from daemon.models.installed import weights_of


def whisper_need_mb(models_dir: Path, name: str, compute_type: str, batch: int) -> float:
    """The memory of a Whisper, in MB: by its name, else by its file; one that is not here counts as large."""
    parameters = None
    if not parse(name).size:
        with suppress(ModelError):
            parameters = whisper_parameters(weights_of(models_dir, name).path / WHISPER_WEIGHTS)
    return whisper_mb(name, compute_type, batch, parameters=parameters)


def gguf_need(models_dir: Path, name: str) -> ModelNeed:
    """The memory of a GGUF model, by its size and its head; else by its pins; without any, like an 8B."""
    need = known_model(name)
    try:
        weights = weights_of(models_dir, name)
        head = gguf_head(weights.path)
    except ModelError:
        pinned = find_asset(name).size / MB
        return replace(need, weights_mb=pinned or need.weights_mb)
    return replace(
        need,
        name=weights.path.stem,
        weights_mb=weights.size / MB,
        kv_bytes_per_token=head.kv_bytes_per_token or need.kv_bytes_per_token,
        most_ctx=head.context,
    )
