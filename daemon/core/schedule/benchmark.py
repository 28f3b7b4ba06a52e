"""How much faster several requests at a time are than one, where this machine has not shown it.

llama.cpp's own batched benchmark of a 7B model (ggml-org/llama.cpp#16894).
"""

_SPEEDUP = {1: 1.0, 2: 1.73, 4: 2.84}


def speedup(at_once: int) -> float:
    """How many times as many requests are answered in the same time; of what was measured, the next below."""
    return _SPEEDUP[max(n for n in _SPEEDUP if n <= at_once)]


def longer(at_once: int) -> float:
    """By which share of its time alone a request takes longer among so many."""
    return at_once / speedup(at_once) - 1.0
