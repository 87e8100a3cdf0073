"""A real browser without a window: Chromium, driven by its own DevTools protocol.

The protocol goes over a WebSocket, for which the project has a library already; the drivers that
there are bring a dozen packages, one of which upsets Hypothesis.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket

LIMIT_S = 40


def eventually(condition: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


class Browser:
    """One page of a running Chromium."""

    def __init__(self, url: str) -> None:
        self._link = websocket.create_connection(url, timeout=LIMIT_S, suppress_origin=True)
        self._numbers = count(1)
        self._events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._link.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Do something, and give what came of it; what happens meanwhile is kept."""
        number = next(self._numbers)
        self._link.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (message := json.loads(self._link.recv())).get("id") != number:
            self._events.append(message)
        assert "error" not in message, (method, message["error"])
        result: dict[str, Any] = message["result"]
        return result

    def events(self, *methods: str) -> list[dict[str, Any]]:
        """Give what has happened of these kinds since the page was opened."""
        self.call("Runtime.evaluate", expression="0")
        return [event["params"] for event in self._events if event["method"] in methods]

    def run(self, expression: str) -> Any:
        """Give the value of an expression of JavaScript in the page."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def open(self, path: Path) -> None:
        """Open a file, and wait until its script has run."""
        self._events.clear()
        self.call("Page.navigate", url=path.as_uri())
        eventually(lambda: self.run("document.documentElement?.classList.contains('drawn')"))

    def complaints(self) -> list[dict[str, Any]]:
        """Give what the console says, and what went wrong."""
        return self.events("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")

    def size(self, width: int | None = None) -> None:
        """Make the window as wide as this, or as it was."""
        if width is None:
            self.call("Emulation.clearDeviceMetricsOverride")
            return
        metrics = {"height": 700, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", width=width, **metrics)

    def scheme(self, name: str = "") -> None:
        """Prefer ``dark`` or ``light``, or nothing."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def box(self, selector: str, number: int = 0) -> dict[str, float]:
        """Bring something into view, and give its ``x``, ``y``, ``width`` and ``height``."""
        found = f"document.querySelectorAll({json.dumps(selector)})[{number}]"
        self.run(f"{found}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        box: dict[str, float] = self.run(f"{found}.getBoundingClientRect().toJSON()")
        return box

    def mouse(self, what: str, x: float, y: float) -> None:
        """Move, press or release the mouse at a place of the window."""
        button = {"button": "left", "buttons": 1, "clickCount": 1} if what != "mouseMoved" else {}
        self.call("Input.dispatchMouseEvent", type=what, x=x, y=y, **button)


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Run Chromium with a profile in a folder; skip the test where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    arguments = (
        "--headless=new",
        "--window-size=1200,900",
        "--force-device-scale-factor=1",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-first-run",
        # It asks nobody for anything.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        # Chromium refuses its sandbox to root, and containers often have none.
        "--no-sandbox",
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([program, *arguments, "about:blank"], **quiet)  # type: ignore[call-overload]
    try:
        with closing(Browser(_page_of(folder / "DevToolsActivePort"))) as browser:
            yield browser
    finally:
        process.kill()
        process.wait()


def _page_of(port_file: Path) -> str:
    eventually(lambda: port_file.is_file() and port_file.read_text().count("\n"))
    port = int(port_file.read_text().splitlines()[0])
    found: list[str] = []

    def pages() -> list[str]:
        targets = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
        found[:] = [each["webSocketDebuggerUrl"] for each in targets if each["type"] == "page"]
        return found

    eventually(pages)
    return found[0]
