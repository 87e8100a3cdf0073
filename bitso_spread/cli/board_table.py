"""The books of the live board: a header and a line for each, as wide as there is room.

Where there is little room, first columns move together, then digits that tell least go, and then
a column is left out whole: the mid, then the least and the greatest spread, then the sparkline.
What stands around is bitso_spread.cli.board_look's job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from bitso_spread.board import ABSENT, SPAN_S, Line, cells
from bitso_spread.model import State

_STYLES = {
    State.HELD.value: "magenta",
    State.UNKNOWN.value: "bold red",
    State.MISSED.value: "bold red",
    ABSENT: "bold red",
}
ALERT = "bold red"
"""How all that is of an alert looks."""
_BLOCKS, _BLOCKS_ASCII = "▁▂▃▄▅▆▇█", "_.-:=+*#"
# In percent: as many places as are shown, and two more.
_FLAT = 1e-6
# Of a sparkline, in seconds: ten minutes are a whole number of each.
_CELLS_S = (10, 12, 15, 20, 30, 60, 75, 100, 120)


@dataclass(frozen=True, slots=True)
class Layout:
    """What of a book is shown, and how far apart."""

    gap: int = 2
    commas: bool = True
    compact: bool = False
    """Prices of few characters, and the least and the greatest spread of three digits."""
    mid: bool = True
    range: bool = True
    """The least and the greatest spread."""
    cells: int = 6
    """The fewest that a sparkline may have; 0 for none."""


# The first that fits is taken.
_LAYOUTS = (
    Layout(cells=20),
    Layout(gap=1, cells=10),
    Layout(gap=1, commas=False),
    Layout(gap=1, commas=False, compact=True, cells=5),
    Layout(gap=1, commas=False, compact=True, mid=False),
    Layout(gap=1, commas=False, compact=True, mid=False, range=False),
    Layout(gap=1, commas=False, compact=True, mid=False, range=False, cells=0),
)
# The most that a compact price takes: with it 54 books, of 0.00001729 and of 91,820,000, have
# all their columns at 80.
_COMPACT_WIDTH = 10

_Cell = tuple[str, str]
"""A text, and its style."""


def draw_table(
    lines: Sequence[Line],
    in_view: slice,
    alerts: Mapping[str, str],
    *,
    tick: int,
    interval: int,
    width: int,
    ascii_only: bool,
) -> list[Text]:
    """Give the header and the books in view; columns are as wide as all of the books need.

    `tick` is the last one, in seconds since the epoch, and `interval` the seconds between ticks.
    """
    for layout in _LAYOUTS:
        rows = [_header(layout), *(_cells(line, layout, alerts) for line in lines)]
        widths = _widths(rows, lines, layout)
        room = width - sum(widths) - layout.gap * (len(widths) - 1) - 1
        if layout.cells:
            room -= layout.gap + layout.cells
        if room >= 0:
            break
    count = 0
    if layout.cells:
        cell_s = _cell_s(room + layout.cells, interval)
        count = max(1, SPAN_S // cell_s)
    blocks = _BLOCKS_ASCII if ascii_only else _BLOCKS
    shown = [_row(rows[0], widths, layout, f"{_span(count):<{count}}", header=True)]
    for line, row in zip(lines[in_view], rows[1:][in_view], strict=True):
        drawn = ""
        if count:
            means = cells(line, tick, interval, cell_s)[-count:]
            drawn = f"{spark(means, blocks):>{count}}"
        shown.append(_row(row, widths, layout, drawn))
    return shown


def _widths(rows: Sequence[Sequence[_Cell]], lines: Iterable[Line], layout: Layout) -> list[int]:
    """Give how wide each column is; prices that are not known now keep their room."""
    widths = [max(len(text) for text, _ in column) for column in zip(*rows, strict=True)]
    for line in lines:
        prices = [_price(line.highest, line.places, layout)] * 2
        if layout.mid:
            prices.append(_price(line.highest, line.places + 1, layout))
        for column, price in enumerate(prices, start=1):
            widths[column] = max(widths[column], len(price))
    return widths


def _span(count: int) -> str:
    return next((name for name in ("last 10 min", "10 min", "10m") if len(name) <= count), "")


def _cell_s(room: int, interval: int) -> int:
    """Give the shortest cell of a sparkline that fits, in whole ticks."""
    fitting = [s for s in _CELLS_S if SPAN_S // s <= room and s % interval == 0]
    return fitting[0] if fitting else max(interval, _CELLS_S[-1])


def _header(layout: Layout) -> list[_Cell]:
    names = ["book", "bid", "ask"]
    if layout.mid:
        names.append("mid")
    names.append("spread %" if layout.gap > 1 else "sprd %")
    if layout.range:
        names += ["low", "high"] if layout.compact else ["low %", "high %"]
    return [(name, "bold") for name in (*names, "state", "age")]


def _cells(line: Line, layout: Layout, alerts: Mapping[str, str]) -> list[_Cell]:
    alert = ALERT if line.book in alerts else ""
    prices = [_price(line.bid, line.places, layout), _price(line.ask, line.places, layout)]
    if layout.mid:
        prices.append(_price(line.mid, line.places + 1, layout))
    percents = [(_percent(line.spread), alert)]
    if layout.range:
        percent = _short_percent if layout.compact else _percent
        percents += [(percent(line.low), ""), (percent(line.high), "")]
    return [
        (line.book, alert),
        *((price, "") for price in prices),
        *percents,
        # As wide as the longest state, so that columns stand still.
        (f"{line.state:<7}", _STYLES.get(line.state, "")),
        (f"{_age(line.age_s):>4}", ""),
    ]


def _row(
    row: Sequence[_Cell], widths: Sequence[int], layout: Layout, drawn: str, *, header: bool = False
) -> Text:
    """Put the cells of a row side by side, the sparkline after the spread."""
    alerted = not header and row[0][1] == ALERT
    text = Text()
    text.append("!" if alerted else " ", style=ALERT)
    gap = " " * layout.gap
    spread = 4 if layout.mid else 3
    for place, ((said, style), width) in enumerate(zip(row, widths, strict=True)):
        left = place == 0 or place == len(row) - 2
        text.append(gap if place else "")
        text.append(f"{said:<{width}}" if left else f"{said:>{width}}", style=style)
        if place == spread and layout.cells:
            text.append(gap + drawn, style="bold" if header else "")
    return text


def spark(means: Sequence[float | None], blocks: str = _BLOCKS) -> str:
    """Draw values as blocks between the least and the greatest of them; a gap where None."""
    known = [mean for mean in means if mean is not None]
    if not known:
        return " " * len(means)
    low, high = min(known), max(known)
    # What is as wide all the time lies low; means of it differ in their last bits.
    scale = (len(blocks) - 1) / (high - low) if high - low > _FLAT else 0.0
    return "".join(" " if mean is None else blocks[round((mean - low) * scale)] for mean in means)


def _price(price: float | None, places: int, layout: Layout) -> str:
    if price is None:
        return ""
    if layout.commas:
        return f"{price:,.{places}f}"
    text = f"{price:.{places}f}"
    excess = len(text) - _COMPACT_WIDTH
    if not layout.compact or excess <= 0:
        return text
    if price < 0.001:
        # Leading zeros are what it has too many of: 1.72942e-5 has all its digits.
        digits, _, exponent = f"{price:.{_COMPACT_WIDTH - 5}e}".partition("e")
        return f"{digits}e{int(exponent)}"
    return f"{price:.{max(0, places - excess)}f}"


def _percent(spread: float | None) -> str:
    if spread is None:
        return ""
    places = 4 if spread < 10 else 3 if spread < 100 else 2
    return f"{spread:.{places}f}"


def _short_percent(spread: float | None) -> str:
    if spread is None:
        return ""
    places = 3 if spread < 0.9995 else 2 if spread < 9.995 else 1 if spread < 99.95 else 0
    return f"{spread:.{places}f}".removeprefix("0")


def _age(age_s: float | None) -> str:
    if age_s is None:
        return ""
    if age_s < 9.95:
        return f"{age_s:.1f}s"
    return next(
        (f"{age_s / unit:.0f}{name}" for limit, unit, name in _SPANS if age_s < limit), ">99d"
    )


_SPANS = (
    (99.5, 1, "s"),
    (99.5 * 60, 60, "m"),
    (99.5 * 3600, 3600, "h"),
    (99.5 * 86400, 86400, "d"),
)
