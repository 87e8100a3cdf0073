"""The order in which everything is checked; the checks are in the modules beside this one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bitso_spread.clock import SYSTEM_CLOCK, Clock
from bitso_spread.cloud.address import is_url
from bitso_spread.cloud.connect import require_obstore
from bitso_spread.cloud.local_half import local_half
from bitso_spread.doctor.brokers import check_brokers
from bitso_spread.doctor.examination import Examination
from bitso_spread.doctor.finding import Finding, Timings
from bitso_spread.doctor.lake import check_lake
from bitso_spread.doctor.store import check_store
from bitso_spread.errors import UsageError
from bitso_spread.exchange.environment import Environment
from bitso_spread.lake import layout
from bitso_spread.model import WantedBooks
from bitso_spread.plan import PublishPlan

Findings = Generator[Finding, None, None]
_OfBooks = Callable[[Sequence[str]], Iterator[Finding]]


def examine(
    environment: Environment,
    books: Sequence[str] = ("btc_mxn", "usd_mxn"),
    *,
    lake: Path | str | None = None,
    state: Path | None = None,
    table: str = layout.TABLE,
    timings: Timings | None = None,
    clock: Clock = SYSTEM_CLOCK,
    publish: PublishPlan | None = None,
) -> Findings:
    """Check all that the recorder relies on, and give each finding as soon as there is one.

    Takes about ten seconds, and at most 22 where the keep-alive lets itself be waited for.
    Books may be written in any way, or be ``all``. Without a lake there are no checks of one,
    nor of brokers where nothing is to be published. A lake may be the URL of one in object storage,
    whose local half is in `state`, or in a folder of the user's own.
    Closing the iterator ends it in order.

    Raises:
        UsageError: a name is not a book's or a table's, or none is given, or half of the
            credentials is missing, or librdkafka refuses a property; or the URL of the lake is
            none, or `state` is given without one.
        MissingExtraError: samples are to be published, and the extra `kafka` is missing; or the
            lake is in object storage, and `cloud` is.
    """
    wanted = WantedBooks(books)
    names = [] if wanted.every else wanted.names
    if not layout.is_table_name(table):
        raise UsageError(f"{table!r} cannot be a table: use letters, digits, - and _")
    of_lake = _lake_checks(lake, state, table, clock)
    timings = timings or Timings()
    examination = Examination(environment, names, timings, clock)
    brokers = None if publish is None else check_brokers(publish, timings.timeout_s)
    return _findings(examination, of_lake, brokers)


def _lake_checks(
    lake: Path | str | None, state: Path | None, table: str, clock: Clock
) -> _OfBooks | None:
    """Give what checks a lake, once the books are known; what makes no sense is said before."""
    is_far = isinstance(lake, str) and is_url(lake)
    if state is not None and not is_far:
        raise UsageError("--state goes with a lake in object storage: a folder keeps its journal")
    if lake is None:
        return None
    if not is_far:
        folder = layout.locate(Path(lake), table)
        return lambda books: check_lake(folder, table, books)
    require_obstore()
    url = str(lake)
    half = local_half(url) if state is None else layout.locate(state, table)
    return lambda books: check_store(url, table, books, half, clock)


def _findings(
    examination: Examination, of_lake: _OfBooks | None, brokers: Iterator[Finding] | None
) -> Findings:
    with ExitStack() as closing:
        yield from examination.ways()
        yield from examination.rest(closing)
        yield from examination.subscriptions(closing)
        yield from examination.answers()
        yield from examination.keepalive()
        yield from examination.comparisons()
    if of_lake is not None:
        yield from of_lake(examination.books)
    if brokers is not None:
        yield from brokers
