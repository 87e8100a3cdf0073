"""Bitso's REST interface: order books, tickers and the books on offer, within the request limit.

One request at a time goes out for each call; which book is asked next is the client's business,
how many may be asked is bitso_spread.exchange.budget's, what a reply means is rest_replies' and
rest_errors'. Every request takes a slot of the budget first, retries too, so that the limit is
kept by construction.

Sources: docs.bitso.com (general-concepts, list-order-book, ticker, list-available-books) and
recorded replies.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from enum import Enum, auto

import httpx

from bitso_spread import __version__
from bitso_spread.backoff import Backoff
from bitso_spread.errors import UsageError
from bitso_spread.exchange import rest_errors, rest_replies
from bitso_spread.exchange.budget import SILENCE_S, RequestBudget, budget_of
from bitso_spread.exchange.environment import PRODUCTION, Environment
from bitso_spread.exchange.rest_errors import HttpError, TransportError
from bitso_spread.exchange.rest_models import BookInfo, OrderBook, Ticker
from bitso_spread.exchange.signing import SALTS, Credentials, authorization
from bitso_spread.exchange.wire import RejectedError
from bitso_spread.lifetime import Closing

logger = logging.getLogger("bitso_spread.exchange")


class FromEnviron(Enum):
    """Stands for the credentials in the environment variables, unless the exchange is simulated."""

    FROM_ENVIRON = auto()


FROM_ENVIRON = FromEnviron.FROM_ENVIRON


@dataclass(frozen=True, slots=True)
class LastReply:
    """What came with a reply beside its body."""

    status: int
    date: str | None
    """The exchange's clock in whole seconds: the `Date` header as it came."""
    took_s: float
    """From the request to the end of the body."""


