"""Stability: a file is ready when it has not changed for long enough, by our clock alone."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.intake.stability import Known, SeenFile, observe, restart

SETTLE_S = 2.0
FILE = SeenFile(b"/inbox/s01/intro.mp4", device=1, inode=2, size_bytes=3, mtime_ns=4)

paths = st.sampled_from([b"/inbox/a", b"/inbox/b", b"/inbox/c"])
files = st.builds(
    SeenFile,
    path=paths,
    device=st.integers(1, 2),
    inode=st.integers(1, 2),
    size_bytes=st.integers(0, 2),
    mtime_ns=st.integers(-1, 1),
    special=st.booleans(),
)
looks = st.lists(
    st.tuples(
        st.floats(0.0, 3.0),
        st.dictionaries(paths, files).map(lambda d: [replace(f, path=p) for p, f in d.items()]),
    ),
    max_size=12,
)


def test_a_file_is_ready_once_it_has_not_changed_for_the_settle_time() -> None:
    first = observe({}, [FILE], 100.0, SETTLE_S)
    assert first.ready == ()
    assert first.wake_at == 102.0
    assert observe(first.known, [FILE], 101.9, SETTLE_S).ready == ()
    assert observe(first.known, [FILE], 102.0, SETTLE_S).ready == (FILE,)


def test_any_change_begins_the_settle_time_anew() -> None:
    known = observe({}, [FILE], 100.0, SETTLE_S).known
    for changed in (
        replace(FILE, size_bytes=9),
        replace(FILE, mtime_ns=-9),
        replace(FILE, inode=9),
        replace(FILE, device=9),
        replace(FILE, special=True),
    ):
        again = observe(known, [changed], 102.0, SETTLE_S)
        assert again.ready == ()
        assert again.wake_at == 104.0


def test_a_file_that_was_gone_between_two_looks_is_new() -> None:
    known = observe({}, [FILE], 100.0, SETTLE_S).known
    gone = observe(known, [], 101.0, SETTLE_S)
    assert gone.known == {}
    assert gone.wake_at is None
    assert observe(gone.known, [FILE], 103.0, SETTLE_S).ready == ()


def test_the_ready_ones_come_in_order_of_arrival_then_of_name() -> None:
    early, late, later = (replace(FILE, path=path) for path in (b"/inbox/z", b"/inbox/a", b"/inbox/b"))
    known = observe({}, [early], 100.0, SETTLE_S).known
    known = observe(known, [later, late, early], 101.0, SETTLE_S).known
    grown = replace(early, size_bytes=9)  # came first and still does, though it settles last
    known = observe(known, [later, grown, late], 102.0, SETTLE_S).known
    assert observe(known, [later, late, grown], 104.0, SETTLE_S).ready == (grown, late, later)


def test_a_file_that_turned_out_to_be_in_use_settles_anew() -> None:
    other = replace(FILE, path=b"/inbox/other")
    known = observe({}, [FILE, other], 100.0, SETTLE_S).known
    known = restart(known, {FILE.path, b"/inbox/unknown"}, 102.0)
    assert observe(known, [FILE, other], 102.0, SETTLE_S).ready == (other,)
    assert observe(known, [FILE, other], 104.0, SETTLE_S).ready == (other, FILE)


@given(looks, st.floats(0.0, 4.0))
def test_whatever_is_ready_was_the_same_at_every_look_of_the_settle_time(
    steps: list[tuple[float, list[SeenFile]]], settle_s: float
) -> None:
    known: Mapping[bytes, Known] = {}
    now, history = 0.0, list[tuple[float, list[SeenFile]]]()
    for wait, seen in steps:
        now += wait
        history.append((now, seen))
        observed = observe(known, seen, now, settle_s)
        known = observed.known
        assert set(known) == {entry.path for entry in seen}
        for entry in seen:
            same_since = now
            for at, others in reversed(history):
                if entry not in others:
                    break
                same_since = at
            assert (entry in observed.ready) == (same_since + settle_s <= now)
            if entry not in observed.ready:
                assert observed.wake_at is not None
                assert now < observed.wake_at <= same_since + settle_s
        if len(observed.ready) == len(seen):
            assert observed.wake_at is None
