"""What an Ollama server was set up for, as the environment of its container says.

A quantised KV cache needs flash attention; without it Ollama keeps the cache in f16 and says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from daemon.core.schedule.memory import KvCache

SLOTS = "OLLAMA_NUM_PARALLEL"
_FLASH, _KV = "OLLAMA_FLASH_ATTENTION", "OLLAMA_KV_CACHE_TYPE"


UNTOLD_SLOTS = 4
"""Requests at a time to a server that does not say how many it takes: more would wait in its own queue, where
no token shows that it is alive.
"""


@dataclass(frozen=True, slots=True)
class ServerSetup:
    """`slots` is the number of requests at a time that the server holds room for, `kv` its cache's type."""

    slots: int = 1
    kv: KvCache = KvCache.F16

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """The setup in an environment; one request in f16 where nothing is set."""
        slots = environment.get(SLOTS, "")
        flash = environment.get(_FLASH, "").lower() in ("1", "true", "t")
        quantised = flash and environment.get(_KV, "").lower() == KvCache.Q8_0
        return cls(
            int(slots) if slots.isdecimal() and int(slots) else 1, KvCache.Q8_0 if quantised else KvCache.F16
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a container that is set up so."""
        return {SLOTS: str(self.slots), _FLASH: "1", _KV: self.kv.value}
