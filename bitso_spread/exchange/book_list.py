"""Which books there are, under which names, and looking that up again while recording."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from bitso_spread.errors import BitsoSpreadError, ExchangeError, UnknownBookError
from bitso_spread.exchange.environment import Environment
from bitso_spread.exchange.rest import RestClient
from bitso_spread.exchange.rest_errors import BadReplyError, BitsoError
from bitso_spread.model import WantedBooks

log = logging.getLogger("bitso_spread.books")


class BookList:
    """The books that a user asked for, as the exchange names them.

    Raises:
        UsageError: a name is not a book's, or none is given.
    """

    def __init__(self, environment: Environment, names: Sequence[str]) -> None:
        self._wanted = WantedBooks(names)
        self._environment = environment
        self._lookup: threading.Thread | None = None
        self._found: list[str] | None = None

    @property
    def all(self) -> bool:
        """Whether every available book is meant."""
        return self._wanted.every

    def look_up(self) -> list[str]:
        """Ask the exchange for its books, and give the canonical names of those asked for.

        If it cannot be asked, or lists no book at all, the names are taken as written: a feed
        that works need not wait for REST.

        Raises:
            UnknownBookError: there is no such book.
            ExchangeError: all books are wanted and the exchange cannot be asked, or it refuses.
        """
        try:
            with RestClient(self._environment) as rest:
                available = [info.book for info in rest.available_books()]
            if not available:
                host = self._environment.rest_host
                raise BadReplyError(f"{host} lists no book at all; try again later")
        except ExchangeError as error:
            # Bitso's own no, such as to a wrong API key, will be the same for every request.
            refused = isinstance(error, BitsoError) and not error.is_passing
            if self.all or refused:
                raise
            log.warning("the names of books are taken as written: %s", error)
            return self._wanted.names
        books, unknown = self._wanted.among(available)
        if unknown and not self.all:
            raise UnknownBookError(f"{unknown[0]} (bitso-spread books lists them)")
        return books

    def refresh(self, prepare: Callable[[list[str]], list[str]]) -> None:
        """Look up in the background; `prepare` is given the books, and gives those to take."""

        def run() -> None:
            try:
                self._found = prepare(self.look_up())
            except BitsoSpreadError as error:
                log.warning("the list of books could not be renewed: %s", error)

        self._lookup = threading.Thread(target=run, name="books", daemon=True)
        self._lookup.start()

    def refreshed(self) -> list[str] | None:
        """Give what `refresh` has found, once; None if there is nothing new."""
        if (found := self._found) is not None:
            self._found = None
        return found
