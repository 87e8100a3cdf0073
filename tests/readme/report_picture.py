"""The README's picture of a report: a simulated day, made by the tool itself."""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from PIL import Image

from bitso_spread.lake.layout import SIMULATED, TABLE, Partition, file_name
from bitso_spread.lake.writer import encode
from bitso_spread.model import Quote, Sample, State
from bitso_spread.sim.specs import spec_of
from bitso_spread.sim.synthetic import TopOfBook
from tests.report.browser import Browser, chromium

BOOK = "btc_mxn"
WIDTH, HEIGHT = 1200, 1300
"""In pixels: down to the second chart."""
_COLOURS = 256
# Nothing is known for half an hour, and for an hour nobody recorded.
UNKNOWN = range(5 * 3600, 5 * 3600 + 1800)
ABSENT = range(14 * 3600, 15 * 3600)
_START = int(datetime(2024, 7, 26, tzinfo=UTC).timestamp())
_BATCH = 600


def take(folder: Path, picture: Path, *, hours: int = 24) -> None:
    """Record so many hours of a market that never was, report on them, and take a picture."""
    lake, page = folder / "data", folder / "report.html"
    _record(lake, BOOK, hours)
    program = [sys.executable, "-m", "bitso_spread", "report", "--output", str(page)]
    subprocess.run([*program, "--lake", str(lake)], check=True, stderr=subprocess.DEVNULL)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        chromium(Path(profile)) as browser,
    ):
        browser.size(WIDTH)
        browser.open(page)
        shot = _top_of(browser)
    # A palette has all there is to see, in a fraction of the bytes.
    with Image.open(BytesIO(shot)) as whole:
        whole.convert("RGB").quantize(_COLOURS, Image.Quantize.MAXCOVERAGE).save(
            picture, optimize=True
        )


def _record(lake: Path, book: str, hours: int) -> None:
    rows: dict[int, list[Sample]] = {}
    for row in _rows(book, hours):
        rows.setdefault(row.tick // _BATCH * _BATCH, []).append(row)
    for first, batch in rows.items():
        folder = lake / TABLE / Partition.of(book, first).path
        folder.mkdir(parents=True)
        name = file_name(SIMULATED, book, first, "parquet")
        (folder / name).write_bytes(encode(batch, "parquet", "five"))


def _rows(book: str, hours: int) -> Iterator[Sample]:
    spec = spec_of(book)
    top = TopOfBook(spec, seed=1)
    change_ms = top.wait_ms()
    for second in range(hours * 3600):
        while change_ms <= second * 1000:
            top.change()
            change_ms += top.wait_ms()
        if second in ABSENT:
            continue
        quote = Quote(book, top.bid * spec.tick, top.ask * spec.tick)
        if second in UNKNOWN:
            yield Sample.blank(_START + second, book, State.UNKNOWN)
        else:
            yield Sample.of(_START + second, quote, State.FRESH)


def _top_of(browser: Browser) -> bytes:
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT, "scale": 1}
    shot = browser.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
    return base64.b64decode(shot["data"])
