"""An audit of compacted days: the same verdicts on the seconds, and what the files contradict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.lake import layout
from bitso_spread.lake.compaction import compact
from bitso_spread.lake.findings import BookDay, Kind
from bitso_spread.lake.journal import Outage
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.outages import MISSED
from bitso_spread.lake.reader import Lake
from bitso_spread.model import State
from tests.lake.audit_support import foreign, kinds, look, only, record, rows_at
from tests.lake.compact_support import TODAY, batch, compacted, daily_files, sources
from tests.lake.support import DAY, NOON

QUESTIONS: list[dict[str, str]] = [
    {},
    {"minutes": "700..725"},
    {"start": "2026-09-21T12:00:30", "end": "2026-09-22T12:00:30"},
    {"date": "20260922"},
    {"start": "2026-09-22", "end": "2026-09-22T00:00:03"},
    {"end": "2026-09-21T12:05:00"},
]


def recorded(lake: Path) -> list[Path]:
    """Two days with holes, an outage, seconds that are there twice, and rows after midnight."""
    paths = [
        record(
            lake,
            rows_at(range(NOON, NOON + 50))
            + rows_at(range(NOON + 50, NOON + 60), state=State.MISSED),
            outages=[Outage("btc_mxn", MISSED, NOON + 50, NOON + 59)],
        ),
        record(lake, rows_at(range(NOON + 60, NOON + 120))),
        record(lake, rows_at(range(NOON + 180, NOON + 200))),
        record(lake, rows_at(range(NOON + 86_400, NOON + 86_430))),
        record(lake, rows_at(range(NOON, NOON + 30), book="usd_mxn")),
        foreign(lake, rows_at(range(NOON + 195, NOON + 205))),
        foreign(lake, rows_at(range(DAY + 86_398, DAY + 86_402)), at=DAY + 86_340),
    ]
    return [path for path in paths if path is not None]


def seconds(lake: Path, **question: str) -> tuple[list[BookDay], list[tuple[Kind, int]]]:
    report = look(lake, **question)
    findings = [(finding.kind, finding.count) for finding in report.findings]
    return list(report.days), sorted(findings)


@pytest.mark.parametrize("prune", [False, True])
def test_the_verdicts_on_the_seconds_stay_the_same(tmp_path: Path, prune: bool) -> None:
    recorded(tmp_path)
    before = [seconds(tmp_path, **question) for question in QUESTIONS]
    assert before[0][1] == [(Kind.TWICE, 5), (Kind.WRONG_PARTITION, 2)]
    compacted(tmp_path, prune=prune)
    assert [seconds(tmp_path, **question) for question in QUESTIONS] == before
    late = rows_at(range(NOON + 300, NOON + 310))
    record(tmp_path, late)
    after = [seconds(tmp_path, **question) for question in QUESTIONS]
    assert after[0][0][0].known == before[0][0][0].known + 10
    assert after[0][1] == before[0][1]
    compacted(tmp_path, prune=prune)
    assert [seconds(tmp_path, **question) for question in QUESTIONS] == after


def test_half_of_the_files_may_be_pruned(tmp_path: Path) -> None:
    paths = recorded(tmp_path)
    kept = paths[1].read_bytes()
    before = seconds(tmp_path)
    compacted(tmp_path, prune=True)
    paths[1].parent.mkdir()
    paths[1].write_bytes(kept)
    # As a prune that was killed leaves them.
    paths[2].parent.mkdir()
    assert seconds(tmp_path) == before


def test_a_file_that_was_not_pruned_and_is_gone_is_told(tmp_path: Path) -> None:
    paths = recorded(tmp_path)
    before = seconds(tmp_path)
    compacted(tmp_path)
    paths[1].unlink()
    days, findings = seconds(tmp_path)
    assert days == before[0]
    assert findings == sorted([*before[1], (Kind.GONE, 60)])


def test_a_compacted_day_that_has_changed_contradicts_what_was_noted(tmp_path: Path) -> None:
    record(tmp_path, rows_at(range(NOON, NOON + 60)))
    compacted(tmp_path)
    assert look(tmp_path).findings == ()
    assert (look(tmp_path).files, look(tmp_path).checksums) == (2, 2)
    (path,) = daily_files(tmp_path)
    rewritten(path)
    assert kinds(look(tmp_path)) == [Kind.CHANGED]
    finding = only(look(tmp_path))
    assert finding.path == "BitsoSpreadDaily/date=20260921/order_book=btc_mxn/" + path.name
    assert "has changed since it was compacted" in finding.text
    path.write_bytes(path.read_bytes()[:-40])
    assert kinds(look(tmp_path)) == [Kind.CHANGED, Kind.UNREADABLE]


@pytest.mark.parametrize("noted", [True, False])
def test_a_damaged_day_is_never_taken_for_the_truth_nor_its_files_deleted(
    tmp_path: Path, noted: bool
) -> None:
    record(tmp_path, rows_at(range(NOON, NOON + 60)))
    compacted(tmp_path)
    (path,) = daily_files(tmp_path)
    rewritten(path)
    damaged = path.read_bytes()
    if not noted:
        layout.state_file(tmp_path, TABLE).unlink()
    told: list[str] = []
    compact(Lake(tmp_path), today=TODAY, prune=True, on_day=lambda *of: told.append(str(of[2])))
    assert len(told) == 1
    assert ("has changed since it was made" if noted else "has not the rows of its files") in told[
        0
    ]
    assert path.read_bytes() == damaged
    assert len(sources(tmp_path)) == 1
    assert kinds(look(tmp_path)) == [Kind.CHANGED]
    # What it advises.
    path.unlink()
    compacted(tmp_path, prune=True)
    assert look(tmp_path).findings == ()


def test_without_a_note_it_is_held_against_its_files(tmp_path: Path) -> None:
    batch(tmp_path, 0)
    compacted(tmp_path)
    layout.state_file(tmp_path, TABLE).unlink()
    assert look(tmp_path).findings == ()
    rewritten(daily_files(tmp_path)[0])
    finding = only(look(tmp_path))
    assert finding.kind is Kind.CHANGED
    assert "has not the rows of its files" in finding.text


def test_files_that_queries_pass_over_are_told(tmp_path: Path) -> None:
    batch(tmp_path, 0)
    compacted(tmp_path)
    (source,) = sources(tmp_path)
    unmarked = source.with_name("part-0.csv")
    unmarked.write_text(
        "orderbook_timestamp,book,bid,ask,spread\n2026-09-21T00:00:50Z,btc_mxn,100,200,50\n"
    )
    finding = only(look(tmp_path))
    assert (finding.kind, finding.path) == (
        Kind.STALE,
        "date=20260921/order_book=btc_mxn/minutes=0/part-0.csv",
    )
    assert "run compact" in finding.text
    compacted(tmp_path)
    assert look(tmp_path).findings == ()
    source.write_bytes(source.read_bytes().replace(b",200.0,50.0", b",199.0,50.0", 1))
    assert Kind.STALE in kinds(look(tmp_path))


def test_what_is_impossible_stays_so_in_a_compacted_day(tmp_path: Path) -> None:
    rows = rows_at(range(NOON, NOON + 60))
    rows[7] = replace(rows[7], bid=rows[7].ask, ask=rows[7].bid)
    foreign(tmp_path, rows)
    before = sorted(kinds(look(tmp_path)))
    assert Kind.CROSSED in before
    compacted(tmp_path, prune=True)
    assert sorted(kinds(look(tmp_path))) == before
    assert all("BitsoSpreadDaily" in str(finding.path) for finding in look(tmp_path).findings)


def test_a_day_of_others_is_expected_to_go_on_until_its_last_batch(tmp_path: Path) -> None:
    for start in (NOON, NOON + 1800):
        foreign(tmp_path, rows_at(range(start, start + 60)))
    asked = {"start": "2026-09-21T12:00:30", "end": "2026-09-21T12:10:00"}
    before = seconds(tmp_path, **asked)
    assert before[0][0].absent == 540
    compacted(tmp_path, prune=True)
    assert seconds(tmp_path, **asked) == before


def rewritten(path: Path) -> None:
    """Give a compacted day other rows, which say of themselves what the true ones say."""
    metadata = pl.read_parquet_metadata(path)
    own = {name: text for name, text in metadata.items() if name.startswith("bitso")}
    frame = pl.read_parquet(path, hive_partitioning=False)
    frame.with_columns(pl.col("ask") + 1).write_parquet(path, metadata=own)
