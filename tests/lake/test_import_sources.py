"""What can be imported: files and folders of any shape, and the five columns in any form."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.errors import LakeError
from bitso_spread.lake.audit import audit
from bitso_spread.lake.importing import outcome, reading, spool
from bitso_spread.lake.importing.outcome import Reason
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.reader import Lake
from bitso_spread.model import Sample, State
from tests.lake.audit_support import foreign, record
from tests.lake.import_support import (
    A_LINE,
    HEADER,
    a_source,
    a_text,
    bids,
    bring,
    in_lake,
    priced,
    rows_from,
)
from tests.lake.support import DAY, NOON, table_files

SHARED = Path(__file__).parents[3] / "shared"
OBSERVED = SHARED / "bitso" / "samples" / "observed"
PREDECESSOR = SHARED / "lake-2024-07-26"


@pytest.mark.skipif(not PREDECESSOR.is_dir(), reason="needs ../shared/lake-2024-07-26")
def test_the_predecessor_s_lake_goes_in_whole_and_as_it_is(tmp_path: Path) -> None:
    done = bring(tmp_path, PREDECESSOR)
    assert (done.files, done.read, done.taken, done.refused) == (2, 1200, 1200, {})
    assert Lake(tmp_path).read().equals(Lake(PREDECESSOR).read())
    report = audit(Lake(tmp_path))
    assert report.findings == ()
    assert report.totals.float32 > 0
    again = bring(tmp_path, PREDECESSOR)
    assert (again.taken, again.there) == (0, 1200)


@pytest.mark.skipif(not OBSERVED.is_dir(), reason="needs ../shared/bitso/samples/observed")
@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_what_others_observed_goes_in_whole(tmp_path: Path, file_format: str) -> None:
    done = bring(tmp_path, OBSERVED, file_format=file_format)
    lines = sum(path.read_bytes().count(b"\n") - 1 for path in OBSERVED.glob("*.csv"))
    assert (done.read, done.taken) == (lines, lines)
    assert {path.suffix for path in table_files(tmp_path)} == {f".{file_format}"}
    assert audit(Lake(tmp_path)).findings == ()


LIKE_IT = {
    "a header": HEADER + A_LINE,
    "no header": A_LINE,
    "a time in quotes": HEADER + A_LINE.replace("2026", '"2026').replace("+00:00", '+00:00"'),
    "all in quotes": ",".join(f'"{value}"' for value in A_LINE.strip().split(",")) + "\n",
    "another offset": A_LINE.replace("12:00:00+00:00", "06:00:00-06:00"),
    "Z": A_LINE.replace("+00:00", "Z"),
    "no colon": A_LINE.replace("+00:00", "+0000"),
    "a blank for the T": A_LINE.replace("21T", "21 "),
    "fractions that are none": A_LINE.replace("00+00", "00.000000+00"),
    "the line ends of Windows": (HEADER + A_LINE).replace("\n", "\r\n"),
    "a byte order mark": "\ufeff" + HEADER + A_LINE,
    "blank lines": HEADER + "\n" + A_LINE + "\n\n",
    "other columns, in another order": (
        "n,spread,ask,bid,book,orderbook_timestamp\n"
        "7,50.0,200.0,100.0,btc_mxn,2026-09-21T12:00:00+00:00\n"
    ),
    "a book as people write it": A_LINE.replace("btc_mxn", "BTC-MXN"),
    "whole numbers": A_LINE.replace(".0", ""),
    "blanks around values": A_LINE.replace(",", " , "),
}


def test_csv_of_any_writer_gives_the_same_row(tmp_path: Path) -> None:
    sources = [a_text(tmp_path, text, f"{form}.csv") for form, text in LIKE_IT.items()]
    done = bring(tmp_path / "lake", *sources)
    assert (done.read, done.taken, done.repeated) == (len(LIKE_IT), 1, len(LIKE_IT) - 1)
    (path,) = table_files(tmp_path / "lake")
    assert path.read_text() == HEADER + A_LINE
    assert path.relative_to(tmp_path / "lake" / TABLE).as_posix() == (
        "date=20260921/order_book=btc_mxn/minutes=720/btc_mxn-20260921T120000Z.csv"
    )


INSTANT = pl.Series("orderbook_timestamp", [NOON * 1_000_000]).cast(pl.Datetime("us"))
PARQUET = {
    "UTC": INSTANT.dt.replace_time_zone("UTC"),
    "no zone": INSTANT,
    "another zone": INSTANT.dt.replace_time_zone("UTC").dt.convert_time_zone("America/Mexico_City"),
    "nanoseconds": INSTANT.dt.cast_time_unit("ns"),
    "texts": pl.Series("orderbook_timestamp", ["2026-09-21T12:00:00Z"]),
}


def test_parquet_with_times_of_any_type_gives_the_same_row(tmp_path: Path) -> None:
    values = {"book": ["btc_mxn"], "bid": [100], "ask": [200.0], "spread": [50.0], "note": ["x"]}
    paths = [tmp_path / f"{form}.parquet" for form in PARQUET]
    for path, time in zip(paths, PARQUET.values(), strict=True):
        pl.DataFrame({"orderbook_timestamp": time, **values}).write_parquet(path)
    done = bring(tmp_path / "lake", *paths)
    assert (done.read, done.taken, done.repeated) == (len(PARQUET), 1, len(PARQUET) - 1)
    assert table_files(tmp_path / "lake")[0].read_text() == HEADER + A_LINE


def test_prices_of_32_bits_are_those_that_were_meant(tmp_path: Path) -> None:
    line = "2024-07-26T03:15:43+00:00,usd_mxn,18.326,18.387,0.33175024\n"
    coarse = pl.read_csv(
        (HEADER + line).encode(),
        schema_overrides=dict.fromkeys(("bid", "ask", "spread"), pl.Float32),
    )
    coarse.write_parquet(tmp_path / "coarse.parquet")
    assert bring(tmp_path / "lake", tmp_path / "coarse.parquet").taken == 1
    assert table_files(tmp_path / "lake")[0].read_text() == HEADER + line


def test_a_folder_of_any_shape_is_walked_and_debris_passed_over(tmp_path: Path) -> None:
    rows = rows_from(NOON, 6)
    source = tmp_path / "source"
    a_source(source / "x" / "y", rows[:2])
    a_source(source / "x" / "y", rows[2:4], "z.parquet")
    a_source(source, rows[4:], "date=1/odd.csv")
    for debris in ("_temporary/0/part.csv", ".hidden.csv", "_SUCCESS", "notes.txt", "a.csv.crc"):
        a_text(source, "no row of any kind\n", debris)
    a_text(source, "", "empty.csv")
    a_text(source, "", "empty.parquet")
    done = bring(tmp_path / "lake", source)
    assert (done.files, done.read, done.refused) == (5, 6, {})
    assert in_lake(tmp_path / "lake") == bids(rows)


def test_a_file_that_two_sources_name_is_read_once(tmp_path: Path) -> None:
    path = a_source(tmp_path / "source", rows_from(NOON, 3))
    done = bring(tmp_path / "lake", tmp_path / "source", path)
    assert (done.files, done.read, done.taken) == (1, 3, 3)


def test_rows_may_come_in_any_order_and_days_and_books_in_one_file(tmp_path: Path) -> None:
    rows = [
        row for book in ("btc_mxn", "usd_mxn") for row in rows_from(DAY + 86_400 - 50, 100, book)
    ]
    mixed = random.Random(1).sample(rows, len(rows))  # noqa: S311  (no secret)
    done = bring(tmp_path / "lake", a_source(tmp_path, mixed))
    assert done.taken == 200
    assert {book: span.rows for book, span in done.books.items()} == {
        "btc_mxn": 100,
        "usd_mxn": 100,
    }
    for book in ("btc_mxn", "usd_mxn"):
        assert in_lake(tmp_path / "lake", book) == bids(row for row in rows if row.book == book)
    # Midnight splits what would be one batch.
    assert len(table_files(tmp_path / "lake")) == 4
    assert audit(Lake(tmp_path / "lake")).findings == ()


def test_what_is_larger_than_memory_comes_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_from(DAY + 86_400 - 50, 100)
    sources = a_source(tmp_path, rows[:60]), a_source(tmp_path, rows[60:], "b.parquet")
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 100)
    monkeypatch.setattr(reading, "_BLOCK_ROWS", 7)
    monkeypatch.setattr(spool, "_HELD_ROWS", 10)
    assert bring(tmp_path / "lake", *sources).taken == 100
    assert in_lake(tmp_path / "lake") == bids(rows)


def test_rows_of_the_full_columns_keep_all_that_they_say(tmp_path: Path) -> None:
    said = Sample(
        NOON,
        "btc_mxn",
        100.0,
        200.0,
        50.0,
        State.QUIET,
        0.5,
        None,
        NOON * 1000 - 1234,
        1234,
        "rest",
    )
    for name in ("a.csv", "a.parquet"):
        lake = tmp_path / f"lake-{name}"
        assert bring(lake, a_source(tmp_path, [said], name, "full")).taken == 1
        (row,) = Lake(lake).read(columns="full").iter_rows(named=True)
        assert (row["state"], row["age_ms"], row["source"]) == ("quiet", 1234, "rest")
        assert (row["bid_amount"], row["ask_amount"]) == (0.5, None)
        assert int(row["exchange_time"].timestamp() * 1000) == NOON * 1000 - 1234


BAD = {
    "2026-09-21T12:00:00,btc_mxn,100.0,200.0,50.0": Reason.TIME,
    "soon,btc_mxn,100.0,200.0,50.0": Reason.TIME,
    ",btc_mxn,100.0,200.0,50.0": Reason.TIME,
    "1969-12-31T23:59:59Z,btc_mxn,100.0,200.0,50.0": Reason.TIME,
    "2026-09-21T12:00:00Z,btc,100.0,200.0,50.0": Reason.BOOK,
    "2026-09-21T12:00:00Z,../../x,100.0,200.0,50.0": Reason.BOOK,
    "2026-09-21T12:00:00Z,,100.0,200.0,50.0": Reason.BOOK,
    "2026-09-21T12:00:00Z,btc_mxn,100.0,high,50.0": Reason.NUMBER,
    "2026-09-21T12:00:00Z,btc_mxn,100.0,200.0": Reason.FIELDS,
    "2026-09-21T12:00:00Z,btc_mxn,100.0,200.0,50.0,": Reason.FIELDS,
    "2026-09-21T12:00:00.5Z,btc_mxn,100.0,200.0,50.0": Reason.OFF_GRID,
    "2036-09-21T12:00:00Z,btc_mxn,100.0,200.0,50.0": Reason.FUTURE,
    "2026-09-21T12:00:00Z,btc_mxn,100.0,,50.0": Reason.IMPOSSIBLE,
    "2026-09-21T12:00:00Z,btc_mxn,100.0,200.0,": Reason.IMPOSSIBLE,
    "2026-09-21T12:00:00Z,btc_mxn,-100.0,200.0,150.0": Reason.IMPOSSIBLE,
    "2026-09-21T12:00:00Z,btc_mxn,NaN,200.0,50.0": Reason.IMPOSSIBLE,
    "2026-09-21T12:00:00Z,btc_mxn,200.0,200.0,0.0": Reason.CROSSED,
    "2026-09-21T12:00:00Z,btc_mxn,100.0,200.0,49.9": Reason.SPREAD,
}


def test_a_row_that_cannot_be_true_is_refused_with_the_reason(tmp_path: Path) -> None:
    good = A_LINE.replace("12:00:00", "12:00:09")
    text = HEADER + "\n".join(BAD) + "\n" + good
    done = bring(tmp_path / "lake", a_text(tmp_path, text))
    assert (done.read, done.taken) == (len(BAD) + 1, 1)
    assert {why: refused.rows for why, refused in done.refused.items()} == Counter(BAD.values())
    for reason, refused in done.refused.items():
        line, first = next(
            (i, line) for i, (line, why) in enumerate(BAD.items(), 2) if why is reason
        )
        at = f"{tmp_path / 'rows.csv'}, line {line}: "
        assert refused.first.startswith(f"{at}{first[:10]}"[:-1]), reason
    assert in_lake(tmp_path / "lake") == {NOON + 9: 100.0}


@pytest.mark.parametrize(("line", "reason"), [*BAD.items()][3:13:2])
def test_a_row_alone_is_refused_as_well(tmp_path: Path, line: str, reason: Reason) -> None:
    done = bring(tmp_path / "lake", a_text(tmp_path, line + "\n"))
    assert (done.read, list(done.refused)) == (1, [reason])
    assert table_files(tmp_path / "lake") == []


def test_a_last_line_without_an_end_is_refused(tmp_path: Path) -> None:
    done = bring(tmp_path / "lake", a_text(tmp_path, A_LINE + A_LINE[:-5].replace(":00+", ":01+")))
    assert (done.taken, list(done.refused)) == (1, [Reason.CUT])


def test_what_a_file_says_can_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    line = A_LINE.replace("btc_mxn", "\033[31mbtc\007")
    done = bring(tmp_path / "lake", a_text(tmp_path, line))
    (refused,) = done.refused.values()
    assert "?[31mbtc?" in refused.first
    assert refused.first.isprintable()


def test_a_row_off_the_grid_of_the_interval_is_refused(tmp_path: Path) -> None:
    source = a_source(tmp_path, rows_from(NOON, 21))
    done = bring(tmp_path / "lake", source, interval=10)
    assert (done.taken, done.refused[Reason.OFF_GRID].rows) == (3, 18)


@pytest.mark.parametrize(
    ("state", "bid"), [("asleep", 100.0), ("unknown", 100.0), ("fresh", None), ("", 100.0)]
)
def test_a_state_that_contradicts_the_prices_is_refused(
    tmp_path: Path, state: str, bid: float | None
) -> None:
    path = a_source(tmp_path, [priced(NOON), priced(NOON + 1)], "a.parquet", "full")
    first = pl.int_range(pl.len()) == 0
    told = [pl.lit(state).alias("state")]
    if bid is None:
        told += [pl.lit(None, pl.Float64).alias(name) for name in ("bid", "ask", "spread")]
    frame = pl.read_parquet(path).with_columns(
        pl.when(first)
        .then(expr)
        .otherwise(pl.col(expr.meta.output_name()))
        .alias(expr.meta.output_name())
        for expr in told
    )
    frame.write_parquet(path)
    done = bring(tmp_path / "lake", path)
    assert (done.taken, list(done.refused)) == (1, [Reason.STATE])


def test_what_is_no_source_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source, said in (
        (tmp_path / "nowhere", "there is no .*nowhere: name a .csv or .parquet file, or a folder"),
        (tmp_path / "empty", "there is nothing to import in .*empty: no .csv or .parquet file"),
        (a_text(tmp_path, "", "a.txt"), "a.txt is neither .csv nor .parquet"),
        (a_text(tmp_path, "PAR1 not", "a.parquet"), "a.parquet cannot be read: "),
        (a_text(tmp_path, "orderbook_timestamp,book\n"), "it has no column bid, ask, spread"),
    ):
        with pytest.raises(LakeError, match=said):
            bring(tmp_path / "lake", source)
    assert table_files(tmp_path / "lake") == []


def test_a_file_that_cannot_be_read_ends_it_with_nothing_taken_or_is_passed_over(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    a_source(source, rows_from(NOON, 3))
    a_text(source, "PAR1 not", "z.parquet")
    with pytest.raises(LakeError, match=r"z\.parquet cannot be read"):
        bring(tmp_path / "lake", source)
    assert table_files(tmp_path / "lake") == []
    told: list[LakeError] = []
    done = bring(tmp_path / "lake", source, on_bad=told.append)
    assert (done.taken, done.unreadable) == (3, [str(error) for error in told])
    assert len(told) == 1


def closed(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Have folders refuse to be listed; root, as which tests may run, may list any."""
    scandir = os.scandir

    def refuse(path: Path | str | int) -> object:
        if str(path) in map(str, folders):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_folder_that_cannot_be_read_ends_it_with_nothing_taken_or_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    a_source(source / "closed", rows_from(NOON, 3))
    a_source(source / "open", rows_from(NOON + 3, 3))
    a_source(source, rows_from(NOON + 6, 3))
    closed(monkeypatch, source / "closed")
    with pytest.raises(LakeError, match="source/closed cannot be read: Permission denied"):
        bring(tmp_path / "lake", source)
    assert not (tmp_path / "lake").exists()
    told: list[LakeError] = []
    done = bring(tmp_path / "lake", source, on_bad=told.append)
    assert (done.taken, done.files, done.unreadable) == (6, 2, [])
    assert done.unlisted == [str(error) for error in told]
    assert len(told) == 1


