"""How the live board looks, from values alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bitso_spread.board import Board, Order, View
from bitso_spread.cli.board_look import Progress, Scene, draw, page_of
from bitso_spread.cli.board_table import spark
from bitso_spread.model import Sample, State
from bitso_spread.sim.specs import catalogue

T = 1_789_948_800
"""2026-09-21 00:00:00 UTC."""
KEYS = "s sort  q quits"


def scene(books: int = 2, **other: object) -> Scene:
    """Ten minutes of books; btc_mxn has been getting wider, and usd_mxn is not known now."""
    board = Board()
    for tick in range(T - 599, T + 1):
        rows = [
            Sample(tick, "btc_mxn", 1233830.0, 1233990.5, (tick - T + 600) / 1000, State.QUIET,
                   age_ms=12_400),
            Sample(tick, "usd_mxn", 18.4321, 18.45, 0.5, State.HELD, age_ms=2100)
            if tick < T else Sample.blank(T, "usd_mxn", State.UNKNOWN),
        ]  # fmt: skip
        rows += [
            Sample(tick, f"sim{number:03}_mxn", 10.0, 10.5, number / 10, State.FRESH, age_ms=300)
            for number in range(2, books)
        ]
        board.add(rows)
    given = {"at": T + 0.5, "mark": "SIMULATED", "lines": board.lines(T + 0.5), "tick": T,
             "keys": KEYS} | other  # fmt: skip
    return Scene(**given)  # type: ignore[arg-type]


def shown(of: Scene, width: int, height: int) -> list[str]:
    return [line.plain.rstrip() for line in draw(of, width, height)]


def test_at_80_columns_all_there_is_of_a_book_is_on_one_line() -> None:
    assert shown(scene(), 80, 6) == [
        "bitso-spread  SIMULATED   2 books                        2026-09-21 00:00:00 UTC",
        " book          bid       ask        mid sprd % 10 min  low % high % state    age",
        " btc_mxn 1233830.0 1233990.5 1233910.25 0.6000 ▁▃▄▆▇█ 0.0010 0.6000 quiet    13s",
        " usd_mxn                                       ▁▁▁▁▁  0.5000 0.5000 unknown",
        "",
        KEYS,
    ]


def test_at_120_columns_there_is_room_for_more_of_the_past() -> None:
    heading, header, *rows = shown(scene(), 120, 6)
    assert heading == f"{'bitso-spread  SIMULATED   2 books':<97}2026-09-21 00:00:00 UTC"
    columns = (" book             bid          ask           mid  spread %  ",
               "last 10 min           ", " low %  high %  state     age")  # fmt: skip
    assert header == "".join(columns)
    first = (" btc_mxn  1,233,830.0  1,233,990.5  1,233,910.25    0.6000  ",
             "▁▁▂▂▃▃▃▄▄▄▅▅▆▆▆▇▇▇██  ", "0.0010  0.6000  quiet     13s")  # fmt: skip
    assert rows[0] == "".join(first)


def test_54_books_at_80_columns_scroll() -> None:
    many = scene(54)
    assert page_of(many, 80, 24) == 21
    first = shown(many, 80, 24)
    assert len(first) == 24
    assert all(len(line) <= 80 for line in first)
    assert first[-1] == f"{KEYS}{'1-21 of 54':>{80 - len(KEYS)}}"
    books = [line.split()[0] for line in first[2:23]]
    assert books[0] == "btc_mxn"
    scrolled = scene(54, view=View(top=33))
    last = shown(scrolled, 80, 24)
    assert last[22].split()[0] == "sim053_mxn"
    assert last[-1].endswith("34-54 of 54")
    # Columns stand still whatever is in view.
    assert last[1] == first[1]


def test_at_80_columns_54_books_of_all_sizes_have_each_column() -> None:
    prices = {"shib_usd": (0.0000172942, 0.0000173278), "btc_ars": (91_820_000.0, 91_927_000.5)}
    prices |= {book: (10.001, 10.5) for book in catalogue(54) if book not in prices}
    board = Board(books=["shib_usd", "btc_ars"])
    for tick in range(T - 599, T + 1):
        board.add(
            Sample(tick, book, bid, ask, 0.02 + (T - tick) // 120 / 100, State.FRESH, age_ms=300)
            for book, (bid, ask) in prices.items()
        )
    lines = shown(scene(lines=board.lines(T)), 80, 24)
    assert lines[1:4] == [
        " book              bid        ask        mid sprd % 10m    low high state    age",
        " btc_ars    91820000.0 91927000.5 91873500.2 0.0200 █▆▃▁▁ .020 .060 fresh   0.3s",
        " shib_usd   1.72942e-5 1.73278e-5 1.73110e-5 0.0200 █▆▃▁▁ .020 .060 fresh   0.3s",
    ]
    assert all(len(line.split()) == 10 for line in lines[2:23])


@pytest.mark.parametrize(
    ("spread", "told"),
    [(0.02, ".020"), (0.9994, ".999"), (0.9996, "1.00"), (9.996, "10.0"), (99.96, "100")],
)
def test_the_least_spread_has_three_digits_where_there_is_little_room(
    spread: float, told: str
) -> None:
    lines = [replace(line, low=spread) for line in scene().lines]
    assert shown(scene(lines=lines), 75, 6)[2].split()[6] == told


def test_the_heading_says_by_what_books_are_sorted() -> None:
    assert shown(scene(view=View(Order.SPREAD)), 80, 6)[0].startswith(
        "bitso-spread  SIMULATED   2 books, widest spread first "
    )
    assert shown(scene(mark=""), 80, 6)[0].startswith("bitso-spread  2 books ")


def test_an_alert_is_a_mark_at_its_book_and_a_line_below() -> None:
    lines = shown(scene(alerts={"btc_mxn": "above 0.5 % for 12 s"}), 80, 10)
    assert lines[2].startswith("!btc_mxn")
    assert lines[3].startswith(" usd_mxn")
    assert lines[8:] == ["! btc_mxn above 0.5 % for 12 s", KEYS]


def test_of_many_alerts_the_first_are_told_and_the_others_counted() -> None:
    alerts = {f"sim{number:03}_mxn": "no data for 75 s" for number in range(2, 9)}
    first, second = "! sim002_mxn no data for 75 s", "! sim003_mxn no data for 75 s"
    assert shown(scene(9, alerts=alerts), 80, 30)[-4:-1] == [
        first, second, "! 5 more books have alerts",
    ]  # fmt: skip
    assert shown(scene(9, alerts=alerts), 80, 19)[-2] == "! 7 books have alerts"
    lines = shown(scene(9, alerts=alerts), 80, 24)
    assert lines[-3:-1] == [first, "! 6 more books have alerts"]
    assert sum(line.startswith("!sim") for line in lines) == 7


def test_the_batch_and_the_last_file_stand_below() -> None:
    progress = Progress(150, 600, T + 450, "600 rows of btc_mxn in btc_mxn-….csv")
    lines = shown(scene(progress=progress), 80, 10)
    assert lines[-3:] == [
        "batch 150/600 ━━━━━━━─────────────────────── next file 00:07:30, in 7:30",
        "last file: 600 rows of btc_mxn in btc_mxn-….csv",
        KEYS,
    ]
    before = Progress(0, 600, T + 599, "")
    assert shown(scene(progress=before), 80, 10)[-2] == "last file: none yet"


def test_what_is_told_leaves_room_for_the_books() -> None:
    progress = Progress(150, 600, T + 450, "")
    full = scene(9, notes=("one", "two", "three", "four"), progress=progress,
                 alerts={"sim002_mxn": "no data", "sim003_mxn": "no data"})  # fmt: skip
    assert [page_of(full, 80, height) for height in (3, 6, 9, 24, 30)] == [0, 3, 3, 15, 20]
    assert shown(full, 80, 30)[-6:-3] == ["two", "three", "four"]
    for height in (1, 2, 5):
        assert len(shown(full, 80, height)) == height


ADVICE = (
    "2026-11-28T10:12:46Z WARNING REST: cannot reach api.bitso.com: [Errno 111] Connection "
    "refused; check the network, or --rest-url; asked again in 12.4 s, for as long as it takes"
)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 24), (60, 12), (80, 10)])
def test_long_advice_goes_on_in_the_next_line(width: int, height: int) -> None:
    told = scene(notes=("an earlier one", ADVICE))
    lines = shown(told, width, height)
    assert "check the network, or --rest-url" in " ".join(line.strip() for line in lines)
    assert max(map(len, lines)) <= width
    assert len(lines) == height
    # The heading, the columns and the foot are where they were.
    assert (lines[0][:12], lines[2].split()[0]) == ("bitso-spread", "btc_mxn")


def test_on_a_small_screen_what_has_no_room_ends_in_dots_and_the_books_stay() -> None:
    lines = shown(scene(3, notes=(ADVICE,)), 60, 8)
    assert [line.split()[0] for line in lines[2:5]] == ["btc_mxn", "usd_mxn", "sim002_mxn"]
    assert lines[-3].startswith("2026-11-28T10:12:46Z WARNING")
    assert lines[-2].endswith(" …")


def test_short_notes_take_a_line_each_as_ever() -> None:
    assert page_of(scene(54, notes=("one", "two")), 80, 24) == 24 - 3 - 2


def test_a_long_alert_goes_on_in_the_next_line() -> None:
    lines = shown(scene(alerts={"btc_mxn": f"no data for 2 min: {ADVICE}"}), 80, 24)
    assert any(line.startswith("! btc_mxn no data for 2 min") for line in lines)
    assert any("check the network" in line for line in lines)


def test_what_is_waited_for_is_said_to_its_end() -> None:
    lines = shown(scene(lines=(), waiting=f"waiting for the first data: {ADVICE}"), 80, 24)
    assert "for as long as it takes" in " ".join(line.strip() for line in lines)


def test_what_others_have_said_cannot_move_the_cursor() -> None:
    lines = shown(scene(notes=("evil \x1b[2J\rthings",)), 80, 10)
    assert lines[-2] == "evil  [2J things"


def test_before_the_first_row_it_says_what_is_waited_for() -> None:
    lines = shown(scene(lines=(), waiting="waiting for the first data …"), 80, 6)
    assert lines[1:3] == ["waiting for the first data …", ""]


@pytest.mark.parametrize("width", [1, 20, 40, 60, 79, 80, 81, 100, 200, 500])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for line in draw(scene(54, alerts={"btc_mxn": "x" * 600}), width, 24):
        assert line.cell_len <= width


@pytest.mark.parametrize(
    ("width", "heading"),
    [
        (112, "book bid ask mid spread % last 10 min low % high % state age"),
        (110, "book bid ask mid sprd % last 10 min low % high % state age"),
        (80, "book bid ask mid sprd % 10 min low % high % state age"),
        (78, "book bid ask mid sprd % 10 min low high state age"),
        (75, "book bid ask mid sprd % 10m low high state age"),
        (68, "book bid ask sprd % 10 min low high state age"),
        (60, "book bid ask sprd % 10 min state age"),
        (48, "book bid ask sprd % state age"),
    ],
)
def test_what_has_no_room_is_left_out_whole(width: int, heading: str) -> None:
    assert shown(scene(), width, 6)[1].split() == heading.split()


def test_a_book_that_becomes_unknown_moves_no_column() -> None:
    known = Sample(T, "btc_mxn", 1233830.0, 1233990.5, 0.5, State.FRESH)
    board = Board()
    board.add([known])
    before = shown(scene(lines=board.lines(T)), 100, 6)[1]
    board.add([Sample.blank(T + 1, "btc_mxn", State.UNKNOWN)])
    assert shown(scene(lines=board.lines(T + 1)), 100, 6)[1] == before


def test_a_terminal_without_unicode_gets_ascii() -> None:
    progress = Progress(150, 600, T + 450, "")
    for line in draw(scene(progress=progress), 80, 12, ascii_only=True):
        assert line.plain.isascii(), line.plain


def styled(of: Scene, style: str) -> list[str]:
    return [
        line.plain[span.start : span.end].strip()
        for line in draw(of, 80, 10)
        for span in line.spans
        if span.style == style and line.plain[span.start : span.end].strip()
    ]


def test_only_bad_news_have_a_colour_and_a_word_says_what_they_are() -> None:
    told = scene(alerts={"btc_mxn": "above 0.5 %"})
    # Its mark, its name, its spread, and the next book's state; the line below has one style.
    assert styled(told, "bold red") == ["!", "btc_mxn", "0.6000", "unknown"]
    assert draw(told, 80, 10)[8].style == "bold red"
    assert styled(told, "magenta") == []
    held = scene(lines=[replace(told.lines[0], state="held")])
    assert styled(held, "magenta") == ["held"]


@pytest.mark.parametrize(
    ("means", "drawn"),
    [
        ([1.0, 2.0, 3.0], "▁▅█"),
        ([1.0, None, 3.0], "▁ █"),
        ([2.0, 2.0, 2.0], "▁▁▁"),
        ([0.1293, 0.12930000000000003], "▁▁"),
        ([None, None], "  "),
        ([], ""),
    ],
)
def test_a_sparkline_is_drawn_between_its_least_and_its_greatest(
    means: list[float | None], drawn: str
) -> None:
    assert spark(means) == drawn
