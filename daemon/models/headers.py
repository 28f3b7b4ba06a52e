"""The heads of model files: whether a file is what its name claims, and the figures that its memory needs.

The files come from elsewhere, so a head is read with limits, and anything strange in it is a ModelError.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from daemon.core.errors import ModelError

_LONGEST = 1 << 20  # bytes of a string: a chat template has tens of thousands
_MOST = 100_000  # entries of a head: models have hundreds of tensors and tens of keys
_F16 = 2
_FORMS = (
    "B",
    "b",
    "H",
    "h",
    "I",
    "i",
    "f",
    "?",
    "",
    "",
    "Q",
    "q",
    "d",
)  # the struct formats of GGUF's types, by their numbers
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True, slots=True)
class GgufHead:
    """The figures of a GGUF file. `kv_bytes_per_token` and `context` (tokens) are None where it has none."""

    kv_bytes_per_token: int | None
    context: int | None


def whisper_parameters(file: Path) -> int:
    """The number of parameters in a `model.bin` of CTranslate2. Raises ModelError if it holds no Whisper."""
    with _reading(file, "a Whisper model of CTranslate2") as head:
        version = head.number("I")
        if not 4 <= version <= 64 or head.string("H") != "WhisperSpec\0":
            raise ValueError
        head.number("I")  # the revision of the specification
        return sum(head.variable() for _ in range(head.count("I")))


def gguf_head(file: Path) -> GgufHead:
    """The figures in the head of a GGUF file. Raises ModelError if it is none."""
    with _reading(file, "a GGUF file of version 2 or 3") as head:
        if head.bytes(4) != b"GGUF" or head.number("I") not in (2, 3):
            raise ValueError
        head.number("Q")  # tensors
        found: dict[str, Any] = {}
        for _ in range(head.count("Q")):
            key = head.string("Q")
            if key.startswith("tokenizer."):
                break  # the vocabulary is long, and comes last
            found[key] = head.value(head.number("I"))
    return _figures(found)


def _figures(found: dict[str, Any]) -> GgufHead:
    def figure(key: str) -> Any:
        return found.get(f"{found.get('general.architecture')}.{key}")

    context, layers, heads = figure("context_length"), figure("block_count"), figure("attention.head_count")
    kv_heads, width = figure("attention.head_count_kv") or heads, figure("embedding_length")
    most = max(heads) if isinstance(heads, list) else heads
    each = width // most if width and most else None
    key, value = figure("attention.key_length") or each, figure("attention.value_length") or each
    if not (layers and kv_heads and key and value):
        return GgufHead(None, context)
    in_all = sum(kv_heads) if isinstance(kv_heads, list) else layers * kv_heads
    return GgufHead(in_all * (key + value) * _F16, context)


class _Reader:
    """Reads little-endian figures. Raises ValueError where the head is too short or too long."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def bytes(self, size: int) -> bytes:
        if size > _LONGEST or len(found := self._stream.read(size)) != size:
            raise ValueError
        return found

    def number(self, form: str) -> Any:
        return struct.unpack(f"<{form}", self.bytes(struct.calcsize(f"<{form}")))[0]

    def count(self, form: str) -> int:
        count = int(self.number(form))
        if count > _MOST:
            raise ValueError
        return count

    def string(self, length: str) -> str:
        return self.bytes(self.number(length)).decode(errors="replace")

    def value(self, kind: int) -> Any:
        """A value of GGUF, by the number of its type."""
        if kind == _STRING:
            return self.string("Q")
        if kind == _ARRAY:
            inner = self.number("I")
            if inner == _ARRAY:
                raise ValueError
            return [self.value(inner) for _ in range(self.count("Q"))]
        return self.number(_FORMS[kind])

    def variable(self) -> int:
        """The number of figures in a variable of CTranslate2, which is skipped."""
        self.string("H")
        shape = [self.number("I") for _ in range(self.number("B"))]
        self.number("B")  # its type
        self._stream.seek(self.number("I"), 1)
        return prod(shape)


@contextmanager
def _reading(file: Path, claim: str) -> Iterator[_Reader]:
    try:
        with file.open("rb") as stream:
            yield _Reader(stream)
    except OSError as exc:
        raise ModelError(f"{file} cannot be read: {exc.strerror}; name the file of a model") from exc
    except (ValueError, IndexError) as exc:
        raise ModelError(f"{file} is not {claim}, so it is not taken; name another") from exc