def test_a_source_that_is_closed_as_a_whole_is_passed_over_if_there_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_source(tmp_path / "closed", rows_from(NOON, 3))
    a_source(tmp_path / "open", rows_from(NOON, 3))
    closed(monkeypatch, tmp_path / "closed")
    sources = tmp_path / "closed", tmp_path / "open"
    done = bring(tmp_path / "lake", *sources, on_bad=lambda _: None)
    assert (done.taken, len(done.unlisted)) == (3, 1)
    with pytest.raises(LakeError, match="closed cannot be read"):
        bring(tmp_path / "lake", sources[0], on_bad=lambda _: None)


def test_a_journal_that_cannot_be_read_ends_it_or_is_passed_over(tmp_path: Path) -> None:
    source = tmp_path / "source"
    record(source, rows_from(NOON, 3))
    journal = state_file(source, TABLE)
    journal.write_bytes(b"no journal" * 100)
    with pytest.raises(LakeError, match=r"sqlite3 cannot be read|file is not a database"):
        bring(tmp_path / "lake", source)
    done = bring(tmp_path / "lake", source, on_bad=lambda _: None)
    assert (done.taken, len(done.unlisted)) == (3, 1)
    assert str(journal) in done.unlisted[0]


def test_a_name_without_a_file_is_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    source = tmp_path / "source"
    a_source(source, rows_from(NOON, 3))
    (source / "b.csv").symlink_to(source / "nowhere")
    with pytest.raises(LakeError, match=r"b\.csv cannot be read: No such file"):
        bring(tmp_path / "lake", source)
    done = bring(tmp_path / "lake", source, on_bad=lambda _: None)
    assert (done.taken, len(done.unreadable)) == (3, 1)


