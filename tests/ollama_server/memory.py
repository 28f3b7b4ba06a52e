"""What a test server holds in memory: at most one model, since two names of one model share a runner."""

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.ollama_server.manner import Manner

_WARM_S = {True: 0.06, False: 0.0012}  # a loaded model's "load", of the older and of the newer generation
_COLD_S = 0.5


@dataclass
class Loaded:
    """A model in memory, and with what it was loaded."""

    name: str
    digest: str
    num_ctx: int
    shift: bool
    running: int = 0
    hold_s: float = -1.0  # after its last answer; less than 0 is for ever
    until: float | None = None  # on the loop's clock; None is for ever


class Memory:
    """Loads, holds and puts out."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._loading = asyncio.Lock()
        self.loaded: Loaded | None = None
        self.loads = 0

    async def ensure(self, name: str, num_ctx: int, shift: bool) -> tuple[Loaded, int]:
        """Have the model in memory as asked; also how many nanoseconds that took, as the server would say."""
        async with self._loading:
            manner = self._manner
            num_ctx = min(max(num_ctx, 4), manner.max_ctx)
            digest = manner.digest(name)
            now = self._present()
            same = now is not None and now.digest == digest and now.num_ctx == num_ctx
            if now is not None and same and (manner.old or now.shift == shift):
                return now, int(_WARM_S[manner.old] * 1e9)
            await asyncio.sleep(manner.load_s)
            self.loads += 1
            self.loaded = Loaded(name, digest, num_ctx, shift)
            return self.loaded, int(max(_COLD_S, manner.load_s) * 1e9)

    def hold(self, model: Loaded, seconds: float) -> None:
        """Keep a model for so long after its last answer; 0 puts it out then, less than 0 never."""
        model.hold_s = seconds
        model.until = None if seconds < 0 else asyncio.get_running_loop().time() + seconds

    def drop(self) -> None:
        """Forget the model at once, as when the runner dies."""
        self.loaded = None

    def listed(self) -> list[dict[str, Any]]:
        """What `/api/ps` says."""
        model = self._present()
        if model is None:
            return []
        manner = self._manner
        size = manner.size + manner.kv_size * model.num_ctx * manner.parallel
        return [
            {
                "name": model.name,
                "model": model.name,
                "size": size,
                "digest": model.digest,
                "details": {"parent_model": "", "format": "gguf", "family": "llama"},
                "expires_at": "2319-03-05T16:00:56.493831182Z",
                "size_vram": int(size * manner.gpu_share),
                "context_length": model.num_ctx,
            }
        ]

    def _present(self) -> Loaded | None:
        model = self.loaded
        if model is None or model.running or model.until is None:
            return model
        if asyncio.get_running_loop().time() >= model.until:
            self.loaded = None
        return self.loaded
