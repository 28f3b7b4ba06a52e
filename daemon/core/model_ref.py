"""The name of a model, as configuration and commands have it: one spelling, one parser.

- `base`, `large-v3`, `turbo`: a Whisper that faster-whisper knows; `whisper-base` is the same
- `smollm2`, `mine`: a model of the catalog, or one that `introeval models add` adopted
- `owner/name`: a Whisper of the model hub, converted to CTranslate2
- `owner/name/file.gguf`: a GGUF file of the hub's repository `owner/name`
- `/srv/whisper`, `~/mine.gguf`, `./mine.gguf`: a folder with a Whisper, or a GGUF file, on this machine
"""

import hashlib
import re
from dataclasses import dataclass

DEMO_DIGEST = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""SHA-256 of SmolLM2, which shows the flow and gives no grades."""


@dataclass(frozen=True, slots=True)
class WhisperSize:
    """A Whisper that faster-whisper knows: its repository on the hub, and its millions of parameters."""

    repo: str
    millions: int


WHISPERS = {
    "tiny": WhisperSize("Systran/faster-whisper-tiny", 39),
    "tiny.en": WhisperSize("Systran/faster-whisper-tiny.en", 39),
    "base": WhisperSize("Systran/faster-whisper-base", 74),
    "base.en": WhisperSize("Systran/faster-whisper-base.en", 74),
    "small": WhisperSize("Systran/faster-whisper-small", 244),
    "small.en": WhisperSize("Systran/faster-whisper-small.en", 244),
    "distil-small.en": WhisperSize("Systran/faster-distil-whisper-small.en", 166),
    "medium": WhisperSize("Systran/faster-whisper-medium", 769),
    "medium.en": WhisperSize("Systran/faster-whisper-medium.en", 769),
    "distil-medium.en": WhisperSize("Systran/faster-distil-whisper-medium.en", 394),
    "large-v1": WhisperSize("Systran/faster-whisper-large-v1", 1550),
    "large-v2": WhisperSize("Systran/faster-whisper-large-v2", 1550),
    "large-v3": WhisperSize("Systran/faster-whisper-large-v3", 1550),
    "distil-large-v2": WhisperSize("Systran/faster-distil-whisper-large-v2", 756),
    "distil-large-v3": WhisperSize("Systran/faster-distil-whisper-large-v3", 756),
    "distil-large-v3.5": WhisperSize("distil-whisper/distil-large-v3.5-ct2", 756),
    "large-v3-turbo": WhisperSize("mobiuslabsgmbh/faster-whisper-large-v3-turbo", 809),
}
"""As faster-whisper's table, which a test compares; the sizes are those of the models' publishers."""

ALIASES = {"large": "large-v3", "turbo": "large-v3-turbo"}
WHISPER_PREFIX = "whisper-"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_PATH = ("/", "./", "../", "~")
_SHARD = re.compile(r"(?P<stem>.+)-00001-of-(?P<all>\d{5})\.gguf", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model by its name. `text` is its one spelling, and `folder` the name of its folder below the models.

    `repo` is its repository on the hub and `files` are the GGUF files there; empty for others. `path` is that
    of a model elsewhere on this machine, of which only the pins lie in the folder.
    """

    text: str
    folder: str
    repo: str = ""
    files: tuple[str, ...] = ()
    path: str = ""

    @property
    def size(self) -> str:
        """The name by which faster-whisper knows it; empty for others."""
        size = self.folder.removeprefix(WHISPER_PREFIX)
        return size if size in WHISPERS and self.folder != size else ""


def parse(text: str) -> ModelRef:
    """The model of this name. Raises ValueError, which says what a name looks like."""
    if text.startswith(_PATH):
        mark = hashlib.sha256(text.encode()).hexdigest()[:12]
        return ModelRef(text, f"path-{mark}", path=text)
    parts = text.split("/")
    if not all(_NAME.fullmatch(part) for part in parts):
        raise ValueError(
            f"{text!r} names no model; use a name such as base, a hub repository owner/name, "
            "owner/name/file.gguf, or a path that begins with / or ./"
        )
    if len(parts) == 1:
        return _named(text)
    repo, file = "/".join(parts[:2]), "/".join(parts[2:])
    if file and not file.lower().endswith(".gguf"):
        raise ValueError(f"{text!r} names no GGUF file of the repository {repo}; use owner/name/file.gguf")
    return ModelRef(text, "--".join(parts), repo, shards(file) if file else ())


def is_gguf(text: str) -> bool:
    """Whether a hub file is named. Of a plain name or a path, only the disk can tell."""
    return bool(parse(text).files)


def _named(text: str) -> ModelRef:
    size = text.removeprefix(WHISPER_PREFIX)
    size = ALIASES.get(size, size)
    if size in WHISPERS:
        name = WHISPER_PREFIX + size
        return ModelRef(name, name, WHISPERS[size].repo)
    return ModelRef(text, text)


def shards(file: str) -> tuple[str, ...]:
    """All files of the GGUF model that `file` begins, which may be split into several."""
    found = _SHARD.fullmatch(file)
    if found is None:
        return (file,)
    count = int(found["all"])
    return tuple(f"{found['stem']}-{n:05}-of-{count:05}.gguf" for n in range(1, count + 1))
