"""The full columns: from the rows of a run to files of both formats, and back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.errors import UsageError
from bitso_spread.lake.columns import FULL, SCHEMAS
from bitso_spread.lake.journal import STEPS
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import BatchWriter, encode
from bitso_spread.model import Sample, State
from tests.lake.support import NOON, a_batch, a_row

FIVE = "orderbook_timestamp,book,bid,ask,spread"
NAMES = f"{FIVE},bid_amount,ask_amount,exchange_time,age_ms,state,source"
ROWS = [
    Sample(
        NOON,
        "btc_mxn",
        1233830.0,
        1236250.5,
        0.19575328614762386,
        State.FRESH,
        bid_amount=0.00002965,
        ask_amount=12.5,
        exchange_ms=NOON * 1000 - 262,
        age_ms=7,
        source="feed",
    ),
    replace(
        Sample.blank(NOON + 1, "btc_mxn", State.UNKNOWN),
        exchange_ms=NOON * 1000 - 9000,
        age_ms=10_000,
        source="rest",
    ),
    Sample.blank(NOON + 2, "btc_mxn", State.MISSED),
]


def record(lake: Path, rows: list[Sample], **batch: object) -> None:
    made = a_batch(rows[0].book, rows[0].tick, **batch)  # type: ignore[arg-type]
    with LakeState(state_file(lake, TABLE)) as state:
        state.record([(made, row) for row in rows])
        BatchWriter(lake, TABLE, state).write(made)


def test_a_full_csv_file_byte_for_byte() -> None:
    known = "2026-09-21T12:00:00+00:00,btc_mxn,1233830.0,1236250.5,0.19575328614762386"
    told = "0.00002965,12.5,2026-09-21T11:59:59.738+00:00,7,fresh,feed"
    assert encode(ROWS, "csv", FULL).decode().splitlines() == [
        NAMES,
        f"{known},{told}",
        "2026-09-21T12:00:01+00:00,btc_mxn,,,,,,2026-09-21T11:59:51.000+00:00,10000,unknown,rest",
        "2026-09-21T12:00:02+00:00,btc_mxn,,,,,,,,missed,",
    ]


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_full_rows_come_back_as_they_were_recorded(tmp_path: Path, file_format: str) -> None:
    record(tmp_path, ROWS, columns=FULL, format=file_format)
    rows = Lake(tmp_path).read(columns=FULL)
    assert rows.schema == SCHEMAS[FULL]
    assert [
        (bid, amount, moment, age, state, source)
        for _, _, bid, _, _, amount, _, moment, age, state, source in rows.iter_rows()
    ] == [
        (1233830.0, 0.00002965, moment_of(NOON - 1, 738_000), 7, "fresh", "feed"),
        (None, None, moment_of(NOON - 9), 10_000, "unknown", "rest"),
        (None, None, None, None, "missed", None),
    ]


def moment_of(second: int, micros: int = 0) -> datetime:
    return datetime.fromtimestamp(second, UTC).replace(microsecond=micros)


def test_a_full_parquet_file_has_typed_times(tmp_path: Path) -> None:
    record(tmp_path, ROWS, columns=FULL, format="parquet")
    (path,) = (tmp_path / TABLE).rglob("*.parquet")
    schema = pl.read_parquet_schema(path)
    assert ",".join(schema) == NAMES
    assert schema["exchange_time"] == schema["orderbook_timestamp"] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_five_columns_are_the_same_of_either_kind_of_file(tmp_path: Path, file_format: str) -> None:
    record(tmp_path / "full", ROWS, columns=FULL, format=file_format)
    record(tmp_path / "five", ROWS, format=file_format)
    assert Lake(tmp_path / "full").read().equals(Lake(tmp_path / "five").read())


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_what_a_file_does_not_have_is_null_beside_one_that_has_it(
    tmp_path: Path, file_format: str
) -> None:
    record(tmp_path, ROWS, columns=FULL, format=file_format)
    record(tmp_path, [a_row(NOON, "usd_mxn")], format=file_format)
    record(tmp_path, [a_row(NOON, "eth_mxn")], format="csv")
    rows = Lake(tmp_path).read(columns=FULL)
    assert rows.height == 5
    assert rows.filter(book="btc_mxn")["state"].to_list() == ["fresh", "unknown", "missed"]
    of_others = rows.filter(pl.col("book") != "btc_mxn")
    assert of_others["bid"].null_count() == 0
    for name in [*SCHEMAS[FULL]][5:]:
        assert of_others[name].null_count() == 2, name


def test_columns_of_another_name_are_refused(tmp_path: Path) -> None:
    record(tmp_path, ROWS)
    with pytest.raises(UsageError, match="--columns 'six': choose five or full"):
        Lake(tmp_path).read(columns="six")


def test_a_journal_from_before_the_full_columns_is_taken_over(tmp_path: Path) -> None:
    path = state_file(tmp_path, TABLE)
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(STEPS[0])
        db.execute("PRAGMA user_version = 1")
        db.execute(
            "INSERT INTO batch VALUES ('btc_mxn', ?, 'production', 'csv', 'five', 1)", (NOON,)
        )
        db.execute(
            "INSERT INTO sample VALUES ('btc_mxn', ?, ?, 10.0, 12.5, 20.0, 'fresh')", (NOON, NOON)
        )
        db.commit()
    with LakeState(path) as state:
        (batch,) = state.batches()
        assert state.rows(batch) == [Sample(NOON, "btc_mxn", 10.0, 12.5, 20.0, State.FRESH)]
        state.record([(batch, replace(ROWS[0], tick=NOON + 1))])
        assert state.rows(batch)[1] == replace(ROWS[0], tick=NOON + 1)
    LakeState(path).close()
