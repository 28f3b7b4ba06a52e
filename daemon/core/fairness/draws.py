"""Draws that are the same for the same seed, on every machine and in every version of Python."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def number(seed: str, below: int) -> int:
    """A number from 0 to below `below`."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) % below


def shuffled(seed: str, items: Sequence[T]) -> list[T]:
    """The items in a drawn order."""
    return [items[at] for at in sorted(range(len(items)), key=lambda at: _rank(f"{seed} {at}"))]


def resample(seed: str, size: int) -> list[int]:
    """As many indices below `size`, drawn with replacement."""
    stream = hashlib.shake_256(seed.encode()).digest(4 * size)
    return [int.from_bytes(stream[at : at + 4]) % size for at in range(0, 4 * size, 4)]


def signs(seed: str, size: int) -> list[int]:
    """As many signs, 1 or -1."""
    return [2 * (byte & 1) - 1 for byte in hashlib.shake_256(seed.encode()).digest(size)]


def _rank(seed: str) -> bytes:
    return hashlib.sha256(seed.encode()).digest()
