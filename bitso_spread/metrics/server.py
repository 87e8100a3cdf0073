"""One port that answers with the series of a collector, for Prometheus to scrape."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any

from bitso_spread.errors import BitsoSpreadError, MissingExtraError
from bitso_spread.lifetime import Running

try:
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder
except ImportError as error:
    raise MissingExtraError("--metrics-port", "metrics") from error

from bitso_spread.metrics.series import Series

if TYPE_CHECKING:
    from bitso_spread.collector import Collector

log = logging.getLogger("bitso_spread.metrics")

# A scraper that is gone, or says nothing, is not waited for longer.
_SCRAPER_S = 10.0


class MetricsServer(Running):
    """Answers GET on any path of one port with the series of a collector.

    Raises:
        BitsoSpreadError: the port, or the address, cannot be had.
    """

    def __init__(self, collector: Collector, host: str, port: int) -> None:
        registry = CollectorRegistry()
        registry.register(Series(collector))
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._server = _Server(family, address, registry)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise BitsoSpreadError(
                f"metrics cannot be served on {host}:{port}: {reason}; choose another "
                "--metrics-port or --metrics-host"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that answers."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """A thread for each request, none of which is waited for at the end."""

    daemon_threads = True

    def __init__(self, family: int, address: Any, registry: CollectorRegistry) -> None:
        self.address_family = family
        self.registry = registry
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Take the port, without asking a name server what this host is called."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  (the base's form)
        """Keep a scraper that hangs up from filling the log with tracebacks."""
        log.debug("a request for metrics was not answered: %s", sys.exc_info()[1])


class _Handler(BaseHTTPRequestHandler):
    timeout = _SCRAPER_S
    server: _Server
    server_version = "bitso-spread"
    sys_version = ""

    def do_GET(self) -> None:
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        text = encode(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base's form)
        """Say nothing of each request."""
