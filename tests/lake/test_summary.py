"""Rows summed up: against what polars says of all of them at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitso_spread.errors import UsageError
from bitso_spread.lake import quantiles, summary
from bitso_spread.lake.columns import INSTANT, SCHEMA
from bitso_spread.lake.journal import Outage
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from tests.lake.support import put_batch

START = datetime(2024, 7, 25, 22, tzinfo=UTC)
SPREADS = st.one_of(
    st.none(),
    st.sampled_from([0.1, 0.2, 0.5, -0.5, 0.0]),
    st.floats(min_value=-1, max_value=100, allow_subnormal=False),
)
TABLES = st.lists(st.tuples(st.integers(0, 20_000), st.booleans(), SPREADS), max_size=60)


def frame(rows: list[tuple[int, bool, float | None]]) -> pl.DataFrame:
    """Rows at seconds after the start, of one book or the other."""
    data = [
        (
            START + timedelta(seconds=second),
            "btc_mxn" if first else "usd_mxn",
            None if spread is None else 100.0,
            None if spread is None else 102.0 + second,
            spread,
        )
        for second, first, spread in dict.fromkeys(rows)
    ]
    return pl.DataFrame(data, schema=dict(SCHEMA), orient="row").unique(
        ["orderbook_timestamp", "book"], keep="first", maintain_order=True
    )


def in_portions(rows: pl.DataFrame, size: int = 7) -> pl.LazyFrame:
    """The same rows, as a scan of many files gives them."""
    parts = [rows[start : start + size].lazy() for start in range(0, rows.height, size)]
    return pl.concat(parts) if parts else rows.lazy()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let little be much, so that sums are summed up again and quantiles read twice."""
    monkeypatch.setattr(summary, "_MOST_PARTS", 3)
    monkeypatch.setattr(quantiles, "_MOST_PARTS", 3)
    monkeypatch.setattr(quantiles, "_MOST_KEPT", 10)


@settings(max_examples=60, deadline=None)
@given(TABLES)
def test_quantiles_shares_and_sums_are_exact_however_the_rows_come(
    rows: list[tuple[int, bool, float | None]],
) -> None:
    whole = frame(rows)
    found = summary.stats(in_portions(whole), [0.1, 0.5])
    spread = pl.col("spread")
    expected = whole.sort("book").group_by("book", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("rows"),
        spread.count().cast(pl.Int64).alias("known"),
        spread.null_count().cast(pl.Int64).alias("unknown"),
        pl.lit(0, pl.Int64).alias("missed"),
        spread.mean().alias("mean"),
        *(spread.quantile(q, "linear").alias(name) for name, q in quantiles.QUANTILES.items()),
        spread.min().alias("min"),
        spread.max().alias("max"),
        *(
            ((spread > limit).sum() * 100 / spread.count()).alias(f"above_{limit}")
            for limit in (0.1, 0.5)
        ),
    )  # fmt: skip
    assert found.columns == expected.columns
    for ours, theirs in zip(found.iter_rows(), expected.iter_rows(), strict=True):
        # polars has the share of nothing as NaN.
        of_none = [None if value != value else value for value in theirs]  # noqa: PLR0124
        assert list(ours) == [
            value if isinstance(value, str | None) else pytest.approx(value, rel=1e-12, abs=1e-12)
            for value in of_none
        ]


@settings(max_examples=60, deadline=None)
@given(TABLES, st.sampled_from(["30s", "1m", "10m", "1h", "1d"]))
def test_spans_are_those_of_all_rows_at_once(
    rows: list[tuple[int, bool, float | None]], length: str
) -> None:
    whole = frame(rows)
    zone = "America/Mexico_City"
    found = summary.every(in_portions(whole), length, zone)
    time = pl.col("orderbook_timestamp")
    start = time.dt.convert_time_zone(zone).dt.truncate(length).dt.convert_time_zone("UTC")
    groups = whole.sort(time).with_columns(start=start).group_by("start", "book")
    expected = {
        (start, book): group
        for (start, book), group in groups  # each group's rows are in order
    }
    assert found.height == len(expected)
    assert found.equals(found.sort("orderbook_timestamp", "book"))
    for row in found.iter_rows(named=True):
        group = expected[row["orderbook_timestamp"], row["book"]]
        known = group.filter(pl.col("spread").is_not_null())
        assert (row["count"], row["known"]) == (group.height, known.height)
        if known.is_empty():
            assert [row[name] for name in ("mean", "min", "max", "first", "last", "mid")] == [
                None
            ] * 6
            continue
        spreads = known["spread"]
        assert row["mean"] == pytest.approx(spreads.mean(), abs=1e-12)
        assert (row["min"], row["max"]) == (spreads.min(), spreads.max())
        assert (row["first"], row["last"]) == (spreads[0], spreads[-1])
        assert row["mid"] == pytest.approx((known["bid"][-1] + known["ask"][-1]) / 2, rel=1e-14)


