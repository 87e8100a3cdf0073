"""Seconds of which there is more than one row: refused, or with merge the better one stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitso_spread.lake.audit import audit
from bitso_spread.lake.importing.outcome import Disagreement, Reason
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.reader import Lake
from bitso_spread.model import Sample, State
from tests.lake.audit_support import foreign, record
from tests.lake.import_support import a_source, bids, blank, bring, in_lake, priced, rows_from
from tests.lake.support import NOON, table_files


def states(lake: Path) -> list[str]:
    """The states of the rows of a lake, by their time."""
    return Lake(lake).read(columns="full")["state"].to_list()


def test_a_row_that_the_lake_has_is_not_taken_again(tmp_path: Path) -> None:
    rows = rows_from(NOON, 20)
    source = a_source(tmp_path, rows)
    bring(tmp_path / "lake", source)
    files = {path: path.read_bytes() for path in table_files(tmp_path / "lake")}
    for merge in (False, True):
        done = bring(tmp_path / "lake", source, merge=merge)
        assert (done.taken, done.there, done.disagreements) == (0, 20, 0)
    assert {path: path.read_bytes() for path in table_files(tmp_path / "lake")} == files


def test_without_merge_a_second_that_the_lake_tells_otherwise_is_refused(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    record(lake, [priced(NOON), blank(NOON + 1), priced(NOON + 2)])
    source = a_source(tmp_path, [priced(NOON, 101), priced(NOON + 1), blank(NOON + 2)])
    done = bring(lake, source)
    assert (done.taken, done.refused[Reason.OVERLAP].rows) == (0, 3)
    assert in_lake(lake) == {NOON: 100.0, NOON + 1: None, NOON + 2: 100.0}


def test_without_merge_sources_that_contradict_each_other_are_both_refused(tmp_path: Path) -> None:
    one = a_source(tmp_path, rows_from(NOON, 3), "one.csv")
    other = a_source(tmp_path, [*rows_from(NOON, 2), priced(NOON + 2)], "other.csv")
    done = bring(tmp_path / "lake", one, other)
    assert (done.taken, done.repeated, done.refused[Reason.DIFFER].rows) == (2, 2, 2)
    assert in_lake(tmp_path / "lake") == bids(rows_from(NOON, 2))


def test_with_merge_a_known_row_takes_the_place_of_an_unknown_one(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    record(lake, [priced(NOON), blank(NOON + 1), blank(NOON + 2, State.MISSED)])
    record(lake, rows_from(NOON + 3, 5, "usd_mxn"))
    source = a_source(tmp_path, [blank(NOON), priced(NOON + 1), priced(NOON + 2, 102)])
    done = bring(lake, source, merge=True)
    assert (done.taken, done.replaced, done.outranked, done.disagreements) == (0, 2, 1, 0)
    assert in_lake(lake) == {NOON: 100.0, NOON + 1: 100.0, NOON + 2: 102.0}
    assert len(table_files(lake)) == 2
    # The checksum that was noted is that of the file as it is now.
    report = audit(Lake(lake))
    assert (report.findings, report.checksums) == ((), 2)


def test_with_merge_holes_are_filled_and_both_recorders_rows_are_there_once(tmp_path: Path) -> None:
    rows = rows_from(NOON, 1500)
    record(tmp_path / "one", rows[:400] + rows[420:600])
    record(tmp_path / "one", rows[700:900])
    record(tmp_path / "two", rows[:10] + rows[300:800])
    record(tmp_path / "two", rows[1200:])
    done = bring(tmp_path / "one", tmp_path / "two", merge=True)
    assert (done.taken, done.there, done.replaced) == (420, 390, 0)
    assert in_lake(tmp_path / "one") == bids(rows[:900] + rows[1200:])
    assert audit(Lake(tmp_path / "one")).findings == ()


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_fresh_stands_before_quiet_before_held_before_unknown(
    tmp_path: Path, file_format: str
) -> None:
    order = [State.FRESH, State.QUIET, State.HELD, State.UNKNOWN]

    def row(tick: int, state: State, bid: float) -> Sample:
        return blank(tick) if state is State.UNKNOWN else priced(tick, bid, state)

    pairs = [(ours, theirs) for ours in order for theirs in order]
    here = [row(NOON + i, ours, 100.0) for i, (ours, _) in enumerate(pairs)]
    there = [row(NOON + i, theirs, 101.0) for i, (_, theirs) in enumerate(pairs)]
    lake = tmp_path / "lake"
    record(lake, here, format=file_format, columns="full")
    done = bring(lake, a_source(tmp_path, there, "a.parquet", "full"), merge=True)
    assert states(lake) == [min(pair, key=order.index) for pair in pairs]
    for tick, (ours, theirs) in enumerate(pairs, start=NOON):
        stands = (100.0 if ours is not State.UNKNOWN else None, 101.0)
        assert in_lake(lake)[tick] == stands[order.index(theirs) < order.index(ours)]
    # Of each two known rows the prices differ, whichever stands.
    assert done.disagreements == 9
    assert (done.replaced, done.there, done.outranked) == (6, 1, 9)
    assert {(one.kept, one.other) for one in done.examples} == {
        ((100.0, 200.0), (101.0, 200.0)),
        ((101.0, 200.0), (100.0, 200.0)),
    }


def test_a_better_state_with_the_same_prices_is_taken_and_no_disagreement(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    record(lake, [priced(NOON, state=State.HELD)], columns="full")
    source = a_source(tmp_path, [priced(NOON, state=State.QUIET)], columns="full")
    assert bring(lake, source).there == 1
    assert states(lake) == ["held"]
    done = bring(lake, source, merge=True)
    assert (done.replaced, done.disagreements, states(lake)) == (1, 0, ["quiet"])


def test_a_known_row_of_five_columns_counts_as_fresh(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    record(lake, [priced(NOON)])
    source = a_source(tmp_path, [priced(NOON, 101)], columns="full")
    done = bring(lake, source, merge=True, columns="five")
    assert (done.outranked, in_lake(lake)) == (1, {NOON: 100.0})
    quiet = a_source(tmp_path, [priced(NOON + 1, 102, State.QUIET)], "quiet.csv", "full")
    plain = a_source(tmp_path, [priced(NOON + 1, 103)], "plain.csv")
    done = bring(lake, quiet, plain, merge=True)
    assert (done.taken, in_lake(lake)[NOON + 1]) == (1, 103.0)


def test_a_disagreement_names_the_book_the_second_the_prices_and_the_file(tmp_path: Path) -> None:
    first = a_source(tmp_path, [priced(NOON)], "first.csv")
    other = a_source(tmp_path, [priced(NOON, 99.5)], "other.csv")
    done = bring(tmp_path / "lake", first, other, merge=True)
    assert done.examples == [
        Disagreement("btc_mxn", NOON, (100.0, 200.0), (99.5, 200.0), str(other))
    ]
    assert in_lake(tmp_path / "lake") == {NOON: 100.0}


def test_rows_in_a_file_of_another_writer_stand(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    path = foreign(lake, [blank(NOON), *rows_from(NOON + 1, 3)])
    before = path.read_bytes()
    done = bring(lake, a_source(tmp_path, [priced(NOON), *rows_from(NOON + 1, 5)]), merge=True)
    assert (done.taken, done.there, done.refused[Reason.FIXED].rows) == (2, 3, 1)
    assert path.read_bytes() == before
    assert in_lake(lake) == {NOON: None, **bids(rows_from(NOON + 1, 5))}


def test_a_file_is_replaced_under_its_name_and_whoever_reads_it_meanwhile_reads_on(
    tmp_path: Path,
) -> None:
    lake = tmp_path / "lake"
    record(lake, [blank(NOON), priced(NOON + 1)])
    (path,) = table_files(lake)
    with path.open() as reader:
        assert bring(lake, a_source(tmp_path, [priced(NOON)]), merge=True).replaced == 1
        assert ",,," in reader.read()
    assert table_files(lake) == [path]
    assert path.is_relative_to(lake / TABLE)
    assert in_lake(lake) == {NOON: 100.0, NOON + 1: 100.0}
