"""A child that takes the GPU's place in stt: `--lock FILE`; it answers each message after its `seconds`."""

import sys
import time
from pathlib import Path

from daemon.system.child import attach


def main() -> None:
    """Answer until stdin closes."""
    wire = attach(Path(sys.argv[sys.argv.index("--lock") + 1]))
    wire.send({"ready": True})
    while (message := wire.receive()) is not None:
        time.sleep(message["seconds"])
        wire.send({"done": True})


if __name__ == "__main__":
    main()
