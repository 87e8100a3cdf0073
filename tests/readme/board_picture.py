"""The README's picture of the live board: ten fixed minutes of an invented market, drawn by the
board's own renderer.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from bitso_spread.alerts.machine import Machine
from bitso_spread.alerts.rules import AlertRules, Threshold
from bitso_spread.board import Board, Order, View
from bitso_spread.cli.board_alerts import told
from bitso_spread.cli.board_look import Progress, Scene, draw
from bitso_spread.cli.marks import label
from bitso_spread.lake.layout import SIMULATED
from bitso_spread.model import Quote, Sample, State
from bitso_spread.sim.specs import BookSpec, catalogue, spec_of
from bitso_spread.sim.synthetic import TopOfBook

BOOKS = catalogue(12)
WIDTH, HEIGHT = 100, 18
THRESHOLD = 0.35
LAST = 1_722_036_340
"""The last tick: 2024-07-26 23:25:40 UTC."""
_BEGAN = LAST - 599
# What happens to two of the books, in seconds before the last tick.
_UNKNOWN = {"sol_mxn": range(260, 330), "ltc_mxn": range(25)}

_DARK = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255),
     (210, 119, 232), (57, 197, 207), (177, 186, 196)],
)  # fmt: skip
LIGHT = TerminalTheme(
    (255, 255, 255),
    (31, 35, 40),
    [(36, 41, 47), (207, 34, 46), (17, 99, 41), (77, 45, 0), (9, 105, 218),
     (130, 80, 223), (27, 124, 131), (110, 119, 129)],
)  # fmt: skip
"""For a look at how the board is on a light terminal."""


def board_svg(*, theme: TerminalTheme = _DARK) -> str:
    """Draw it."""
    console = Console(file=io.StringIO(), width=WIDTH, record=True, legacy_windows=False)
    console.print(Text("\n").join(board_lines()), soft_wrap=True)
    svg = console.export_svg(
        title=f"bitso-spread collect -b all -e sim --alert {THRESHOLD}",
        theme=theme,
        unique_id="board",
    )
    # Nothing is fetched: whoever looks has a font of equal widths.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    fonts = 'font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace'
    return re.sub(r"font-family: Fira Code, monospace", fonts, svg) + "\n"


def board_lines() -> list[Text]:
    """Give the lines of the board at the last tick."""
    board, alerts = Board(books=BOOKS), Machine(AlertRules((Threshold(THRESHOLD),)))
    for samples in zip(*map(_samples, BOOKS), strict=True):
        board.add(samples)
        for sample in samples:
            alerts.feed(sample.book, sample.tick, sample.spread)
    now = LAST + 0.6
    view = View(Order.SPREAD)
    scene = Scene(
        at=now,
        mark=label(SIMULATED),
        lines=view.arranged(board.lines(now)),
        tick=LAST,
        view=view,
        alerts=told(alerts.in_force),
        progress=Progress(
            done=340, size=600, next_file=LAST + 260,
            last_file="600 rows of btc_mxn in sim-btc_mxn-20240726T231000Z.parquet",
        ),
        keys="s sort  ↑↓ PgUp PgDn scroll  Ctrl-C ends",
    )  # fmt: skip
    return draw(scene, WIDTH, HEIGHT)


def _samples(book: str) -> Iterator[Sample]:
    spec = spec_of(book)
    top, ages = TopOfBook(spec, seed=1), Random(book)  # noqa: S311  (a market, not a secret)
    word_ms = change_ms = 0
    for tick in range(_BEGAN, LAST + 1):
        now_ms = (tick - _BEGAN) * 1000 + ages.randrange(1000)
        while change_ms <= now_ms:
            top.change()
            word_ms, change_ms = change_ms, change_ms + top.wait_ms()
        if LAST - tick in _UNKNOWN.get(book, ()):
            yield Sample.blank(tick, book, State.UNKNOWN)
            continue
        age_ms = now_ms - word_ms
        state = State.FRESH if age_ms <= 1000 else State.QUIET
        yield replace(Sample.of(tick, _quote(spec, top), state), age_ms=age_ms)


def _quote(spec: BookSpec, top: TopOfBook) -> Quote:
    return Quote(spec.book, top.bid * spec.tick, top.ask * spec.tick)
