"""The speed-up of several requests at a time over one, for machines that have not measured it.

llama.cpp's own batched benchmark of a 7B model (ggml-org/llama.cpp#16894).
"""

_SPEEDUP = {1: 1.0, 2: 1.73, 4: 2.84}


def speedup(at_once: int) -> float:
    """The factor by which more requests are answered in a time; that of the next lower measurement."""
    return _SPEEDUP[max(n for n in _SPEEDUP if n <= at_once)]


def longer(at_once: int) -> float:
    """The share by which one of `at_once` requests takes longer than a request alone."""
    return at_once / speedup(at_once) - 1.0
