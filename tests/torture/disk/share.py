"""Which part of the calls of a class one worker takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """The `worker`-th of `workers`; only each `every`-th call is looked at."""

    every: int = 1
    worker: int = 0
    workers: int = 1

    def has_call(self, number: int) -> bool:
        """Whether a call is looked at, by whichever worker."""
        return number % self.every == 0

    def has_key(self, key: bytes) -> bool:
        """Whether what has this digest is this worker's."""
        return int.from_bytes(key[:4]) % self.workers == self.worker

    def is_mine(self, number: int) -> bool:
        """Whether a call that is looked at is this worker's."""
        return self.has_call(number) and number // self.every % self.workers == self.worker
