"""The order in which everything is checked; the checks are in the modules beside this one."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bitso_spread.clock import SYSTEM_CLOCK, Clock
from bitso_spread.doctor.brokers import check_brokers
from bitso_spread.doctor.examination import Examination
from bitso_spread.doctor.finding import Finding, Timings
from bitso_spread.doctor.lake import check_lake
from bitso_spread.errors import UsageError
from bitso_spread.exchange.environment import Environment
from bitso_spread.lake import layout
from bitso_spread.model import WantedBooks
from bitso_spread.plan import PublishPlan

Findings = Generator[Finding, None, None]


def examine(
    environment: Environment,
    books: Sequence[str] = ("btc_mxn", "usd_mxn"),
    *,
    lake: Path | None = None,
    table: str = layout.TABLE,
    timings: Timings | None = None,
    clock: Clock = SYSTEM_CLOCK,
    publish: PublishPlan | None = None,
) -> Findings:
    """Check all that the recorder relies on, and give each finding as soon as there is one.

    Takes about ten seconds, and at most 22 where the keep-alive lets itself be waited for.
    Books may be written in any way, or be ``all``. Without a lake there are no checks of one,
    nor of brokers where nothing is to be published.
    Closing the iterator ends it in order.

    Raises:
        UsageError: a name is not a book's or a table's, or none is given, or half of the
            credentials is missing, or librdkafka refuses a property.
        MissingExtraError: samples are to be published, and the extra `kafka` is missing.
    """
    wanted = WantedBooks(books)
    names = [] if wanted.every else wanted.names
    if not layout.is_table_name(table):
        raise UsageError(f"{table!r} cannot be a table: use letters, digits, - and _")
    folder = None if lake is None else layout.locate(lake, table)
    timings = timings or Timings()
    examination = Examination(environment, names, timings, clock)
    brokers = None if publish is None else check_brokers(publish, timings.timeout_s)
    return _findings(examination, folder, table, brokers)


def _findings(
    examination: Examination, lake: Path | None, table: str, brokers: Iterator[Finding] | None
) -> Findings:
    with ExitStack() as closing:
        yield from examination.ways()
        yield from examination.rest(closing)
        yield from examination.subscriptions(closing)
        yield from examination.answers()
        yield from examination.keepalive()
        yield from examination.comparisons()
    if lake is not None:
        yield from check_lake(lake, table, examination.books)
    if brokers is not None:
        yield from brokers
