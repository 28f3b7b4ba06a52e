"""The queue of windows before a model: it takes a full batch of them, across recordings. Runs only in the
Whisper worker.

Each recording has a thread of its own, which prepares its windows, puts them into the queue and waits for the
answers. Each stream of the model has one, too, which takes the next batch:

1. Single steps first: they are short, and their recordings wait for them alone.
2. Then what fills a batch; of several, what is nearest to a transcript.
3. A batch that is not full waits for recordings that are still being prepared, if the queue is `patient`.
4. Then what there is; of several, what is furthest from a transcript, since it leads to more.

Within a batch the order is that of the requests. A fault of a batch is not one of all its windows: each is
tried alone. Where memory runs out, the batch is halved for good.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Condition
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class WindowStep:
    """What a model does with windows; those of equal steps share a batch, unless it is a `single` one.

    `place` is its distance from a transcript.
    """

    name: str
    language: str = ""

    @property
    def single(self) -> bool:
        """Whether the model takes one at a time."""
        return self.name in ("retry", "detect")

    @property
    def place(self) -> int:
        """How far it is from a transcript."""
        return ("retry", "detect", "write", "encode").index(self.name)


class BatchedModel(Protocol):
    """One stream of a loaded model."""

    def run(self, step: WindowStep, values: Sequence[Any]) -> Sequence[Any]:
        """Do the step with each of the values."""


class Dropped(Exception):
    """The recording is not wanted any more."""


@dataclass(frozen=True, slots=True, order=True)
class _Window:
    owner: int
    number: int
    step: WindowStep = field(compare=False)
    value: Any = field(compare=False)
    answer: "Future[Any]" = field(compare=False, default_factory=Future)


class WindowQueue:
    """Shares the streams of a model between recordings, which are named by numbers.

    `tell` gets the recordings that are in work whenever these change: if the process dies, one of them is to
    blame. `check` gets each error of a stream, and ends the process after one that leaves no usable model.
    """

    def __init__(
        self,
        batch_size: int,
        *,
        patient: bool,
        check: Callable[[Exception], None],
        tell: Callable[[list[int]], None] = lambda owners: None,
    ) -> None:
        self.batch_size = batch_size
        self._patient = patient
        self._check, self._tell = check, tell
        self._changed = Condition()
        self._numbers = count()
        self._waiting: list[_Window] = []
        self._open: Counter[int] = Counter()  # the unanswered windows of each recording that is heard
        self._in_work: Counter[int] = Counter()
        self._idle = 0  # streams

    def enter(self, owner: int) -> None:
        """Expect windows of a recording, until `leave`."""
        with self._changed:
            self._open[owner] = 0

    def leave(self, owner: int) -> None:
        """Expect nothing more of a recording, and drop what waits of it."""
        with self._changed:
            self._open.pop(owner, None)
            dropped = [window for window in self._waiting if window.owner == owner]
            self._waiting = [window for window in self._waiting if window.owner != owner]
            self._changed.notify_all()
        for window in dropped:
            window.answer.set_exception(Dropped())

    @contextmanager
    def in_work(self, owners: Sequence[int]) -> Iterator[None]:
        """Tell that these recordings are in work, in the context."""
        with self._changed:
            self._in_work.update(owners)
            self._tell(sorted(+self._in_work))
        try:
            yield
        finally:
            with self._changed:
                self._in_work.subtract(owners)
                self._tell(sorted(+self._in_work))

    def put(self, owner: int, step: WindowStep, values: Sequence[Any]) -> "list[Future[Any]]":
        """Put values of a recording into the queue. Raises Dropped."""
        with self._changed:
            if owner not in self._open:
                raise Dropped
            windows = [_Window(owner, next(self._numbers), step, value) for value in values]
            self._waiting += windows
            self._open[owner] += len(windows)
            self._changed.notify_all()
        return [window.answer for window in windows]

    def serve(self, stream: BatchedModel) -> None:
        """Take batches for a stream, for ever."""
        while True:
            with self._changed:
                self._idle += 1
                while not (batch := self._next()):
                    self._changed.wait()
                self._idle -= 1
                self._waiting = [window for window in self._waiting if window not in batch]
            self._answer(stream, batch)

    def _next(self) -> list[_Window]:
        """The next batch; empty while there is none."""
        by_step: dict[WindowStep, list[_Window]] = {}
        for window in sorted(self._waiting):
            by_step.setdefault(window.step, []).append(window)
        if not by_step:
            return []
        full = [step for step, windows in by_step.items() if step.single or len(windows) >= self.batch_size]
        if full:
            step = min(full, key=lambda each: each.place)
            return by_step[step][: 1 if step.single else self.batch_size]
        if self._patient and 0 in self._open.values():
            return []
        rest = by_step[max(by_step, key=lambda each: each.place)]
        return rest[: -(-len(rest) // self._idle)]

    def _answer(self, stream: BatchedModel, batch: Sequence[_Window]) -> None:
        with self.in_work([window.owner for window in batch]):
            answers = self._tried(stream, batch)
        if not isinstance(answers, Exception):
            for window, answer in zip(batch, answers, strict=True):
                self._end(window, answer)
        elif len(batch) == 1:
            self._end(batch[0], answers)
        else:
            short = isinstance(answers, MemoryError)
            if short:
                self.batch_size = max(1, min(self.batch_size, len(batch) // 2))
            while batch:
                size = self.batch_size if short else 1
                self._answer(stream, batch[:size])
                batch = batch[size:]

    def _tried(self, stream: BatchedModel, batch: Sequence[_Window]) -> Sequence[Any] | Exception:
        try:
            return stream.run(batch[0].step, [window.value for window in batch])
        except (RuntimeError, ValueError, LookupError, OSError, MemoryError) as exc:
            self._check(exc)
            return MemoryError(str(exc)) if is_out_of_memory(exc) else exc

    def _end(self, window: _Window, answer: Any) -> None:
        with self._changed:
            if window.owner in self._open:
                self._open[window.owner] -= 1
            self._changed.notify_all()
        if isinstance(answer, Exception):
            window.answer.set_exception(answer)
        else:
            window.answer.set_result(answer)


class Recording:
    """A recording at the queue."""

    def __init__(self, queue: WindowQueue, number: int) -> None:
        self._queue, self._number = queue, number

    @property
    def batch_size(self) -> int:
        """The windows that fill a batch."""
        return self._queue.batch_size

    def ask(self, step: WindowStep, values: Sequence[Any]) -> Iterator[Any]:
        """The answers of the model, in order. Raises what the model raised for one alone, and Dropped."""
        answers = self._queue.put(self._number, step, values)
        return (answer.result() for answer in answers)

    def in_work(self) -> AbstractContextManager[None]:
        """Tell that the recording is in work, in the context."""
        return self._queue.in_work([self._number])


def is_out_of_memory(exc: BaseException) -> bool:
    """Whether an error of CTranslate2 or the C++ library says that memory ran out."""
    text = str(exc).lower()
    return isinstance(exc, MemoryError) or any(
        sign in text for sign in ("out of memory", "alloc_failed", "bad_alloc", "failed to allocate")
    )
