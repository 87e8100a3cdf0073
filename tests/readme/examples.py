"""An example of each command, run as it stands in the README."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.readme import lake
from tests.readme.program import shown, start

Shape = Callable[[str], object]
"""What of an output is the same each time."""

_NUMBER = re.compile(r"\d[\d.,:TZ+-]*")
_STATE = re.compile(r"\b(fresh|quiet|held)\b")
_SOME_TICKS = re.compile(r"([3-9]|\d\d) ticks")
_LIMIT_S = 60


def exact(text: str) -> object:
    """All of it."""
    return text


def words(text: str) -> object:
    """All but numbers, and how a book stands; lines of two threads come in any order."""
    text = _STATE.sub("STATE", _NUMBER.sub("0", text))
    return sorted(re.sub(r"[ ─]+", " ", line).strip() for line in text.splitlines())


def checks(text: str) -> object:
    """The names of what was checked."""
    return [line[5:29] for line in text.splitlines() if "bitso-spread" not in line]


@dataclass(frozen=True, slots=True)
class Example:
    """Lines to type, in a folder whose `data` is the small lake."""

    lines: tuple[str, ...]
    shape: Shape = exact
    until: str = ""
    """Ctrl-C is pressed once this has been said."""
    meanwhile: str = ""
    """What runs at the same time, and records into `data`."""
    is_long: bool = False
    """Whether it opens only when it is asked for."""

    def run(self) -> str:
        """Give what is on the terminal afterwards."""
        with tempfile.TemporaryDirectory() as temporary:
            home = Path(temporary).resolve()
            if not self.meanwhile:
                lake.make(home / "data")
            with _running(self.meanwhile, home):
                parts = [f"$ {line}\n{shown(line, home, until=self.until)}" for line in self.lines]
        return "\n".join(part.strip("\n") for part in parts)


_SQL = (
    "SELECT order_book, count(*) AS seconds, max(spread) AS widest FROM BitsoSpreadMonitor "
    "WHERE minutes < 205 AND spread > 0.25 GROUP BY order_book ORDER BY order_book"
)

EXAMPLES = {
    "collect": Example(
        ("bitso-spread collect -e sim --batch-size 5 --batches 1 --lake sim-lake | cat",), words
    ),
    "status": Example(
        ("bitso-spread status --lake data",), words, meanwhile="bitso-spread collect -e sim --lake"
    ),
    "snapshot": Example(
        ("bitso-spread snapshot -e sim", "bitso-spread snapshot -e sim -b btc_mxn --depth 3"),
        words,
    ),
    "watch": Example(("bitso-spread watch -e sim | head -3",), words),
    "books": Example(("bitso-spread books -e sim -b btc_mxn,eth_mxn,usd_mxn",), words),
    "query": Example(
        (
            "bitso-spread query --lake data --date 2024-07-26 --book BTC-MXN --limit 3",
            "bitso-spread query --lake data --every 10m",
            f'bitso-spread query --lake data --sql "{_SQL}"',
            "bitso-spread query --lake data --from 2024-07-26T03:30 --output rows.parquet",
        )
    ),
    "report": Example(
        ("bitso-spread report --lake data --book btc_mxn --output report.html && ls",)
    ),
    "alerts": Example(("bitso-spread alerts --lake data --alert 0.3 --alert btc_mxn=0.25",)),
    "verify": Example(("bitso-spread verify --lake data --max-missing 100",)),
    "compact": Example(
        ("bitso-spread compact --lake data", "cd data && find BitsoSpreadDaily -type f | sort")
    ),
    "import": Example(("bitso-spread import data --lake another --merge",)),
    "doctor": Example(("bitso-spread doctor -e sim",), checks, is_long=True),
    "sim": Example(("bitso-spread sim --books 54",), words, until="ws-url"),
    "service": Example(
        ("bitso-spread service systemd -b all --lake /srv/lake 2>/dev/null | grep -A 5 ExecStart",)
    ),
}


@contextmanager
def _running(line: str, home: Path) -> Iterator[None]:
    if not line:
        yield
        return
    recorder = start(f"{line} data", home)
    try:
        deadline = time.monotonic() + _LIMIT_S
        while not _SOME_TICKS.search(shown("bitso-spread status --lake data", home)):
            assert time.monotonic() < deadline, f"it does not record: {line}"
        yield
    finally:
        recorder.terminate()
        recorder.wait()