def test_one_bad_file_among_many_is_passed_over_alone(tmp_path: Path) -> None:
    for form in ("csv", "parquet"):
        source, lake = tmp_path / form, tmp_path / f"lake-{form}"
        for number in range(5):
            a_source(source, rows_from(NOON + 10 * number, 10), f"{number}.{form}")
        a_source(source, rows_from(NOON + 50, 10), f"5.{form}", "full")
        a_text(source, "", f"6.{form}")
        a_text(source, "orderbook_timestamp,book\n" if form == "csv" else "PAR1", f"2.{form}")
        done = bring(lake, source, on_bad=lambda _: None)
        assert (done.files, done.taken, len(done.unreadable)) == (7, 50, 1)
        assert str(source / f"2.{form}") in done.unreadable[0]
        assert done.refused == {}


def test_refused_rows_are_told_by_file_and_line(tmp_path: Path) -> None:
    crossed = A_LINE.replace("100.0,200.0,50.0", "200.0,100.0,-100.0")
    half = A_LINE.replace("00+", "00.5+")
    one = a_text(tmp_path, HEADER + A_LINE + crossed + "\n" + "x,y\n" + half, "one.csv")
    two = a_text(tmp_path, (half + "x\n") * 5 + "2026", "two.csv")
    three = a_source(tmp_path, [priced(NOON + i, 300 if i > 2 else 100) for i in range(9)], "3.csv")
    pl.read_csv(three, try_parse_dates=True).write_parquet(tmp_path / "three.parquet")
    done = bring(tmp_path / "lake", one, two, tmp_path / "three.parquet")
    lines = {
        reason: {
            Path(path).name: (of_file.rows, [example.line for example in of_file.examples])
            for path, of_file in refused.files.items()
        }
        for reason, refused in done.refused.items()
    }
    assert lines == {
        Reason.FIELDS: {"one.csv": (1, [5]), "two.csv": (5, [2, 4, 6])},
        Reason.CUT: {"two.csv": (1, [11])},
        Reason.OFF_GRID: {"one.csv": (1, [6]), "two.csv": (5, [1, 3, 5])},
        Reason.CROSSED: {"one.csv": (1, [3]), "three.parquet": (6, [4, 5, 6])},
    }
    assert done.refused[Reason.CUT].first == f"{two}, line 11: 2026"
    (first, *_) = done.refused[Reason.CROSSED].files[str(tmp_path / "three.parquet")].examples
    assert first.text == "2026-09-21 12:00:03+00:00,btc_mxn,300.0,200.0,-50.0"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_lines_are_those_of_each_file_also_where_many_are_read_at_once_or_one_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    for number in range(4):
        rows = [priced(NOON + 10 * number + i, 300 if i == 2 + number else 100) for i in range(9)]
        a_source(tmp_path / "source", rows, f"{number}.{form}", "full" if number == 1 else "five")
    expected = {f"{number}.{form}": [3 + number + (form == "csv")] for number in range(4)}
    for number, (block, group) in enumerate([(100_000, 3), (130, 1), (100_000, 250)]):
        monkeypatch.setattr(reading, "_BLOCK_BYTES", block)
        monkeypatch.setattr(reading, "_BLOCK_ROWS", max(1, block // 60))
        monkeypatch.setattr(reading, "_GROUP_FILES", group)
        done = bring(tmp_path / f"lake-{number}", tmp_path / "source")
        files = done.refused[Reason.CROSSED].files
        assert done.taken == 32
        assert {
            Path(path).name: [example.line for example in of_file.examples]
            for path, of_file in files.items()
        } == expected


def test_of_very_many_files_only_the_first_ones_come_with_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "LISTED", 2)
    for number in range(4):
        a_text(tmp_path / "source", "x\n", f"{number}.csv")
    (refused,) = bring(tmp_path / "lake", tmp_path / "source").refused.values()
    assert [len(of_file.examples) for of_file in refused.files.values()] == [1, 1, 0, 0]
    assert sum(of_file.rows for of_file in refused.files.values()) == refused.rows == 4


def test_another_lake_s_files_of_any_partition_go_in(tmp_path: Path) -> None:
    rows = rows_from(NOON, 5)
    foreign(tmp_path / "other", rows, at=DAY)
    assert bring(tmp_path / "lake", tmp_path / "other").taken == 5
    assert in_lake(tmp_path / "lake") == bids(rows)
