"""What the simulated exchange answers to a REST request. No sockets.

Endpoints: order_book, ticker, available_books, trades (always empty), below `/v3` or
`/api/v3`, each with or without a trailing slash. Any other path is a 404 without a body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from bitso_spread.sim import payloads
from bitso_spread.sim.faults import Counts, Faults
from bitso_spread.sim.limits import RequestLimit
from bitso_spread.sim.market import Depth, Market

# https://api.bitso.com/v3, https://bitso.com/api/v3 and https://api.bitso.com/api/v3 are one
# exchange: three prefixes on the real hosts are two on a host of our own.
PREFIXES = ("/v3/", "/api/v3/")

_WRONG_JSON = '{"success":true,"payload":["not","what","was","asked","for"]}'


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response without its transport."""

    status: int
    body: str

    @property
    def content_type(self) -> str:
        """HTML for a page, JSON for everything else."""
        return "text/html; charset=UTF-8" if self.body.startswith("<") else "application/json"


class Rest:
    """The REST half of the exchange.

    Args:
        market: the books.
        depth: gives a book as it stands now.
        limit: the request limit.
        faults: what goes wrong.
        counts: where requests are counted.
    """

    def __init__(
        self,
        market: Market,
        depth: Callable[[str], Depth],
        limit: RequestLimit,
        faults: Faults,
        counts: Counts,
    ) -> None:
        self._market = market
        self._depth = depth
        self._limit = limit
        self._faults = faults
        self._counts = counts
        self._endpoints: dict[str, Callable[[dict[str, str], float], Reply]] = {
            "order_book": self._order_book,
            "ticker": self._ticker,
            "available_books": self._available_books,
            "trades": self._trades,
        }

    def answer(self, target: str, address: str, *, now_s: float, monotonic_s: float) -> Reply:
        """Answer a request for `target`, its path with its query."""
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        endpoint = _endpoint(url.path)
        self._counts.requests[endpoint if endpoint in self._endpoints else "other"] += 1
        if not self._limit.allows(address, monotonic_s):
            self._counts.throttled += 1
            return Reply(420, payloads.THROTTLED)
        if self._faults.rest_status is not None:
            return Reply(self._faults.rest_status, self._faults.rest_body)
        if self._faults.rest_wrong_json:
            return Reply(200, _WRONG_JSON)
        if endpoint not in self._endpoints:
            return Reply(404, "")
        return self._endpoints[endpoint](query, now_s)

    def _order_book(self, query: dict[str, str], now_s: float) -> Reply:
        book = query.get("book")
        if book is None or book not in self._market.specs:
            return Reply(400, payloads.unknown_order_book(book))
        # bitso-py sends Python's True and False, so case cannot matter.
        aggregate = query.get("aggregate", "true").lower() != "false"
        return Reply(200, payloads.order_book(self._depth(book), now_s, aggregate=aggregate))

    def _ticker(self, query: dict[str, str], now_s: float) -> Reply:
        specs = self._market.specs
        book = query.get("book")
        if book is None:
            rows = [payloads.ticker(specs[name], self._depth(name), now_s) for name in specs]
            return Reply(200, payloads.success(rows))
        if book not in specs:
            return Reply(400, payloads.unknown_ticker_book(book))
        row = payloads.ticker(specs[book], self._depth(book), now_s)
        return Reply(200, payloads.success(row))

    def _available_books(self, _query: dict[str, str], _now_s: float) -> Reply:
        rows = [payloads.available_book(spec) for spec in self._market.specs.values()]
        return Reply(200, payloads.success(rows))

    def _trades(self, _query: dict[str, str], _now_s: float) -> Reply:
        return Reply(200, payloads.NO_TRADES)


def _endpoint(path: str) -> str | None:
    for prefix in PREFIXES:
        if path.startswith(prefix):
            return path.removeprefix(prefix).removesuffix("/")
    return None
