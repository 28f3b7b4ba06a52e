"""Tables of other systems: what is not changed stays, byte by byte."""

import csv
import io
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.classes.sheet import SheetUnreadable, TableFile

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), max_size=12)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], str, bytes]:
    """Rows of one length, their delimiter, and the file."""
    columns = draw(st.integers(2, 5))
    rows = draw(st.lists(st.lists(TEXT, min_size=columns, max_size=columns), min_size=1, max_size=6))
    rows[0] = [f"title {at}" for at in range(columns)]
    delimiter = draw(st.sampled_from(",;\t"))
    out = io.StringIO(newline="")
    quoting: Literal[0, 1] = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    return rows, delimiter, out.getvalue().encode(draw(st.sampled_from(ENCODINGS)))


@given(tables())
def test_a_table_is_read_as_csv_and_written_back_as_it_was(table: tuple[list[list[str]], str, bytes]) -> None:
    rows, delimiter, content = table
    sheet = TableFile(content)
    assert [list(row.cells) for row in sheet.rows] == rows
    assert sheet.delimiter == delimiter
    assert sheet.changed({}) == content


@given(tables(), TEXT, st.data())
def test_a_changed_cell_changes_no_other(
    table: tuple[list[list[str]], str, bytes], text: str, data: st.DataObject
) -> None:
    rows, _, content = table
    at = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(rows[0]) - 1))
    sheet = TableFile(content)
    new = TableFile(sheet.changed({(at[0] + 1, at[1]): text}))
    expected = [list(row) for row in rows]
    expected[at[0]][at[1]] = text
    assert [list(row.cells) for row in new.rows] == expected
    assert [row.end for row in new.rows] == [row.end for row in sheet.rows]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_one_byte_a_letter_is_kept_and_what_is_new_is_plain_there(encoding: str) -> None:
    content = "Name;Note\r\n\r\nGrün;\r\n".encode(encoding)
    changed = TableFile(content).changed({(3, 1): "très “bon”"})
    assert changed == content[:-2] + b"tr&#232;s &#8220;bon&#8221;\r\n"


def test_a_row_without_the_empty_cells_at_its_end_gets_what_is_entered() -> None:
    changed = TableFile(b"a,b,c,d\r\n1\r\n2,x\r\n").changed({(2, 2): "7", (3, 1): "8"})
    assert changed == b"a,b,c,d\r\n1,,7\r\n2,8\r\n"
    assert TableFile(b"a,b,c\n1\n").changed({(2, 2): "7"}, (0, 2)) == b"a,c\n1,7\n"


def test_only_some_columns_are_kept() -> None:
    assert TableFile(b'a,"b",c\r\n1,2\r\n').changed({}, (0, 2)) == b"a,c\r\n1\r\n"


@pytest.mark.parametrize(
    "content", [b"", b"\r\n", b'a,b\n"1,2\n', b'a,b\n1"2,"x"y\n', b"a,b\n\0,1\n", b"\xff\xfea"]
)
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(SheetUnreadable):
        TableFile(content)
