"""The GPU memory that engines need, and that a card offers.

A language model needs its weights, a KV cache of `slots x num_ctx x bytes a token`, and the memory of CUDA
and the computation. Whisper needs its weights and the memory of a batch of windows.

MB are 2^20 bytes here, as in nvidia-smi and in the names of cards: an "8 GB" card has 8192.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import sqrt

from daemon.core.model_ref import WHISPERS, parse

MB = 1 << 20
_RESERVE, _LEAST_RESERVE_MB = 0.05, 400.0
_F16 = 2


class KvCache(StrEnum):
    """The type in which a server keeps keys and values."""

    F16 = "f16"
    Q8_0 = "q8_0"  # 34 bytes for 32 values, where f16 takes 64

    @property
    def share(self) -> float:
        """Its bytes, as a share of those in f16."""
        return 34 / 64 if self is KvCache.Q8_0 else 1.0


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """The GPU memory of a language model, its KV cache in f16. `most_ctx` is the context that it was trained
    for, in tokens.
    """

    name: str
    weights_mb: float
    kv_bytes_per_token: int
    most_ctx: int | None = None
    overhead_mb: float = 600.0  # CUDA's context and the buffers of the computation

    def kv_mb(self, slots: int, num_ctx: int, kv: KvCache = KvCache.F16) -> float:
        """The KV cache of `slots` requests at a time of `num_ctx` tokens each, in MB."""
        return slots * num_ctx * self.kv_bytes_per_token * kv.share / MB

    def mb(self, slots: int, num_ctx: int, kv: KvCache = KvCache.F16) -> float:
        """All memory for `slots` requests of `num_ctx` tokens, in MB."""
        return self.weights_mb + self.kv_mb(slots, num_ctx, kv) + self.overhead_mb

    def seen(self, taken_mb: float, slots: int, num_ctx: int, kv: KvCache) -> "ModelNeed":
        """The need once a server said what it took; never less than estimated.

        More may be a cache that stayed in f16, as of a model for which it has no flash attention.
        """
        more = taken_mb - self.mb(slots, num_ctx, kv)
        return self if more <= 0 else replace(self, overhead_mb=self.overhead_mb + more)


_KV_OF_8B = 32 * 8 * (128 + 128) * _F16  # layers, KV heads, length of key and value: 128 KiB

KNOWN = {
    "mistral": ModelNeed("mistral", 4.4e9 / MB, _KV_OF_8B, most_ctx=32768),
    "llama3": ModelNeed("llama3", 4.7e9 / MB, _KV_OF_8B, most_ctx=8192),
}
"""The lab's models as Ollama's registry has them, used until their server was asked."""

_LARGE = 1550  # millions of parameters
# faster-whisper's figures for large-v2 on a GPU: 2.9 GB in int8, 4.5 GB with a batch of 8, in f16 6.1 GB.
_WHISPER_BASE_MB, _WHISPER_WINDOW_MB = 1070.0, 218.0
WHISPER_BATCH = 8
WHISPER_BATCHES = (16, WHISPER_BATCH, 4, 2, 1)
"""Windows at a time, the fastest first: 32 were no faster than 16 on an H200."""


def capacity_mb(card_mb: float) -> float:
    """The MB of a card that engines may use: all, less the driver's share and a margin for estimates."""
    return max(0.0, card_mb - max(_LEAST_RESERVE_MB, _RESERVE * card_mb))


def known_model(name: str) -> ModelNeed:
    """The estimate for a model by its name alone; the tag is ignored. Unknown ones count like llama3."""
    found = KNOWN.get(name.rpartition("/")[2].partition(":")[0])
    return replace(found, name=name) if found else replace(KNOWN["llama3"], name=name, most_ctx=None)


def whisper_mb(
    model: str, compute_type: str = "auto", batch: int = WHISPER_BATCH, *, parameters: int | None = None
) -> float:
    """The memory of Whisper, in MB. A model of another name, such as a folder's, has so many `parameters`; it
    counts as the largest when they are not known.

    The windows of a smaller model take less by the root of its size, which errs on the high side.
    """
    known = WHISPERS.get(parse(model).size)
    millions = known.millions if known else parameters / 1e6 if parameters else _LARGE
    bytes_each = 1 if compute_type.startswith("int8") else 4 if compute_type == "float32" else _F16
    windows = batch * _WHISPER_WINDOW_MB * sqrt(millions / _LARGE)
    return millions * 1e6 * bytes_each / MB + _WHISPER_BASE_MB + windows
