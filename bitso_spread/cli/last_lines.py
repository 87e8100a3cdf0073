"""What ``collect`` says at its end."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bitso_spread.cli.logs import tell
from bitso_spread.counting import many, word
from bitso_spread.errors import BitsoSpreadError
from bitso_spread.lake import layout
from bitso_spread.model import State

if TYPE_CHECKING:
    from bitso_spread.collector import Collector, Plan
    from bitso_spread.exchange.environment import Environment
    from bitso_spread.lake.heartbeat import StoreBeat


def report_end(collector: Collector, exchange: Environment) -> None:
    """Say how many rows are where, how well it went, and what to type next.

    Raises:
        BitsoSpreadError: rows are lost, or something is not where it was to get to.
    """
    summary, plan = collector.summary, collector.plan
    mark = "SIMULATED " if exchange.is_simulated else ""
    for book, states in sorted(summary.states.items()):
        unknown, missed = states[State.UNKNOWN], states[State.MISSED]
        rows = states.total()
        absent = summary.absent[book]
        without = f", {absent} of them without a row" if absent else ""
        lost = summary.lost[book]
        gone = f"; {lost} of the {word(rows, 'row')} {'is' if lost == 1 else 'are'} lost"
        tell(
            f"{book}: {rows} {mark}{word(rows, 'row')}, {rows - unknown - missed} known, "
            f"{unknown} unknown, {missed + absent} missed{without}{gone if lost else ''}",
            always=unknown + missed + absent + lost > 0,
        )
    if not summary.states:
        tell("stopped before the first tick: nothing was recorded", always=True)
    late = summary.lateness
    if late.max_s:
        figures = [late.percentile(50), late.percentile(99), late.max_s]
        p50, p99, worst = (f"{seconds * 1000:.2f} ms" for seconds in figures)
        tell(f"lateness of ticks: p50 {p50}, p99 {p99}, max {worst}")
    if collector.alerting is not None and (lost := collector.alerting.undelivered):
        tell(f"alerts: {lost} could not be delivered, as the log says", always=True)
    if (publisher := collector.publisher) is not None:
        left, sent = publisher.now.waiting, publisher.published
        waits = f", {left} {'waits' if left == 1 else 'wait'} in the journal" if left else ""
        tell(f"{sent} {mark}{word(sent, 'sample')} published to {publisher.now.topic}{waits}")
    for line in _loaded(collector):
        tell(line)
    if summary.left.rows or summary.left.batches:
        gone = many(summary.left.rows, "row", ("is", "are"))
        kept = many(summary.left.batches, "batch", ("waits", "wait"))
        raise BitsoSpreadError(
            f"the disk refused to the end: {gone} lost, and {kept} in the journal for the next "
            "collection"
        )
    if collector.store is not None and collector.store.files:
        raise BitsoSpreadError(_left_here(collector.store, plan))
    if summary.states and summary.files:
        lake = shlex.quote(str(plan.lake))
        table = "" if plan.table == layout.TABLE else f" --table {shlex.quote(plan.table)}"
        where = layout.Partition.of(min(summary.states), summary.last_tick)
        tell(
            f"next: {_program()} query --lake {lake}{table} --date {where.date} --book {where.book}"
        )


def report_end_at_once(collector: Collector) -> None:
    """Say what becomes of the rows that are in no file, as the process ends before they are."""
    journal, memory = collector.rows_in_journal, collector.rows_in_memory
    said = []
    if journal:
        waiting, them = many(journal, "row", ("waits", "wait")), "it" if journal == 1 else "them"
        said.append(f"{waiting} in the journal; the next collect loads {them}")
    if memory:
        said.append(f"{many(memory, 'row', ('is', 'are'))} lost, which the disk had not taken")
    if collector.store is not None and collector.store.files:
        count, folder = collector.store.files, collector.plan.folder
        waiting = many(count, "file", ("waits", "wait"))
        said.append(
            f"{waiting} in {folder}; the next collect puts {'it' if count == 1 else 'them'} "
            f"into {collector.plan.store}"
        )
    tell(f"ended at once: {'; '.join(said) or 'every row is in a file'}", always=True)


def _loaded(collector: Collector) -> Iterator[str]:
    """Say how many files are where."""
    summary = collector.summary
    if collector.store is None:
        for folder, count in sorted(summary.files.items()):
            yield f"{many(count, 'file')} under {folder}"
    elif summary.uploaded:
        yield f"{many(summary.uploaded, 'file')} put into {collector.store.url}"


def _left_here(store: StoreBeat, plan: Plan) -> str:
    """Say what did not get into the store, why, and how it will."""
    why = f"{', '.join(store.unleased)} are another recorder's there" if store.unleased else ""
    reason = store.trouble or why or "the time was over"
    are, them = ("is", "it") if store.files == 1 else ("are", "them")
    return (
        f"{many(store.files, 'file', ('waits', 'wait'))} in {plan.folder} and {are} not in "
        f"{plan.store} yet ({reason}): the next collect with the same --lake and --state puts "
        f"{them} there"
    )


def _program() -> str:
    """Give what the person typed to start this program."""
    program = sys.argv[0]
    return "python -m bitso_spread" if program.endswith("__main__.py") else shlex.quote(program)
