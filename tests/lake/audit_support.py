"""What the tests of the audit share: small lakes, as the recorder and as others write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bitso_spread.lake import layout
from bitso_spread.lake.audit import audit
from bitso_spread.lake.findings import Finding, Kind, Report
from bitso_spread.lake.journal import Outage
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import BatchWriter, encode
from bitso_spread.model import Sample, State
from tests.lake.support import NOON, a_batch, a_row

TICKS = range(NOON, NOON + 600)


def rows_at(
    ticks: Iterable[int], book: str = "btc_mxn", state: State = State.FRESH
) -> list[Sample]:
    """One row for each tick; with `state` unknown or missed, blank ones."""
    if state in (State.UNKNOWN, State.MISSED):
        return [Sample.blank(tick, book, state) for tick in ticks]
    return [a_row(tick, book) for tick in ticks]


def record(
    lake: Path,
    rows: Sequence[Sample],
    *,
    outages: Iterable[Outage] = (),
    write: bool = True,
    **batch: object,
) -> Path | None:
    """Record a batch as the collector does, and give its file; without `write` it stays open."""
    made = a_batch(rows[0].book, rows[0].tick, **batch)  # type: ignore[arg-type]
    with LakeState(layout.state_file(lake, layout.TABLE)) as state:
        state.record([(made, row) for row in rows], outages)
        if not write:
            return None
        written = BatchWriter(lake, layout.TABLE, state).write(made)
        assert written is not None
        return written.path


def foreign(
    lake: Path, rows: Sequence[Sample], name: str = "part-0.csv", *, at: int | None = None
) -> Path:
    """Put rows into a lake as others would, in the partition of their first tick, or of `at`."""
    start = rows[0].tick if at is None else at
    book = rows[0].book if rows else "btc_mxn"
    path = lake / layout.TABLE / Partition.of(book, start).path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(rows, path.suffix[1:]))
    return path


def look(lake: Path, **question: object) -> Report:
    """Audit a lake."""
    return audit(Lake(lake), **question)  # type: ignore[arg-type]


def only(report: Report) -> Finding:
    """Give the one finding that there must be."""
    (finding,) = report.findings
    return finding


def kinds(report: Report) -> list[Kind]:
    return [finding.kind for finding in report.findings]
