"""Faults of the disk: full and read-only at each write, and a sync that takes long."""

from __future__ import annotations

import time

from bitso_spread.health import IN_MEMORY_S, Verdict, examine
from bitso_spread.lake import layout
from tests.faults.ailing import Ailing
from tests.faults.matrix import row
from tests.faults.stage import Stage, eventually

_FAULT_S = 6
_SAY_AGAIN_S = 60
_JOURNAL = "the journal cannot be written, rows stay in memory: "
_FILES = "the lake cannot be written, batches stay in the journal: "
_OVER = "the disk takes data again: what was waiting is written"


def _is_ill(stage: Stage) -> bool:
    return [one.verdict for one in examine(stage.lake).collectors] == [Verdict.UNWRITTEN]


def _refuse(stage: Stage, complaint: str, fault_s: int = _FAULT_S, **orders: object) -> None:
    """Let the disk refuse for some seconds; all rows of that time must be there, and it is said."""
    exchange = stage.exchange()
    ailing = Ailing(stage, exchange, "-b", "all", "--batch-size", "2")
    eventually(lambda: "btc_mxn" in ailing.process.out, what="a file")
    with ailing.told(**orders):
        ailing.says(complaint)
        began = time.time()
        time.sleep(fault_s)
        if complaint.startswith(_JOURNAL) and fault_s > IN_MEMORY_S:
            eventually(lambda: _is_ill(stage), what="a status that is ill")
        # Nothing of that time is in a file.
        assert max(tick for tick, _, _ in stage.rows()["btc_mxn"]) < began
    ailing.says(_OVER)
    eventually(lambda: stage.rows()["btc_mxn"][-1].tick > began + fault_s, what="rows")
    ailing.end()
    # Said when it begins, once a minute, and when it ends: by each thread that meets with it.
    times = 1 + fault_s // _SAY_AGAIN_S
    # A disk that is slow besides, as where ten others use it, is said by itself.
    lines = ailing.process.err.splitlines()
    err = "\n".join(line for line in lines if "the disk has not done it" not in line)
    assert err.count(complaint) == times
    assert max(err.count(text) for text in (_JOURNAL, _FILES)) == times
    said = ailing.process.err
    assert said.count(_OVER) == (_JOURNAL in said) + (_FILES in said)
    stage.check()
    staging = layout.staging_folder(stage.lake, layout.TABLE)
    assert list(staging.iterdir()) == []


@row(
    injected="disk full at the journal, for more than a minute",
    lost="nothing: rows wait in memory, and it is said once a minute",
    takes=80,
)
def full_at_the_journal(stage: Stage) -> None:
    # Beyond what is said on stderr, and less than the journal has from the start.
    _refuse(stage, f"{_JOURNAL}disk I/O error", fault_s=70, file_size=20_000)


@row(injected="journal read-only", lost="nothing: rows wait in memory", takes=14)
def read_only_journal(stage: Stage) -> None:
    _refuse(stage, f"{_JOURNAL}attempt to write a readonly database", journal="read-only")


@row(
    injected="disk full while a file is written", lost="nothing: rows wait in the journal", takes=14
)
def full_at_staging(stage: Stage) -> None:
    _refuse(stage, f"{_FILES}[Errno 28] No space left on device", staging="ENOSPC")


@row(
    injected="disk read-only where files are made",
    lost="nothing: rows wait in the journal",
    takes=14,
)
def read_only_at_staging(stage: Stage) -> None:
    _refuse(stage, f"{_FILES}[Errno 30] Read-only file system", staging="EROFS")


@row(injected="disk full as a file is moved into the table", lost="nothing", takes=14)
def full_at_the_move(stage: Stage) -> None:
    _refuse(stage, f"{_FILES}[Errno 28] No space left on device", move="ENOSPC")


@row(injected="table read-only", lost="nothing: rows wait in the journal", takes=14)
def read_only_at_the_move(stage: Stage) -> None:
    _refuse(stage, f"{_FILES}[Errno 30] Read-only file system", move="EROFS")


@row(
    injected="disk full where files are made, until after the stop",
    lost="nothing: the next start writes them; the stop says so, with status 1",
    takes=40,
)
def full_to_the_end(stage: Stage) -> None:
    exchange = stage.exchange()
    ailing = Ailing(stage, exchange, "-b", "all", "--batch-size", "2")
    eventually(lambda: "btc_mxn" in ailing.process.out, what="a file")
    ailing.tell(staging="ENOSPC")
    ailing.says(_FILES)
    # Each book has rows that were recorded since.
    eventually(
        lambda: all(len(stage.journalled(book)) >= 3 for book in exchange.market.specs),
        what="rows in the journal",
    )
    told_at = time.time()
    assert ailing.process.end() == 1
    assert "the disk refused to the end: 0 rows are lost, and " in ailing.process.err
    left = {book: stage.journalled(book) for book in exchange.market.specs}
    assert all(ticks[-1] >= told_at - 6 for ticks in left.values())
    again = stage.process(exchange, "-b", "all", "--duration", "2s")
    assert again.wait() == 0, again.err
    rows = stage.rows()
    for book, ticks in left.items():
        assert set(ticks) <= {row.tick for row in rows[book]}
        stage.excuse(ticks[-1] + 1, rows[book][-1].tick - 2, book, absent=True)
    stage.check()
