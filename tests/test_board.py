"""What the live board knows, on values alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bitso_spread.board import ABSENT, Board, Line, Order, View, cells
from bitso_spread.model import Sample, State

# A whole multiple of all cells.
T = 1_789_948_800


def row(tick: int, spread: float | None = 0.5, book: str = "btc_mxn", age_ms: int = 200) -> Sample:
    if spread is None:
        return Sample.blank(tick, book, State.UNKNOWN)
    return Sample(tick, book, 99.5, 100.0, spread, State.FRESH, age_ms=age_ms)


def board_of(*spreads: float | None, interval: int = 1) -> Board:
    """A board whose rows of btc_mxn end with the tick T."""
    board = Board(interval)
    first = T - (len(spreads) - 1) * interval
    board.add(row(first + i * interval, spread) for i, spread in enumerate(spreads))
    return board


def line_of(board: Board, now: float = T, book: str = "btc_mxn") -> Line:
    (line,) = [line for line in board.lines(now) if line.book == book]
    return line


def test_a_book_is_shown_as_its_last_row_with_the_age_that_it_has_now() -> None:
    line = line_of(board_of(0.5, 0.25), now=T + 0.6)
    assert (line.bid, line.ask, line.mid, line.spread) == (99.5, 100.0, 99.75, 0.25)
    assert line.state == "fresh"
    assert line.age_s == pytest.approx(0.8)


def test_least_and_greatest_are_of_the_last_ten_minutes_and_of_what_was_known() -> None:
    board = board_of(9.0, 0.1, *[0.5] * 597, None, 0.7)
    assert (line_of(board).low, line_of(board).high) == (0.1, 0.7)
    board.add([row(T + 1, None)])
    line = line_of(board, now=T + 1)
    assert (line.low, line.high, line.spread, line.mid) == (0.5, 0.7, None, None)
    assert len(line.past) == 600


def test_seconds_without_a_row_are_gaps() -> None:
    board = board_of(0.1)
    board.add([row(T + 3, 0.2)])
    assert line_of(board, T + 3).past == (0.1, None, None, 0.2)


def test_a_gap_longer_than_ten_minutes_leaves_nothing_of_what_was_before() -> None:
    board = board_of(0.1)
    board.add([row(T + 5000, 0.2)])
    assert set(line_of(board, T + 5000).past) == {None, 0.2}
    assert len(line_of(board, T + 5000).past) == 600


def test_a_row_that_comes_again_is_passed_over() -> None:
    board = board_of(0.1, 0.2)
    board.add([row(T, 0.9), row(T - 1, 0.9)])
    assert line_of(board).past == (0.1, 0.2)
    assert line_of(board).spread == 0.2


@pytest.mark.parametrize(
    ("interval", "late", "state"),
    [(1, 11, "fresh"), (1, 12, ABSENT), (60, 70, "fresh"), (60, 71, ABSENT)],
)
def test_what_has_had_no_row_for_too_long_is_not_shown_as_if_it_were_so_now(
    interval: int, late: int, state: str
) -> None:
    line = line_of(board_of(0.5, interval=interval), now=T + late)
    assert line.state == state
    assert (line.spread is None) == (line.bid is None) == (state == ABSENT)
    assert line.age_s == pytest.approx(late + 0.2)
    assert line.high == 0.5


def test_the_past_of_a_book_without_rows_ends_when_that_of_the_others_does() -> None:
    board = board_of(0.1)
    board.add([row(T, 0.3, "usd_mxn"), row(T + 2, 0.3, "usd_mxn")])
    assert line_of(board, T + 2).past == (0.1, None, None)


def test_a_book_that_is_gone_is_forgotten_and_one_that_was_asked_for_is_not() -> None:
    board = Board(books=["eth_mxn"])
    board.add([row(T, book="btc_mxn"), row(T, book="eth_mxn")])
    board.add([row(T + 600, book="usd_mxn")])
    assert [line.book for line in board.lines(T)] == ["eth_mxn", "btc_mxn", "usd_mxn"]
    board.add([row(T + 601, book="usd_mxn")])
    assert [line.book for line in board.lines(T)] == ["eth_mxn", "usd_mxn"]


def test_a_book_that_was_asked_for_and_has_no_row_is_absent() -> None:
    board = Board(books=["eth_mxn"])
    board.add([row(T, book="btc_mxn")])
    line = line_of(board, T, "eth_mxn")
    assert (line.state, line.spread, line.age_s, line.low) == (ABSENT, None, None, None)


def test_prices_keep_the_places_and_the_room_that_they_once_needed() -> None:
    board = Board()
    shown = []
    for tick, (bid, ask) in enumerate([(1233830.0, 1233990.5), (9.25, 10.0), (0.00001712, 0.5)]):
        board.add([replace(row(T + tick), bid=bid, ask=ask)])
        shown.append((line_of(board, T + tick).places, line_of(board, T + tick).highest))
    assert shown == [(1, 1233990.5), (2, 1233990.5), (8, 1233990.5)]


def test_cells_are_means_on_a_grid_that_stands_still() -> None:
    board = board_of(*[1.0] * 60, *[2.0] * 60, *[4.0] * 11)
    # T is the first tick of its minute.
    means = [1.0, (50 * 1.0 + 10 * 2.0) / 60, (50 * 2.0 + 10 * 4.0) / 60, 4.0]
    assert cells(line_of(board), T, 1, 60) == pytest.approx(means)
    before = cells(line_of(board), T, 1, 60)[:-1]
    board.add([row(T + 1, 8.0)])
    after = cells(line_of(board, T + 1), T + 1, 1, 60)
    assert after[:-1] == before
    assert after[-1] == 6.0


def test_a_cell_of_which_nothing_is_known_is_none_and_others_are_of_what_is() -> None:
    board = board_of(*[None] * 60, *[None, 3.0] * 30, 5.0)
    assert cells(line_of(board), T, 1, 60) == [None, 3.0, 5.0]


def test_cells_of_a_longer_interval_are_of_whole_ticks() -> None:
    assert cells(line_of(board_of(1.0, 2.0, 3.0, interval=30)), T, 30, 60) == [1.5, 3.0]
    assert cells(line_of(board_of(1.0, 2.0, interval=60)), T, 60, 10) == [1.0, 2.0]


def lines(**spreads: float | None) -> list[Line]:
    board = Board()
    board.add(row(T, spread, book) for book, spread in spreads.items())
    return board.lines(T)


def test_s_sorts_by_spread_the_widest_first_and_back() -> None:
    some = lines(a_b=0.1, c_d=None, e_f=0.9, g_h=0.1)
    view = View(top=2)
    assert [line.book for line in view.arranged(some)] == ["a_b", "c_d", "e_f", "g_h"]
    by_spread = view.after("s", 4, 2)
    assert by_spread == View(Order.SPREAD, top=0)
    assert [line.book for line in by_spread.arranged(some)] == ["e_f", "a_b", "g_h", "c_d"]
    assert by_spread.after("s", 4, 2) == View(Order.BOOK)


@pytest.mark.parametrize(
    ("keys", "top"),
    [
        (["down"], 1), (["j", "j"], 2), (["down", "up"], 0), (["up"], 0), (["k"], 0),
        (["page down"], 20), ([" ", " "], 34), (["page down", "page up"], 0),
        (["end"], 34), (["G", "down"], 34), (["end", "home"], 0), (["G", "g"], 0), (["x"], 0),
    ],
)  # fmt: skip
def test_keys_scroll_and_never_past_an_end(keys: list[str], top: int) -> None:
    view = View()
    for key in keys:
        view = view.after(key, count=54, page=20)
    assert view.top == top


def test_a_view_that_is_past_the_end_comes_back() -> None:
    assert View(top=40).within(count=54, page=20).top == 34
    assert View(top=40).within(count=2, page=20).top == 0