def test_the_mid_is_the_decimal_halfway_and_not_its_neighbour_in_binary() -> None:
    rows = frame([(0, True, 0.1)]).with_columns(bid=pl.lit(18.36), ask=pl.lit(18.38))
    assert summary.every(rows.lazy(), "1m")["mid"].to_list() == [18.37]


@pytest.mark.parametrize("no_number", [float("nan"), float("inf"), float("-inf")])
def test_a_spread_that_is_no_number_is_not_known(no_number: float) -> None:
    rows = frame([(0, True, no_number), (1, True, 0.3), (2, True, 0.3), (3, False, no_number)])
    btc, usd = summary.stats(in_portions(rows)).iter_rows(named=True)
    assert (btc["rows"], btc["known"], btc["unknown"], btc["above_0.1"]) == (3, 2, 1, 100)
    assert {btc[name] for name in ("mean", "median", "p99", "min", "max")} == {0.3}
    assert (usd["known"], usd["mean"], usd["p95"], usd["above_0.1"]) == (0, None, None, None)
    (span, _) = summary.every(in_portions(rows), "1h").iter_rows(named=True)
    assert (span["known"], span["first"], span["last"], span["max"]) == (2, 0.3, 0.3, 0.3)


def test_nothing_sums_up_to_nothing_in_the_same_columns() -> None:
    rows = frame([])
    assert summary.stats(rows.lazy()).is_empty()
    found = summary.every(rows.lazy(), "1m")
    assert (found.height, found.schema["orderbook_timestamp"]) == (0, INSTANT)


@pytest.mark.parametrize("length", ["", "m", "0m", "1", "1w", "1.5h", "-1m", "1m 1s", "1mo"])
def test_a_length_of_another_form_is_refused(length: str) -> None:
    with pytest.raises(UsageError, match="write it as 30s, 1m, 10m, 1h or 1d"):
        summary.every(frame([]).lazy(), length)


@pytest.mark.parametrize("columns", ["five", "full"])
def test_missed_seconds_are_told_from_unknown_ones(tmp_path: Path, columns: str) -> None:
    # The rows at minutes 0, 4 and 8 are empty; the recorder has noted why.
    put_batch(tmp_path, "btc_mxn", START, columns=columns)
    second = int(START.timestamp())
    with LakeState(state_file(tmp_path, TABLE)) as state:
        missed = Outage("btc_mxn", "missed: the machine slept", second + 200, second + 300)
        state.record([], [missed, Outage("btc_mxn", "no link", second, second + 100)])
    (row,) = Lake(tmp_path).stats().iter_rows(named=True)
    assert (row["rows"], row["known"]) == (10, 7)
    # Full rows tell their own state, which is unknown for all three.
    assert (row["unknown"], row["missed"]) == ((2, 1) if columns == "five" else (3, 0))


def test_a_lake_is_summed_up_by_the_filters_of_a_question(tmp_path: Path) -> None:
    for hour in range(4):
        for book in ("btc_mxn", "usd_mxn"):
            put_batch(tmp_path, book, START + timedelta(hours=hour))
    lake = Lake(tmp_path)
    hours = lake.every("1h", book="mxn_btc", start=START + timedelta(hours=1))
    assert hours["count"].to_list() == [10, 10, 10]
    days = lake.every("1d", book="btc_mxn")
    assert days["count"].to_list() == [20, 20]
    assert lake.every("1d", book="btc_mxn", tz="America/Mexico_City")["count"].to_list() == [40]
    assert lake.stats(date="20240726", minutes="..30")["rows"].to_list() == [10, 10]
