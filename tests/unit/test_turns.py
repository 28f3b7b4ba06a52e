"""Turns: nobody waits for another's thousand files, and nobody is passed over for ever."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.intake.turns import HEAVY_BYTES, InWork, in_turn, next_in_turn


@dataclass(frozen=True)
class File:
    number: int
    owner: int
    lane: str
    size_bytes: int = 1


NOTHING = InWork.of([])
FILES = st.lists(
    st.builds(
        File,
        number=st.integers(),
        owner=st.integers(1, 4),
        lane=st.sampled_from("abcde"),
        size_bytes=st.sampled_from([1, HEAVY_BYTES + 1]),
    ),
    max_size=40,
    unique_by=lambda file: file.number,
)


@given(FILES, FILES)
def test_turns_only_change_the_order(files: list[File], busy: list[File]) -> None:
    ordered = in_turn(files, InWork.of(busy))
    assert sorted(ordered, key=lambda file: file.number) == sorted(files, key=lambda file: file.number)


@given(FILES)
def test_the_files_of_one_student_of_one_account_keep_their_order(files: list[File]) -> None:
    ordered = in_turn(files, NOTHING)
    for owner in {file.owner for file in files}:
        for lane in {file.lane for file in files}:
            mine = [file for file in files if (file.owner, file.lane) == (owner, lane)]
            assert [file for file in ordered if (file.owner, file.lane) == (owner, lane)] == mine


@given(FILES)
def test_every_account_has_its_first_file_taken_before_any_has_its_second(files: list[File]) -> None:
    owners = [file.owner for file in in_turn(files, NOTHING)]
    first = len(set(owners))
    assert len(set(owners[:first])) == first


def test_students_take_turns_on_a_share_on_which_one_account_owns_all() -> None:
    flood = [File(number, 1, "mallory") for number in range(1000)]
    others = [File(1000 + number, 1, f"s{number:03d}") for number in range(30)]
    ordered = in_turn([*flood, *others], NOTHING)
    assert max(ordered.index(file) for file in others) <= 30


def test_an_account_with_many_invented_students_takes_turns_with_the_other_accounts() -> None:
    flood = [File(number, 1, f"invented{number}") for number in range(1000)]
    others = [File(1000 + number, 2 + number, f"s{number:03d}") for number in range(30)]
    ordered = in_turn([*flood, *others], InWork.of([File(-1, 1, "invented")]))
    assert ordered[:30] == others


def may_begin(file: File, busy: list[File]) -> bool:
    """One at a time of each student of an account; four at once, or six for an account of which nothing is
    busy; of heavy ones two, or three for an account of which nothing heavy is."""
    heavy = [other for other in busy if other.size_bytes > HEAVY_BYTES]
    alone = all(other.owner != file.owner for other in busy)
    heavy_alone = all(other.owner != file.owner for other in heavy)
    return (
        all((other.owner, other.lane) != (file.owner, file.lane) for other in busy)
        and len(busy) < (6 if alone else 4)
        and (file.size_bytes <= HEAVY_BYTES or len(heavy) < (3 if heavy_alone else 2))
    )


@given(FILES, st.lists(FILES, max_size=1).map(lambda lists: [file for files in lists for file in files][:7]))
def test_few_files_at_once_and_few_heavy_ones_and_the_account_with_the_fewest_first(
    waiting: list[File], busy: list[File]
) -> None:
    load = InWork.of(busy)
    chosen = next_in_turn(waiting, load)
    allowed = [file for file in waiting if may_begin(file, busy)]
    if chosen is None:
        assert not allowed
    else:
        assert chosen in allowed
        assert load.owners.get(chosen.owner, 0) == min(load.owners.get(file.owner, 0) for file in allowed)


def test_an_account_of_which_nothing_is_busy_does_not_wait_for_what_is_slow_of_others() -> None:
    slow = [File(number, 1, f"invented{number}", HEAVY_BYTES + 1) for number in range(2)]
    slow += [File(number, 1, f"invented{number}") for number in range(2, 4)]
    waiting = [File(4, 1, "invented4"), File(5, 2, "bob", HEAVY_BYTES + 1)]
    assert next_in_turn(waiting, InWork.of(slow)) == waiting[1]
    assert next_in_turn(waiting[:1], InWork.of(slow)) is None


@given(FILES)
def test_all_come_to_their_turn(files: list[File]) -> None:
    waiting, done = list(files), 0
    while (chosen := next_in_turn(waiting, NOTHING)) is not None:
        waiting.remove(chosen)
        done += 1
    assert done == len(files)
