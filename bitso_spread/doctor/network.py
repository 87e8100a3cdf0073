"""The way to a host: does its name resolve, does its port answer, is its certificate trusted.

By sockets of its own, since neither httpx nor websocket-client says which of the three it was
that failed. What the host then answers is the job of the checks of REST and of the feed.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Generator
from datetime import UTC, datetime
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from bitso_spread.doctor.finding import Finding, failed, ms, ok, skipped
from bitso_spread.exchange.environment import is_loopback
from bitso_spread.exchange.rest_errors import printable

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_PROXIED_AS = {"ws": "http", "wss": "https"}
# OpenSSL's codes of a certificate that is not valid yet, and of one that is not any more.
_BY_DATE = (9, 10)

Reached = Generator[Finding, None, bool]


def reach(what: str, url: str, timeout_s: float) -> Reached:
    """Look up and connect to the host of a URL; gives whether it is worth asking it anything."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    names, connects = f"{what} host", f"{what} connection"
    if (proxy := _proxy(parts.scheme, host)) is not None:
        yield skipped(names, f"the proxy {proxy} looks up {host}")
        yield skipped(connects, f"the proxy {proxy} connects to {host}")
        return True
    began = time.monotonic()
    try:
        addresses = _addresses(host, port, timeout_s)
    except (OSError, UnicodeError) as error:
        yield failed(
            names,
            f"{host} cannot be looked up: {_said(error)}",
            "check that this machine is online and which DNS server it uses, or the host's name",
        )
        yield skipped(connects, f"{host} cannot be looked up")
        return False
    yield ok(names, _resolved(host, addresses, time.monotonic() - began))
    try:
        yield ok(connects, _connect(host, port, timeout_s, secure=parts.scheme in {"https", "wss"}))
    except OSError as error:
        detail = f"{host} port {port}: {_said(error)}"
        yield failed(connects, detail, _advice(error, host, port))
        return False
    return True


def _proxy(scheme: str, host: str) -> str | None:
    """Name the proxy that the system's settings put before a host; never its password."""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    url = proxies.get(_PROXIED_AS.get(scheme, scheme)) or proxies.get("all")
    if not url:
        return None
    parts = urlsplit(url if "://" in url else f"//{url}")
    return printable(parts.hostname or "of the settings")


def _addresses(host: str, port: int, timeout_s: float) -> list[str]:
    # The system's resolver knows no timeout of ours; a thread that goes on waiting does no harm.
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            answers.put(error)
        else:
            answers.put([str(entry[4][0]) for entry in found])

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except queue.Empty:
        raise TimeoutError(f"no answer within {timeout_s:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return list(dict.fromkeys(answer))


def _resolved(host: str, addresses: list[str], took_s: float) -> str:
    try:
        return f"{ipaddress.ip_address(host)} is an address"
    except ValueError:
        more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
        return f"{host} is {addresses[0]}{more}, in {ms(took_s)}"


def _connect(host: str, port: int, timeout_s: float, *, secure: bool) -> str:
    began = time.monotonic()
    # The certificates that REST and the feed trust.
    context = httpx.create_ssl_context() if secure else None
    with socket.create_connection((host, port), timeout_s) as connection:
        if context is None:
            return f"port {port} answers in {ms(time.monotonic() - began)}; not encrypted"
        with context.wrap_socket(connection, server_hostname=host) as tls:
            took_s = time.monotonic() - began
            until = _valid_until(tls)
            return f"port {port} speaks {tls.version()} in {ms(took_s)}, certificate{until} trusted"


def _valid_until(tls: ssl.SSLSocket) -> str:
    certificate = tls.getpeercert() or {}
    ends = certificate.get("notAfter")
    if not isinstance(ends, str):
        return ""
    moment = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
    return f" until {moment:%Y-%m-%d}"


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is refused: {printable(error.verify_message)}"
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror)
    return printable(str(error)) or type(error).__name__


def _advice(error: OSError, host: str, port: int) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _BY_DATE:
            return "check this machine's clock first, then the host's name"
        return (
            "something on the way, such as a company's proxy or a hotel's network, may show a "
            "certificate of its own: put the file of its authority into SSL_CERT_FILE, or use "
            "another network; if the host is your own, do the same with its certificate"
        )
    if isinstance(error, FileNotFoundError):
        return "SSL_CERT_FILE or SSL_CERT_DIR names certificates that are not there: mend or unset"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on {host} port {port}, or a firewall refuses: check the URL"
    return f"a firewall on the way may be in between: allow this machine {host} port {port}"
