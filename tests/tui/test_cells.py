import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from introeval_tui.rows.cells import Row, changed, clean, fit, row, spread, to_ascii, wrap

ANYTHING = st.text(max_size=80)
WIDE = st.text(alphabet="a漢字é\u0301[]/\x1b\u202e\u200b👩‍🚀\u0000\n ", max_size=80)
WIDTHS = st.integers(0, 40)


@given(ANYTHING | WIDE, WIDTHS)
def test_a_text_fills_exactly_its_cells(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width
    assert cell_len(fit(text, width, ">")) == width


@given(ANYTHING | WIDE)
def test_nothing_that_moves_or_turns_text_is_left(text: str) -> None:
    left = {unicodedata.category(char) for char in clean(text)}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_an_escape_sequence_in_a_name_is_shown_and_not_obeyed() -> None:
    assert clean("a\x1b[2Jb") == "a\ufffd[2Jb"
    assert clean("\u202egpj.exe") == "\ufffdgpj.exe"


def test_markup_is_text() -> None:
    assert fit("[red]x[/", 10) == "[red]x[/  "


def test_a_hundred_accents_on_one_letter_do_not_flood_the_line() -> None:
    assert len(clean("e" + "\u0301" * 100)) <= 3


def test_what_is_cut_says_so() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("漢字漢字", 4) == "漢… "


@given(ANYTHING | WIDE, st.integers(2, 30))
def test_wrapped_lines_are_never_too_wide(text: str, width: int) -> None:
    assert all(cell_len(line) <= width for line in wrap(text, width))


def test_a_text_is_wrapped_at_its_spaces_and_a_long_word_is_broken() -> None:
    assert wrap("one two three", 8) == ["one two", "three"]
    assert wrap("abcdefgh", 3) == ["abc", "def", "gh"]
    assert wrap("", 5) == [""]


@given(st.lists(st.tuples(ANYTHING.map(clean), st.sampled_from(["", "red"])), max_size=6), WIDTHS)
def test_a_row_is_as_wide_as_it_is_to_be(pieces: Row, width: int) -> None:
    assert sum(cell_len(text) for text, _ in row(width, *pieces)) == width


@given(st.integers(0, 60))
def test_the_right_end_of_a_row_stays(width: int) -> None:
    assert sum(cell_len(text) for text, _ in spread(width, [("left" * 5, "")], [("right", "red")])) == width


def test_only_what_changed_is_repainted() -> None:
    old = row(20, ("name  ", ""), ("41% ", "cyan"), ("3m", ""))
    assert changed(old, old) == []
    assert changed(old, row(20, ("name  ", ""), ("42% ", "cyan"), ("3m", ""))) == [(6, 4)]
    assert changed(old, row(20, ("name  ", ""), ("41% ", "red"), ("3m", ""))) == [(6, 4)]
    assert changed(old, row(20, ("other ", ""), ("42% ", "cyan"), ("3m", ""))) == [(0, 10)]


ROWS = st.lists(
    st.tuples(st.text("ab漢", min_size=1, max_size=5), st.sampled_from(["", "red"])), max_size=6
).map(lambda pieces: row(20, *pieces))


@given(ROWS, ROWS)
def test_repainting_what_changed_gives_the_new_row(old: Row, new: Row) -> None:
    cells, wanted = _cells(old), _cells(new)
    for x, size in changed(old, new):
        cells[x : x + size] = wanted[x : x + size]
    assert cells == wanted


def _cells(pieces: Row) -> list[tuple[str, str]]:
    cells = []
    for text, style in pieces:
        for char in text:
            cells += [(char, style)] * cell_len(char)
    return cells


@given(ANYTHING | WIDE)
def test_ascii_takes_the_same_cells(text: str) -> None:
    harmless = clean(text)
    said = to_ascii(harmless)
    assert said.isascii()
    assert unicodedata.combining(harmless[0] if harmless else "a") or cell_len(said) == cell_len(harmless)


def test_every_sign_has_a_letter_of_its_own_in_ascii() -> None:
    signs = "●◆✓✗‖↻⊘◌"
    assert len(set(to_ascii(signs))) == len(signs)
    assert "?" not in to_ascii("●◐○◆✓✗‖↻⊘◌■█░▁▂▃▄▅▆▇─│┌┐└┘…·•")
