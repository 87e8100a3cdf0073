"""A way to an S3 server on loopback that counts requests, and can harm them as a network does."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

# As S3 answers: 409 to a put while another of the same key is under way, and 404 to one that is to
# replace what is gone.
_REFUSALS = {
    "slow-down": (503, "SlowDown"),
    "error": (500, ""),
    "deny": (403, ""),
    "conflict": (409, "ConditionalRequestConflict"),
    "absent": (404, "NoSuchKey"),
}
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked of the store."""

    kind: str
    """``list``, ``get``, ``head``, ``put``, ``delete`` or ``post``."""
    key: str
    """Of the object, or the prefix of a list; without the bucket."""
    bucket: str
    is_flat: bool = False
    """Whether a list goes to any depth."""


@dataclass(slots=True)
class Fault:
    """What is done to requests: the arguments of `Gateway.harm`."""

    how: str
    when: Callable[[Request], bool]
    every: int
    times: int | None
    seconds: float
    seen: int = 0

    def strikes(self, request: Request) -> bool:
        if self.times == 0 or not self.when(request):
            return False
        self.seen += 1
        if self.seen % self.every:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Gateway:
    """Forwards HTTP requests to a server's port on loopback, and notes each."""

    port_behind: int
    requests: list[Request] = field(default_factory=list)
    """All that came, harmed or not, in the order of their coming."""
    authorizations: list[str] = field(default_factory=list)
    """With what each of these was signed."""
    most_at_once: int = 0
    """How many were under way at the same time, at the most."""
    _under_way: int = 0
    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer | None = None
    _port: int = 0

    @property
    def url(self) -> str:
        """The endpoint that leads through it."""
        return f"http://127.0.0.1:{self._port}"

    def counts(self) -> Counter[str]:
        """Tell how many requests of each kind have come."""
        with self._lock:
            return Counter(request.kind for request in self.requests)

    def keys(self, kind: str) -> list[str]:
        """Give the keys, or prefixes, of the requests of a kind."""
        with self._lock:
            return [request.key for request in self.requests if request.kind == kind]

    def forget(self) -> None:
        """Count from zero again."""
        with self._lock:
            self.requests.clear()

    def harm(
        self,
        how: str,
        when: str | Callable[[Request], bool] = lambda _: True,
        *,
        every: int = 1,
        times: int | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Harm requests from now on.

        Args:
            how: ``slow-down`` (503), ``error`` (500), ``deny`` (403), ``conflict`` (409),
                ``absent`` (404), ``delay`` (by `seconds`),
                ``cut`` (the answer breaks off in its body), ``damage`` (its bytes are others),
                ``lose`` (it is done, and the answer never comes), ``reset`` (nothing is done).
            when: which requests; a text is their kind.
            every: of those, each n-th.
            times: how many at most.
            seconds: of a delay.
        """
        chosen = _of_kind(when) if isinstance(when, str) else when
        with self._lock:
            self._faults.append(Fault(how, chosen, every, times, seconds))

    def heal(self) -> None:
        """Harm nothing any more."""
        with self._lock:
            self._faults.clear()

    def go_down(self) -> None:
        """Refuse connections, as while the store is out of reach."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def come_up(self) -> None:
        """Accept connections, on the same port as before."""
        gateway = self

        class Handler(_Handler):
            passes_to = gateway

        self._server = _Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def forward(
        self, command: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, HTTPMessage, bytes]:
        """Ask the server itself."""
        connection = HTTPConnection("127.0.0.1", self.port_behind, timeout=30)
        try:
            connection.request(command, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            if command == "HEAD":
                answer.headers["X-Length"] = answer.headers.get("Content-Length", "0")
            return answer.status, answer.headers, data
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self.come_up()
        return self

    def __exit__(self, *error: object) -> None:
        self.go_down()

    def note(self, request: Request, authorization: str) -> list[Fault]:
        """Count a request, and give what is to be done to it."""
        with self._lock:
            self.requests.append(request)
            self.authorizations.append(authorization)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            return [fault for fault in self._faults if fault.strikes(request)]

    def noted(self) -> None:
        """Take note that a request of `note` has been dealt with."""
        with self._lock:
            self._under_way -= 1


def _error(code: str) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f"{head}<Error><Code>{code}</Code></Error>".encode() if code else b""


def _of_kind(kind: str) -> Callable[[Request], bool]:
    return lambda request: request.kind == kind


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that go away are part of what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    passes_to: Gateway
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        signed = self.headers.get("Authorization", "")
        faults = {fault.how: fault for fault in self.passes_to.note(self._request(), signed)}
        try:
            self._deal(body, faults)
        finally:
            self.passes_to.noted()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass  # noqa: N815

    def _deal(self, body: bytes, faults: dict[str, Fault]) -> None:
        if "delay" in faults:
            time.sleep(faults["delay"].seconds)
        if "reset" in faults or self.passes_to._server is None:  # an outage ends connections too
            self.close_connection = True
            return
        for how, (status, code) in _REFUSALS.items():
            if how in faults:
                self._answer(status, {}, _error(code))
                return
        status, headers, data = self.passes_to.forward(
            self.command, self.path, body, dict(self.headers)
        )
        if "lose" in faults:
            self.close_connection = True
            return
        if "damage" in faults and data:
            data = bytes([data[0] ^ 1]) + data[1:]
        self._answer(status, dict(headers), data, cut="cut" in faults)

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        if "list-type" in query:
            return Request("list", query.get("prefix", [""])[0], bucket, "delimiter" not in query)
        return Request(self.command.lower(), key, bucket)

    def _answer(
        self, status: int, headers: dict[str, str], data: bytes, *, cut: bool = False
    ) -> None:
        length = headers.pop("X-Length", str(len(data)))
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        with suppress(OSError):
            if cut:
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                self.close_connection = True
            elif self.command != "HEAD":
                self.wfile.write(data)
