"""What tests of alerts share: a webhook on this machine, and alerts as they might be."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bitso_spread.alerts.events import Alert, Change, Event, Kind

SECRET = "T0KEN/not-a-secret-5d0c"  # noqa: S105  (a stand-in, to look for)


def an_alert(book: str = "btc_mxn", **changes: object) -> Alert:
    usual = Alert(book, Kind.SPREAD, 0.5, 1000, 1003, 1003, widest=0.61)
    return replace(usual, **changes)  # type: ignore[arg-type]


def fired(book: str = "btc_mxn", **changes: object) -> Event:
    return Event(Change.FIRED, an_alert(book, **changes))


def cleared(book: str = "btc_mxn", **changes: object) -> Event:
    over: dict[str, object] = {
        "seen": 1063, "until": 1060, "ended": 1063, "ending": Change.CLEARED, **changes,
    }  # fmt: skip
    return Event(Change.CLEARED, an_alert(book, **over))


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.005)


@dataclass
class Hook:
    """A webhook that answers as it is told to."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    """What it answers, one after another: status, headers, body; then 200."""
    taken: list[dict[str, Any]] = field(default_factory=list)
    """The JSON of each request, whatever was answered."""
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    hangs: threading.Event = field(default_factory=threading.Event)
    """Once set, it does not answer until it is cleared, or the hook ends."""
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def texts(self) -> list[str]:
        return [str(each["text"]) for each in self.taken]


@contextmanager
def webhook() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.headers.append(dict(self.headers.items()))
            hook.paths.append(self.path)
            hook.taken.append(json.loads(body))
            if hook.hangs.is_set():
                hook.released.wait(30)
            status, headers, answer = hook.answers.pop(0) if hook.answers else (200, {}, b"ok")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of a client that has gone."""

    with Server(("127.0.0.1", 0), Handler) as server:
        hook.url = f"http://127.0.0.1:{server.server_address[1]}/services/{SECRET}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hook
        finally:
            hook.released.set()
            server.shutdown()
            thread.join()
