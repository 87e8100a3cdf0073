"""What to do about each error of REST, for a person. Pure."""

from __future__ import annotations

from bitso_spread.errors import ExchangeError
from bitso_spread.exchange.rest_errors import (
    BadReplyError,
    BitsoError,
    BudgetExhausted,
    HttpError,
    Throttled,
    TransportError,
)


def told(error: ExchangeError) -> tuple[str, str]:
    """Give what happened, and what to do about it."""
    what, _, general = str(error).rpartition("; ")
    return what or general, _advice(error) or general


def _advice(error: ExchangeError) -> str | None:
    match error:
        case Throttled():
            return (
                "more than 60 requests a minute came from this network's address: stop what else "
                "asks Bitso from it, and try again in a minute"
            )
        case BudgetExhausted():
            return "another process of yours asks Bitso: try again in a minute"
        case TransportError():
            return (
                "see whether the host can be reached with curl; a firewall or a proxy "
                "(HTTPS_PROXY) may be in the way, or the exchange is down: try again in a minute"
            )
        case HttpError(status=403) if error.is_passing:
            return (
                "a web page instead of data: Cloudflare, in front of Bitso, turns this address "
                "away; use another network, or ask Bitso to admit the address"
            )
        case HttpError() if error.is_passing:
            return "the exchange has trouble of its own: try again in a few minutes"
        case BadReplyError():
            return (
                "what answers there is not Bitso as it was known: check --rest-url; if that is "
                "right, Bitso has changed its API, so please report it with this line"
            )
        case HttpError() if not isinstance(error, BitsoError):
            return "check --rest-url: it must be the part before /order_book"
    return None
