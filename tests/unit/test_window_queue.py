"""The queue of windows on a scripted stream: full batches, faults of one window, memory that runs out."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from daemon.stt.window_queue import Dropped, Recording, WindowQueue, WindowStep, is_out_of_memory

ENCODE, WRITE, RETRY = WindowStep("encode"), WindowStep("write", "en"), WindowStep("retry", "en")


@dataclass
class Stream:
    """Answers a value with itself; `room` windows fit, `poison` fails, and `held` is waited for."""

    room: int = 100
    poison: str = ""
    held: Event | None = None
    batches: list[list[Any]] = field(default_factory=list)

    def run(self, step: WindowStep, values: Sequence[Any]) -> Sequence[Any]:
        self.batches.append([step.name, *values])
        if self.held is not None:
            assert self.held.wait(10)
        if len(values) > self.room:
            raise RuntimeError("CUDA failed with error out of memory")
        if self.poison in values:
            raise RuntimeError("bad")
        return values


def serving(queue: WindowQueue, stream: Stream) -> None:
    Thread(target=queue.serve, args=(stream,), daemon=True).start()


def queue_of(
    size: int, *, patient: bool = True, tell: Callable[[list[int]], None] = lambda owners: None
) -> WindowQueue:
    return WindowQueue(size, patient=patient, check=lambda exc: None, tell=tell)


def put(queue: WindowQueue, owner: int, *values: str, step: WindowStep = ENCODE) -> "list[Future[Any]]":
    """Ask for a recording that ends with the last answer."""
    queue.enter(owner)
    return ending(queue, owner, queue.put(owner, step, values))


def ending(queue: WindowQueue, owner: int, answers: "list[Future[Any]]") -> "list[Future[Any]]":
    answers[-1].add_done_callback(lambda done: queue.leave(owner))
    return answers


def test_windows_of_several_recordings_fill_one_batch_in_order_and_each_gets_its_own_back() -> None:
    queue, stream = queue_of(4), Stream()
    second, first = put(queue, 2, "c", "d"), put(queue, 1, "a", "b")
    serving(queue, stream)
    assert [answer.result(10) for answer in first + second] == ["a", "b", "c", "d"]
    assert stream.batches == [["encode", "a", "b", "c", "d"]]


def test_a_batch_that_is_not_full_waits_for_a_recording_that_is_prepared() -> None:
    queue, stream = queue_of(4), Stream()
    queue.enter(2)
    first = put(queue, 1, "a", "b")
    serving(queue, stream)
    second = ending(queue, 2, queue.put(2, ENCODE, ["c"]))
    assert [answer.result(10) for answer in first + second] == ["a", "b", "c"]
    assert stream.batches == [["encode", "a", "b", "c"]]


def test_a_recording_that_ends_is_not_waited_for() -> None:
    queue, stream = queue_of(4), Stream()
    queue.enter(2)
    [answer] = put(queue, 1, "a")
    serving(queue, stream)
    queue.leave(2)
    assert answer.result(10) == "a"


def test_where_batches_gain_nothing_nobody_waits() -> None:
    queue, stream = queue_of(4, patient=False), Stream()
    queue.enter(2)
    [answer] = put(queue, 1, "a")
    serving(queue, stream)
    assert answer.result(10) == "a"


def test_what_leads_to_a_transcript_soonest_goes_first_and_a_retry_alone() -> None:
    queue, stream = queue_of(2), Stream()
    asked = put(queue, 1, "a", "b") + put(queue, 2, "c", "d", step=WRITE) + put(queue, 3, "e", step=RETRY)
    serving(queue, stream)
    for answer in asked:
        answer.result(10)
    assert stream.batches == [["retry", "e"], ["write", "c", "d"], ["encode", "a", "b"]]


def test_of_what_fills_no_batch_the_encoding_goes_first_since_more_follows() -> None:
    queue, stream = queue_of(8), Stream()
    asked = put(queue, 1, "a", step=WRITE) + put(queue, 2, "b")
    serving(queue, stream)
    for answer in asked:
        answer.result(10)
    assert stream.batches == [["encode", "b"], ["write", "a"]]


def test_texts_of_two_languages_share_no_batch() -> None:
    queue, stream = queue_of(8), Stream()
    asked = put(queue, 1, "a", step=WRITE) + put(queue, 2, "b", step=WindowStep("write", "de"))
    serving(queue, stream)
    for answer in asked:
        answer.result(10)
    assert sorted(map(len, stream.batches)) == [2, 2]


def test_a_poisoned_window_fails_alone() -> None:
    queue, stream = queue_of(3), Stream(poison="b")
    first, second, third = put(queue, 1, "a"), put(queue, 2, "b"), put(queue, 3, "c")
    serving(queue, stream)
    assert [answer.result(10) for answer in first + third] == ["a", "c"]
    with pytest.raises(RuntimeError, match="bad"):
        second[0].result(10)


def test_the_batch_is_halved_when_memory_runs_out_and_stays_so() -> None:
    queue, stream = queue_of(8), Stream(room=2)
    asked = put(queue, 1, *"abcdefgh")
    serving(queue, stream)
    assert [answer.result(10) for answer in asked] == list("abcdefgh")
    assert queue.batch_size == 2
    assert [len(batch) - 1 for batch in stream.batches] == [8, 4, 2, 2, 2, 2]


def test_no_room_for_one_window_is_a_memory_error() -> None:
    queue = queue_of(8)
    [answer] = put(queue, 1, "a")
    serving(queue, Stream(room=0))
    with pytest.raises(MemoryError):
        answer.result(10)


def test_what_is_dropped_is_not_heard_and_cannot_ask_again() -> None:
    queue, stream = queue_of(8), Stream()
    queue.enter(3)  # keeps the batch waiting
    [gone], [kept] = put(queue, 1, "a"), put(queue, 2, "b")
    queue.leave(1)
    with pytest.raises(Dropped):
        gone.result(10)
    with pytest.raises(Dropped):
        Recording(queue, 1).ask(ENCODE, ["c"])
    serving(queue, stream)
    queue.leave(3)
    assert kept.result(10) == "b"
    assert stream.batches == [["encode", "b"]]


def test_the_recordings_of_the_present_batch_are_told_and_no_others() -> None:
    told: list[list[int]] = []
    held = Event()
    queue = queue_of(2, tell=told.append)
    first, second = put(queue, 1, "a") + put(queue, 2, "b"), put(queue, 3, "c")
    serving(queue, Stream(held=held))
    held.set()
    for answer in first + second:
        answer.result(10)
    assert told[:3] == [[1, 2], [], [3]]


def test_two_streams_share_what_fills_no_batch() -> None:
    queue = queue_of(8, patient=False)
    streams = [Stream(), Stream()]
    queue.enter(1)
    for stream in streams:
        serving(queue, stream)
    while queue._idle < 2:
        time.sleep(0.001)
    asked = queue.put(1, ENCODE, "abcd")
    assert [answer.result(10) for answer in asked] == list("abcd")
    assert sorted(batch for stream in streams for batch in stream.batches)[0] == ["encode", "a", "b"]


@given(some.lists(some.integers(1, 7), min_size=1, max_size=12), some.integers(1, 9))
def test_any_class_takes_the_fewest_batches(lengths: list[int], size: int) -> None:
    queue, stream = queue_of(size), Stream()
    for owner in range(len(lengths)):
        queue.enter(owner)
    serving(queue, stream)
    asked = [
        ending(queue, owner, queue.put(owner, ENCODE, range(length))) for owner, length in enumerate(lengths)
    ]
    assert [[answer.result(10) for answer in mine] for mine in asked] == [list(range(n)) for n in lengths]
    assert len(stream.batches) == -(-sum(lengths) // size)


def test_memory_that_runs_out_is_told_from_other_errors() -> None:
    assert is_out_of_memory(RuntimeError("CUDA failed with error out of memory"))
    assert is_out_of_memory(RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("unspecified launch failure"))