class RestClient(Closing):
    """Asks one exchange, unsigned or signed. Safe to use from several threads.

    `timeout_s` bounds a request, `patience_s` how long each may wait for its slot of the budget,
    and `attempts` how often it is made in all. `rejected` counts the rows of lists that could
    not be read, by reason.

    Every method raises an ExchangeError: a TransportError without a reply, an HttpError
    (BitsoError, UnknownOrderBookError, Throttled) for an answer that is no data, a BadReplyError
    for data that is not what was asked for, and BudgetExhausted where it may not ask yet.
    """

    def __init__(
        self,
        environment: Environment = PRODUCTION,
        *,
        credentials: Credentials | FromEnviron | None = FROM_ENVIRON,
        budget: RequestBudget | None = None,
        timeout_s: float = 10.0,
        patience_s: float = 10.0,
        attempts: int = 4,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = random.random,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepare to ask `environment`; nothing is sent yet.

        Raises:
            UsageError: only one of `BITSO_API_KEY` and `BITSO_API_SECRET` is set, or
                `SSL_CERT_FILE` names what cannot be read.
        """
        self.environment = environment
        self.budget = budget or budget_of(environment)
        self.rejected: Counter[str] = Counter()
        self.last_reply: LastReply | None = None
        """Of the request that was last answered, whatever the answer."""
        self._credentials = _credentials_for(environment, credentials)
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._attempts = attempts
        self._sleep = sleep
        self._random = random
        try:
            self._http = httpx.Client(
                timeout=timeout_s,
                transport=transport,
                # A proxy of the environment has no business between this machine and itself.
                trust_env=not environment.is_loopback,
                headers={"User-Agent": f"bitso-spread/{__version__}", "Accept": "application/json"},
            )
        except OSError as error:
            raise UsageError(f"the certificates cannot be read: {error}; SSL_CERT_FILE?") from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def order_book(
        self,
        book: str,
        *,
        aggregate: bool = True,
        attempts: int | None = None,
    ) -> OrderBook:
        """Get a book: the best 50 price levels a side, or with `aggregate=False` every order."""
        query = {"book": book} if aggregate else {"book": book, "aggregate": "false"}
        return rest_replies.read_order_book(self._get("order_book", query, attempts), book)

    def available_books(self, *, attempts: int | None = None) -> list[BookInfo]:
        """Get the books that can be traded; a halted one is just not among them."""
        body = self._get("available_books", attempts=attempts)
        books, rejected = rest_replies.read_available_books(body)
        self._count(rejected, "books")
        return books

    def ticker(self, book: str, *, attempts: int | None = None) -> Ticker:
        """Get the best bid and ask of one book."""
        return rest_replies.read_ticker(self._get("ticker", {"book": book}, attempts), book)

    def tickers(self, *, attempts: int | None = None) -> list[Ticker]:
        """Get the best bid and ask of every book, in one request."""
        tickers, rejected = rest_replies.read_tickers(self._get("ticker", attempts=attempts))
        self._count(rejected, "tickers")
        return tickers

    def _count(self, rejected: Iterable[RejectedError], what: str) -> None:
        for error in rejected:
            self.rejected[error.reason.value] += 1
            logger.warning("passed over one of the %s: %s", what, rest_errors.printable(str(error)))

    def _get(
        self,
        endpoint: str,
        query: dict[str, str] | None = None,
        attempts: int | None = None,
    ) -> bytes:
        backoff = Backoff(draw=self._random)
        left = self._attempts if attempts is None else attempts
        while True:
            left -= 1
            try:
                return self._ask(endpoint, query)
            except (TransportError, HttpError) as error:
                if left <= 0 or not _may_pass(error):
                    raise
                pause_s = backoff.next()
                logger.info("%s; asked again in %.1f s", error, pause_s)
            self._sleep(pause_s)

    def _ask(self, endpoint: str, query: dict[str, str] | None) -> bytes:
        host = self.environment.rest_host
        slot = self.budget.acquire(self._sleep, self._patience_s, self._timeout_s)
        try:
            status, body = self._exchange(endpoint, query)
            if rest_errors.is_throttling(status, body):
                self.budget.silence(SILENCE_S)
                raise rest_errors.throttled(host, status, SILENCE_S)
        finally:
            self.budget.replied(slot)
        if rest_errors.is_error(status, body):
            raise rest_errors.error_of(host, status, body)
        return body

    def _exchange(self, endpoint: str, query: dict[str, str] | None) -> tuple[int, bytes]:
        host = self.environment.rest_host
        url = f"{self.environment.rest_url}/{endpoint}/"
        began = time.monotonic()
        until = began + self._timeout_s
        try:
            request = self._http.build_request("GET", url, params=query)
            self._sign(request)
            reply = self._http.send(request, stream=True)
            with closing(reply):
                body = bytearray()
                for chunk in reply.iter_bytes():
                    body += chunk
                    # httpx bounds each read; a reply that only drips must end as well.
                    if time.monotonic() > until:
                        raise httpx.ReadTimeout("the reply was not whole")
                took_s = time.monotonic() - began
                self.last_reply = LastReply(reply.status_code, reply.headers.get("Date"), took_s)
                return reply.status_code, bytes(body)
        except httpx.TimeoutException:
            raise TransportError(
                f"no reply from {host} within {self._timeout_s:g} s; try again later",
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = rest_errors.printable(str(error)) or type(error).__name__
            raise TransportError(
                f"cannot reach {host}: {reason}; check the network, or --rest-url",
            ) from None

    def _sign(self, request: httpx.Request) -> None:
        if self._credentials is None:
            return
        request.headers["Authorization"] = authorization(
            self._credentials,
            request.method,
            request.url.raw_path.decode("ascii"),
            now_ms=time.time_ns() // 1_000_000,
            salt=int(self._random() * SALTS) % SALTS,
        )


def _credentials_for(
    environment: Environment,
    given: Credentials | FromEnviron | None,
) -> Credentials | None:
    if given is FROM_ENVIRON:
        credentials = None if environment.is_simulated else Credentials.from_environ(os.environ)
    else:
        credentials = given
    if credentials and not environment.is_private:
        logger.warning(
            "requests to %s are not signed: without https, others could read the API key",
            environment.rest_host,
        )
        return None
    return credentials


def _may_pass(error: TransportError | HttpError) -> bool:
    return isinstance(error, TransportError) or error.is_passing
