"""A server that speaks Ollama's API as two generations of it do, with faults on demand; stdlib only.

In a test: `async with serving(Manner(...)) as server:`; as a process, also in a container:
`python -m tests.ollama_server --port 11434 --generation 0.32`. What it does is held to recordings of real
servers by `tests/integration/test_ollama_contract.py`.

`POST /control` scripts it: `{"fault": NAME, "times": N}` (see `faults.FAULTS`; -1 is until `{"clear": true}`)
and `{"set": {"token_s": 0.2}}` for any figure of the manner. `GET /control` tells what it was asked.
"""

from tests.ollama_server.manner import Manner
from tests.ollama_server.server import OllamaServer, serving

__all__ = ["Manner", "OllamaServer", "serving"]
