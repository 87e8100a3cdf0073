"""Which exchange is meant: production, stage, a simulated one, or the hosts of two URLs.

Names and URLs only. Starting a simulated exchange is the command line's job
(bitso_spread.cli.exchange); talking to one is bitso_spread.exchange.rest's and feed's.

Hosts are those of docs.bitso.com and of clients that work with them: `api.bitso.com/v3`,
`bitso.com/api/v3` and `api.bitso.com/api/v3` are one exchange. Bitso documents no WebSocket
host for stage.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from bitso_spread.errors import UsageError
from bitso_spread.nearest import did_you_mean

SIMULATED = "sim"

# What urlsplit takes for a host and a resolver can look up; others are written in punycode.
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Environment:
    """An exchange: where it is, how its rows are marked, whose request limit it has."""

    name: str
    """What marks its rows and files; `[a-z0-9.-]+`."""
    rest_url: str
    """The part before ``/order_book``, without a slash at its end."""
    ws_url: str | None
    """None where no WebSocket is known."""
    budget_key: str
    """Environments with the same key share one request budget: they are the same servers."""

    @property
    def rest_host(self) -> str:
        """The host of the REST URL, for messages."""
        return urlsplit(self.rest_url).hostname or self.rest_url

    @property
    def is_simulated(self) -> bool:
        """Whether its prices are made up."""
        return self.name == SIMULATED

    @property
    def is_loopback(self) -> bool:
        """Whether its REST host is this machine, so that nothing leaves it."""
        return is_loopback(self.rest_host)

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read a request: TLS, or this machine alone."""
        return _is_private(self.rest_url)

    @property
    def open_urls(self) -> dict[str, str]:
        """The URLs that others on the way can read along, by the option that sets them."""
        urls = {"--rest-url": self.rest_url, "--ws-url": self.ws_url}
        return {option: url for option, url in urls.items() if url and not _is_private(url)}


PRODUCTION = Environment(
    "production",
    "https://api.bitso.com/v3",
    "wss://ws.bitso.com",
    "bitso.com",
)
STAGE = Environment("stage", "https://stage.bitso.com/api/v3", None, "stage.bitso.com")

_NAMED = {PRODUCTION.name: PRODUCTION, STAGE.name: STAGE}
_REST_URLS = {
    "https://api.bitso.com/v3": PRODUCTION,
    "https://bitso.com/api/v3": PRODUCTION,
    "https://api.bitso.com/api/v3": PRODUCTION,
    "https://stage.bitso.com/api/v3": STAGE,
}
_WS_URLS = {"wss://ws.bitso.com": PRODUCTION}
_BUDGET_KEYS = {
    "api.bitso.com": PRODUCTION.budget_key,
    "bitso.com": PRODUCTION.budget_key,
    "stage.bitso.com": STAGE.budget_key,
}


def environment(name: str, rest_url: str | None = None, ws_url: str | None = None) -> Environment:
    """Give the environment called `name`, or the one that the URLs stand for.

    A URL that is missing is the named environment's. A REST URL of production or of stage says
    by itself which of the two is meant. Any other host gives an environment named after it,
    such as ``127.0.0.1-8080``, so that its rows are marked; ``sim`` with both URLs stays ``sim``.

    Raises:
        UsageError: there is no such environment, or a URL cannot be one of an exchange.
    """
    rest = _checked(rest_url, "--rest-url", ("https", "http")) if rest_url else None
    ws = _checked(ws_url, "--ws-url", ("wss", "ws")) if ws_url else None
    if name == SIMULATED:
        return _simulated(rest, ws)
    if name not in _NAMED:
        near = did_you_mean(name, [*_NAMED, SIMULATED])
        raise UsageError(f"there is no environment {name!r}: choose production, stage or sim{near}")
    base = _NAMED[name]
    if rest:
        base = _REST_URLS.get(rest, base)
    rest, ws = rest or base.rest_url, ws or base.ws_url
    foreign = [url for url in (rest, ws) if url and _known(url) is not base]
    mark = _name_of(foreign[0]) if foreign else base.name
    return Environment(mark, rest, ws, _budget_key(rest))


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_private(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"https", "wss"} or is_loopback(parts.hostname or "")


def _simulated(rest: str | None, ws: str | None) -> Environment:
    if rest is None or ws is None:
        raise UsageError(
            "the environment sim needs both --rest-url and --ws-url of a running simulated "
            "exchange (bitso-spread sim prints them), or neither",
        )
    for url in (rest, ws):
        known = _known(url)
        if known:
            raise UsageError(f"{url} is {known.name} and not simulated: use -e {known.name}")
    return Environment(SIMULATED, rest, ws, _budget_key(rest))


def _known(url: str) -> Environment | None:
    return _REST_URLS.get(url) or _WS_URLS.get(url)


def _checked(url: str, option: str, schemes: tuple[str, str]) -> str:
    # Never repeats the URL before it is known to hold no password.
    example = f"such as {schemes[0]}://HOST"
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise UsageError(f"{option} is not a URL, {example}") from None
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{option} must not hold a user or a password")
    scheme, host = parts.scheme.lower(), parts.hostname
    if scheme not in schemes or not host or not _is_host(host):
        raise UsageError(f"{option} {url!r} is not a URL of {' or '.join(schemes)}, {example}")
    if parts.query or parts.fragment:
        raise UsageError(f"{option} {url!r} must end with its path: no '?' and no '#'")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        netloc = f"{netloc}:{port}"
    return SplitResult(scheme, netloc, parts.path.rstrip("/"), "", "").geturl()


def _is_host(host: str) -> bool:
    if ":" not in host:
        return bool(_HOST.fullmatch(host))
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _name_of(url: str) -> str:
    name = re.sub(r"[^a-z0-9.-]", "-", urlsplit(url).netloc).strip("-.")
    # A host may be called "sim" or "production"; its rows must not pass for theirs.
    return f"host-{name}" if name in (*_NAMED, SIMULATED) else name


def _budget_key(rest_url: str) -> str:
    parts = urlsplit(rest_url)
    return _BUDGET_KEYS.get(parts.hostname or "", parts.netloc)
