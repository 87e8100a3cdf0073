"""How the live board looks: lines of text at a given width and height, from values alone.

Colours are only those of the terminal's own palette that can be read on black and on white: red
and magenta. They never say what a word or a mark does not say too, so that nothing is lost with
NO_COLOR. What the board knows is bitso_spread.board's job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from textwrap import wrap

from rich.text import Text

from bitso_spread.board import Line, Order, View
from bitso_spread.cli.board_table import ALERT, draw_table
from bitso_spread.counting import many

_BAR, _BAR_ASCII = ("━", "─"), ("#", "-")
_BAR_WIDTH = 30
# Alerts, and lines of the log, below the books: on a low terminal fewer. What is too long for a
# line may take one more, or as many as there are beside the books.
_MOST_TOLD = 3
_LINES_FOR_EACH = 10
_FEWEST_BOOKS = 3
_MOST_LINES = 6


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a collector's batch is, for its own screen."""

    done: int
    """Ticks."""
    size: int
    next_file: int
    """When the batch will be over, in seconds since the epoch."""
    last_file: str
    """Of the last file written; empty before the first."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is to be seen at an instant."""

    at: float
    """Seconds since the epoch."""
    mark: str
    """Where the rows come from, unless that is production, such as ``SIMULATED``."""
    lines: Sequence[Line] = ()
    """In the order of the view."""
    tick: int = 0
    """The last one, in seconds since the epoch."""
    interval: int = 1
    """Seconds between ticks."""
    view: View = field(default_factory=View)
    alerts: Mapping[str, str] = field(default_factory=dict)
    """What there is to be told of a book."""
    notes: Sequence[str] = ()
    """The last lines of the log, oldest first."""
    waiting: str = ""
    """What is waited for, while there is no line yet."""
    progress: Progress | None = None
    keys: str = ""
    """What keys there are."""


def page_of(scene: Scene, width: int, height: int) -> int:
    """Give how many books are shown at once."""
    return max(0, height - 3 - len(_told(scene, width, height)))


def draw(scene: Scene, width: int, height: int, *, ascii_only: bool = False) -> list[Text]:
    """Give the lines of the board: at most `height`, each at most `width` cells wide."""
    page = page_of(scene, width, height)
    view = scene.view.within(len(scene.lines), page)
    shown = _books(scene, view, page, width, ascii_only=ascii_only)
    shown += [Text()] * (page + 1 - len(shown))
    told = _told(scene, width, height, ascii_only=ascii_only)
    lines = [_title(scene, width), *shown, *told, _bottom(scene, view, page, width)]
    for line in lines:
        line.truncate(width)
    return lines[:height]


def _books(scene: Scene, view: View, page: int, width: int, *, ascii_only: bool) -> list[Text]:
    if not scene.lines:
        return [Text(line) for line in _lines(scene.waiting, width, page, ascii_only=ascii_only)]
    return draw_table(
        scene.lines,
        slice(view.top, view.top + page),
        scene.alerts,
        tick=scene.tick,
        interval=scene.interval,
        width=width,
        ascii_only=ascii_only,
    )


def _title(scene: Scene, width: int) -> Text:
    title = Text()
    title.append("bitso-spread", style="bold")
    if scene.mark:
        title.append(" ")
        title.append(f" {scene.mark} ", style="bold reverse")
    if scene.lines:
        count = len(scene.lines)
        books = many(count, "book")
        order = ", widest spread first" if scene.view.order is Order.SPREAD else ""
        title.append(f"  {books}{order}")
    return _spread_out(
        title, f"{datetime.fromtimestamp(scene.at, UTC):%Y-%m-%d %H:%M:%S} UTC", width
    )


def _bottom(scene: Scene, view: View, page: int, width: int) -> Text:
    count = len(scene.lines)
    where = f"{view.top + 1}-{view.top + page} of {count}" if 0 < page < count else ""
    return _spread_out(Text(scene.keys), where, width)


def _spread_out(left: Text, right: str, width: int) -> Text:
    """Put a text at the right end of a line, where there is room for it."""
    room = width - left.cell_len - len(right)
    if right and room > 0:
        left.append(" " * room + right)
    return left


def _told(scene: Scene, width: int, height: int, *, ascii_only: bool = False) -> list[Text]:
    """Give what stands below the books: alerts, the end of the log, the batch."""
    most = max(1, min(_MOST_TOLD, height // _LINES_FOR_EACH))
    alerts = [f"! {book} {alert}" for book, alert in scene.alerts.items()]
    if len(alerts) > most:
        more = "more " if most > 1 else ""
        alerts[most - 1 :] = [f"! {len(alerts) - most + 1} {more}books have alerts"]
    batch = (
        [] if scene.progress is None else _batch(scene.progress, scene.at, ascii_only=ascii_only)
    )
    free = height - 3 - max(len(scene.lines), _FEWEST_BOOKS) - len(batch)
    told: list[Text] = []
    # The first alert goes before the others, and so does the last note.
    for texts, style in ((alerts, ALERT), (scene.notes[-most:][::-1], "")):
        most_lines = max(most + 1, min(_MOST_LINES, free - len(told)))
        parts = _parts(texts, width, most_lines, ascii_only=ascii_only)
        told += [Text(line, style) for part in (parts if style else parts[::-1]) for line in part]
    told += batch
    room = max(0, height - 3 - _FEWEST_BOOKS)
    return told[len(told) - min(len(told), room) :]


def _batch(progress: Progress, at: float, *, ascii_only: bool) -> list[Text]:
    full, empty = _BAR_ASCII if ascii_only else _BAR
    filled = min(progress.done, progress.size) * _BAR_WIDTH // progress.size
    left = max(0, round(progress.next_file - at))
    line = Text(f"batch {progress.done}/{progress.size} ")
    line.append(full * filled + empty * (_BAR_WIDTH - filled))
    line.append(f" next file {datetime.fromtimestamp(progress.next_file, UTC):%H:%M:%S}")
    line.append(f", in {left // 60}:{left % 60:02}")
    last = Text(f"last file: {_clean(progress.last_file or 'none yet')}")
    return [line, last]


def _parts(texts: Sequence[str], width: int, room: int, *, ascii_only: bool) -> list[list[str]]:
    """Give texts in lines, no more than there is room for in all: the first before the others."""
    parts: list[list[str]] = []
    for number, text in enumerate(texts, 1):
        left = room - sum(map(len, parts)) - (len(texts) - number)
        parts.append(_lines(text, width, left, ascii_only=ascii_only))
    return parts


def _lines(text: str, width: int, most: int, *, ascii_only: bool) -> list[str]:
    """Give a text in so many lines at most; what has no room is left out with dots."""
    dots = "..." if ascii_only else "…"
    # An option is not to be cut at its hyphens.
    return wrap(
        _clean(text),
        max(width, 10),
        max_lines=max(1, most),
        placeholder=f" {dots}",
        subsequent_indent="  ",
        break_on_hyphens=False,
    )


def _clean(text: str) -> str:
    """Leave out what could move the cursor or change colours."""
    return "".join(c if c.isprintable() else " " for c in text)
