"""How a test server behaves: its generation, its models and its figures, from flags or the environment."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

DIGEST = "5cbd7fba935abd37f5a5b3266e0d8c3cc17022a2e5e8cecbfec71e14f3c4e265"
VARIABLE = "OLLAMA_TEST_"


@dataclass
class Manner:
    """Every figure may be changed while it runs. Times are seconds, sizes bytes.

    `digests` are those of the models, in order; the last one counts for the rest, so that by default all
    names are of the same weights. `gpu_share` is how much of a model comes to lie on the GPU. `backend` is
    an OpenAI-compatible server that makes the answers; without one they are made up to fit the schema.
    `top_logprobs` is the most alternatives that it tells for a token; 0 is a server before 0.12.11, which
    knows of no log-probabilities. `stop_s` is how long SIGTERM takes. `registry` are models that it lacks and
    can pull, for which the weights take `pull_s`; what was pulled is kept in the file `store`, where one is
    named. `faults` are those from the start: `NAME` or `NAME*TIMES`, comma-separated.
    """

    host: str = "127.0.0.1"
    port: int = 0
    generation: str = "0.32"
    models: str = "mistral,llama3"
    digests: str = DIGEST
    version: str = ""
    parallel: int = 1
    max_ctx: int = 8192
    top_logprobs: int = 20
    size: int = 98_363_007
    kv_size: int = 23_040
    gpu_share: float = 1.0
    load_s: float = 0.0
    token_s: float = 0.0
    prompt_s: float = 0.0
    stop_s: float = 0.0
    backend: str = ""
    backend_key: str = ""
    registry: str = ""
    pull_s: float = 0.0
    store: str = ""
    faults: str = ""

    @property
    def old(self) -> bool:
        """Whether it is of the generation with its own runner."""
        return self.generation == "0.25"

    @property
    def names(self) -> list[str]:
        """Its models, with their tags."""
        kept = Path(self.store).read_text() if self.store and Path(self.store).exists() else ""
        return _tagged(f"{self.models},{kept}")

    @property
    def offered(self) -> list[str]:
        """What can be pulled, with tags."""
        return _tagged(self.registry)

    def keep(self, name: str) -> None:
        """Have one model more."""
        if self.store:
            with Path(self.store).open("a") as store:
                store.write(f"{name},")
        else:
            self.models = f"{self.models},{name}"

    def digest(self, name: str) -> str:
        """The digest of one of its models."""
        digests = self.digests.split(",")
        return digests[min(self.names.index(name), len(digests) - 1)]


def read(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> Manner:
    """The manner that the flags ask for; `OLLAMA_TEST_<FLAG>` counts where a flag is not given."""
    parser = argparse.ArgumentParser(prog="tests.ollama_server")
    for each in fields(Manner):
        default = getattr(Manner, each.name)
        kind = type(default)
        given = environ.get(VARIABLE + each.name.upper())
        parser.add_argument(
            "--" + each.name.replace("_", "-"),
            type=kind,
            default=default if given is None else kind(given),
            choices=("0.25", "0.32") if each.name == "generation" else None,
            help=f"default {default!r}",
        )
    return Manner(**vars(parser.parse_args(arguments)))


def _tagged(names: str) -> list[str]:
    return [each if ":" in each else f"{each}:latest" for each in names.split(",") if each]
