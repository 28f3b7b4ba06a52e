"""Where the tests find the models."""

import os
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent


def model_folder(name: str) -> Path:
    """The folder of one model, below `$INTROEVAL_TEST_MODELS` or where `introeval models pull` puts it."""
    return Path(os.environ.get("INTROEVAL_TEST_MODELS") or _CHECKOUT / "var" / "models") / name
