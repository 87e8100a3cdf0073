"""Lines of CSV that polars takes at once, and the same ones looked at one by one: no difference."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from bitso_spread.errors import LakeError
from bitso_spread.lake.columns import COLUMNS, FULL, SCHEMAS
from bitso_spread.lake.importing import reading
from bitso_spread.lake.importing.outcome import Example, Reason
from bitso_spread.lake.importing.parsing import PLACE, Refuse, conform
from bitso_spread.lake.importing.reading import Numbered, grouped, read_rows, read_together
from bitso_spread.lake.importing.sources import SourceFile

TIMES = st.sampled_from(
    ["2026-09-21T12:00:00+00:00", "2026-09-21 12:00:00Z", "2026-09-21T06:00:00.5-06:00", "soon", ""]
)
NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.integers(0, 10**7).map(str),
    st.sampled_from(["", " 1.5", "1.5 ", "+2", "1.", ".5", "1e5", "1_0", "0x1", "inf", "x", '"3"']),
)
BOOKS = st.sampled_from(["btc_mxn", "BTC-MXN", " btc_mxn ", "btc", "", "ñ_ñ"])
ROWS = st.tuples(TIMES, BOOKS, NUMBERS, NUMBERS, NUMBERS)
FULL_ROWS = st.tuples(
    ROWS,
    st.tuples(NUMBERS, NUMBERS, TIMES, NUMBERS, st.sampled_from(["fresh", " quiet", ""]), BOOKS),
)
LINES = st.one_of(
    ROWS.map(",".join),
    ROWS.map(",".join),
    st.sampled_from(["", "x", "1,b,c,d,e,f", ",,,,", "\r", "2026"]),
)
TEXTS = st.tuples(st.lists(LINES, max_size=4), st.sampled_from(["", "\n"])).map(
    lambda parts: "\n".join(parts[0]) + parts[1]
)
HEADERS = st.sampled_from(["", ",".join(COLUMNS) + "\n"])

Refusals = list[tuple[Reason, int, int, list[int | None]]]
"""Why, of which file, how many, and the lines that are shown. Of what these say, numbers are spelt
as they were read."""


def one_by_one(files: list[Numbered], *, by_line: bool) -> tuple[pl.DataFrame, Refusals]:
    """Read files by themselves; `by_line` without ever trying to take lines at once."""
    refused: Refusals = []
    with pytest.MonkeyPatch.context() as patch:
        if by_line:
            patch.setattr(reading, "_parse", _never)
        frames = [rows for file in files for rows in read_rows(file, into(refused))]
    return pl.concat([_no_rows(), *frames]), refused


def into(refused: Refusals) -> Refuse:
    """Note what is refused."""

    def note(reason: Reason, source: int, rows: int, examples: list[Example]) -> None:
        refused.append((reason, source, rows, [example.line for example in examples]))

    return note


def _never(*_: object) -> pl.DataFrame:
    raise reading._OtherwiseError


def _no_rows() -> pl.DataFrame:
    schema = {**dict.fromkeys(COLUMNS, pl.String()), **PLACE}
    return conform(pl.DataFrame(schema=schema), into([]))


def write(folder: str, texts: list[str]) -> list[Numbered]:
    paths = [Path(folder, f"{number}.csv") for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, newline="")
    (group,) = grouped(SourceFile(path, path.stat().st_size) for path in paths)
    return group


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(HEADERS, TEXTS).map("".join), min_size=1, max_size=3))
def test_any_lines_give_the_same_rows_and_refusals_in_either_way(texts: list[str]) -> None:
    with TemporaryDirectory() as folder:
        files = write(folder, texts)
        expected, refused = one_by_one(files, by_line=True)
        rows, also_refused = one_by_one(files, by_line=False)
        assert_frame_equal(rows, expected)
        assert also_refused == refused


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(HEADERS, st.lists(ROWS, min_size=1, max_size=3)), min_size=2, max_size=4))
def test_many_files_at_once_give_the_rows_of_each(
    texts: list[tuple[str, list[tuple[str, ...]]]],
) -> None:
    with TemporaryDirectory() as folder:
        files = write(
            folder, [head + "".join(",".join(row) + "\n" for row in rows) for head, rows in texts]
        )
        expected, refused = one_by_one(files, by_line=True)
        also_refused: Refusals = []
        together = read_together(files, into(also_refused))
        if together is not None:
            assert_frame_equal(together[0], expected)
            assert _by_file(also_refused) == _by_file(refused)
            assert not together[1]


def _by_file(refused: Refusals) -> Refusals:
    return sorted(refused, key=lambda one: (one[0], one[1]))


@settings(max_examples=200, deadline=None)
@given(st.lists(FULL_ROWS, min_size=1, max_size=4))
def test_full_columns_give_the_same_rows_in_either_way(
    rows: list[tuple[tuple[str, ...], tuple[str, ...]]],
) -> None:
    header = ",".join(SCHEMAS[FULL]) + "\n"
    with TemporaryDirectory() as folder:
        files = write(folder, [header + "".join(",".join(a + b) + "\n" for a, b in rows)])
        expected, refused = one_by_one(files, by_line=True)
        found, also_refused = one_by_one(files, by_line=False)
        assert_frame_equal(found, expected)
        assert also_refused == refused


def test_a_line_too_long_and_one_too_short_do_not_make_up_for_each_other(tmp_path: Path) -> None:
    a_row = "2026-09-21T12:00:00Z,btc_mxn,100.0,200.0,50.0"
    for extra in ("", ",note"):
        header = ",".join(COLUMNS) + extra + "\n"
        text = header + f"{a_row}{extra and ',n'}\n{a_row},m,m\n{a_row[:-5]}{extra and ',n'}\n"
        files = write(str(tmp_path), [text, text])
        assert read_together(files, lambda *_: None) is None
        rows, refused = one_by_one(files, by_line=False)
        assert rows.height == 2
        assert {one[0] for one in refused} == {Reason.FIELDS}


def test_files_are_read_together_only_where_they_are_small_and_of_one_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "_LARGE_BYTES", 100)
    monkeypatch.setattr(reading, "_GROUP_BYTES", 150)
    sizes = [("a.csv", 60), ("b.csv", 60), ("c.csv", 60), ("d.csv", 101), ("e.csv", 0)]
    sizes += [("f.parquet", 0), ("g.parquet", 10)]
    groups = list(grouped(SourceFile(Path(name), size) for name, size in sizes))
    assert [[file.path.name[0] for file in group] for group in groups] == [
        ["a", "b"],
        ["c"],
        ["d"],
        ["e"],
        ["f", "g"],
    ]
    assert [file.number for group in groups for file in group] == [*range(7)]


A_ROW = "2026-09-21T12:00:00Z,btc_mxn,100.0,200.0,50.0\n"


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("time,symbol,b,a,s", "header with unknown names (time, symbol, b, a, s): the columns are"),
        ('"Time (UTC)",Book,Bid,Ask,Spread %', "(Time (UTC), Book, Bid, Ask, Spread %)"),
        ("\ufefftime,symbol,b,a,s,more", "(time, symbol, b, a, s, more)"),
        (";".join(COLUMNS), "apart by semicolons, not by commas: orderbook_timestamp;book"),
        (A_ROW.strip().replace(",", ";"), "apart by semicolons, not by commas: 2026-09-21"),
        ("2026-09-21T12:00:00Z;btc_mxn;100,0;200,0;50,0", "apart by semicolons"),
        (A_ROW.strip().replace(",", "\t"), "apart by tabs, not by commas"),
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_a_file_whose_first_line_shows_that_it_is_of_another_form_is_refused(
    tmp_path: Path, header: str, says: str, count: int
) -> None:
    files = write(str(tmp_path), [f"{header}\n{A_ROW}"] * count)
    assert count == 1 or read_together(files, lambda *_: None) is None
    with pytest.raises(LakeError, match=r"\.csv cannot be imported") as caught:
        [*read_rows(files[0], lambda *_: None)]
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "line",
    ["soon,btc_mxn,1,2,3", "time,btc_mxn,nan,inf,x", "x,y", "a,a,b,c,d", ",book,bid,ask,spread"],
)
def test_a_first_line_that_may_be_a_row_is_refused_alone(tmp_path: Path, line: str) -> None:
    (file,) = write(str(tmp_path), [f"{line}\n{A_ROW}"])
    refused: Refusals = []
    rows = pl.concat(read_rows(file, into(refused)))
    assert rows.height == 1
    assert [(count, lines) for _, _, count, lines in refused] == [(1, [1])]


def test_names_that_are_ours_in_any_order_are_no_unknown_header(tmp_path: Path) -> None:
    header = ",".join(reversed(COLUMNS)) + ",a;b;c;d;e\n"
    row = ",".join(reversed(A_ROW.strip().split(","))) + ",x\n"
    (file,) = write(str(tmp_path), [header + row])
    assert pl.concat(read_rows(file, lambda *_: None))["bid"].to_list() == [100.0]
