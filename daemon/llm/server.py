"""The child that serves a GGUF model with llama.cpp: `python -m daemon.llm.server`.

It sends one message, `{"ready": true, "url": ..., "key": ..., "version": ...}`, and then serves until its
stdin closes. Nothing else in the daemon imports xllamacpp.
"""

import argparse
import os
import secrets
from pathlib import Path
from typing import Any

from daemon.system.child import ParentChannel, attach


def threads_for(cores: int) -> int:
    """The number of threads that compute, on so many cores.

    Half of them: llama.cpp's threads spin at a barrier for each layer, so that one thread too many on a
    busy machine slows all of them. Seen on two cores beside one other busy program: 39 tokens/s with one
    thread, 5 and then 0.7 with two. The other half is for the second engine.
    """
    return max(1, cores // 2)


def serve(wire: ParentChannel, model: Path, parallel: int, ctx: int) -> Any:
    """Start the server on a free loopback port and announce it on `wire`. It runs while the result is held.

    `ctx` is the context of one slot in tokens. The key keeps other users of the machine out.
    """
    import xllamacpp

    key = secrets.token_urlsafe(24)
    params = xllamacpp.CommonParams()
    params.model.path = os.fspath(model)
    params.n_parallel = parallel
    params.n_ctx = ctx * parallel
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.ui = False
    params.endpoint_slots = False
    # Its cache in the host's memory restores whole prompts. A student who hands in the same as an earlier one
    # would be answered on another state than the one before. It also takes up to 8 GB.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    params.n_batch = 256  # progress is reported after each batch of the prompt: a sign of life
    threads = threads_for(len(os.sched_getaffinity(0)))
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(params)
    version = f"xllamacpp {xllamacpp.__version__}"
    wire.send({"ready": True, "url": server.listening_address, "key": key, "version": version})
    return server


def main() -> None:
    """Serve until the parent closes stdin."""
    parser = argparse.ArgumentParser(prog="daemon.llm.server")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("--ctx", type=int, required=True, help="tokens of context for each request")
    parser.add_argument("--lock", type=Path, required=True)
    options = parser.parse_args()
    wire = attach(options.lock)
    server = serve(wire, options.model, options.parallel, options.ctx)
    while wire.receive() is not None:
        pass
    assert server is not None
    os._exit(0)  # an orderly end would wait for running answers, which nobody reads any more


if __name__ == "__main__":
    main()
