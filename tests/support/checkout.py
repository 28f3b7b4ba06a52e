"""Where things lie in this checkout."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLES = REPOSITORY / "samples"
MEDIA = REPOSITORY / "tests" / "media"
MODELS = REPOSITORY / "var" / "models"


def model_folder(name: str) -> Path:
    """The folder of one model, below `$INTROEVAL_TEST_MODELS` or where `introeval models pull` puts it."""
    return Path(os.environ.get("INTROEVAL_TEST_MODELS") or MODELS) / name
