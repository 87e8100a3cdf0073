"""What the client claims, whatever comes in whatever order, against what was true.

Frames late, lost or crossed, links cut or half open, a mute book, slow and failing replies, a
process that stands still. A quote is one that the market had, for as long as the architecture's
"Known" allows, and no second longer; and what must be known is.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bitso_spread.model import State
from tests.properties.support import histories
from tests.properties.world import BOOKS, World

A_HAIR_S = 0.001  # what sums of floats may be off by
MAX_STALE_S = 3.0 + A_HAIR_S
LONGEST_S = 120.0 + A_HAIR_S  # twice --refresh-after
STUCK_S = 3.0 + A_HAIR_S  # a feed that has not looked at its link for so long does not know it
LATE_S = 2.0  # a frame that is late by so much is not called late
LATE_TICK_S = 0.9

books = st.sampled_from(BOOKS)
soon = st.sampled_from([0.0, 0.0, 0.1, 0.6, 2.0, 7.0])


class Client(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.live(1.0)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.world.later(seconds, action)

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 1.0, 2.9, 3.2, 5.0, 11.0, 30.0, 63.0, 130.0]))
    def time_passes(self, seconds: float) -> None:
        # Bit by bit, so that what is claimed in between is looked at as well.
        for _ in range(4):
            self.world.live(seconds / 4)
            self.look()

    @rule(seconds=st.sampled_from([1.5, 2.9, 3.5, 12.0, 70.0]))
    def the_process_stands_still(self, seconds: float) -> None:
        self.world.freeze(seconds)

    @rule(book=books, after=soon)
    def the_market_moves(self, book: str, after: float) -> None:
        self.after(after, lambda: self.world.move(book))

    @rule(book=books, after=soon, count=st.integers(1, 4))
    def crossed_frames_come(self, book: str, after: float, count: int) -> None:
        for i in range(count):
            self.after(after + i, lambda: self.world.send_rejected(book))

    @rule(after=soon)
    def the_link_is_cut(self, after: float) -> None:
        self.after(after, self.world.cut)

    @rule(after=soon)
    def packets_vanish(self, after: float) -> None:
        self.after(after, self.world.half_open)

    @rule(book=books, after=soon, lasts=st.sampled_from([5.0, 70.0, 200.0]))
    def a_book_goes_mute_and_moves(self, book: str, after: float, lasts: float) -> None:
        self.after(after, lambda: self.world.mute.add(book))
        self.after(after + 0.1, lambda: self.world.move(book))
        self.after(after + lasts, lambda: self.world.mute.discard(book))

    @rule(
        book=books,
        lag=st.sampled_from([1.5, 2.5, 2.9, 4.0, 20.0]),
        moves=st.integers(1, 3),
        lasts=st.sampled_from([0.5, 3.0, 30.0]),
    )
    def the_feed_lags(self, book: str, lag: float, moves: int, lasts: float) -> None:
        self.world.lag_s = lag
        for i in range(moves):
            self.after(i * 0.4, lambda: self.world.move(book))
        self.after(lasts, lambda: setattr(self.world, "lag_s", 0.0))

    @rule(book=books, lag=st.sampled_from([2.5, 2.9, 4.0, 20.0]), cut=st.booleans())
    def a_frame_comes_late(self, book: str, lag: float, cut: bool) -> None:
        self.world.lag_s = lag
        self.world.move(book)
        self.world.live(0.1)
        self.world.lag_s = 0.0
        self.world.move(book)
        # One connection keeps the order, so that the second frame comes with the first.
        self.world.live(lag - 0.05)
        self.look()
        if cut:
            self.world.refusing = True
            self.world.cut()
            self.after(10.0, lambda: setattr(self.world, "refusing", False))
            self.time_passes(4.0)

    @rule(book=books)
    def a_mute_book_is_found(self, book: str) -> None:
        self.world.mute.add(book)
        self.world.move(book)
        for _ in range(63):
            self.world.live(1.0)
            self.look()
        self.world.mute.discard(book)

    @rule(lasts=st.sampled_from([1.0, 5.0, 20.0]))
    def the_feed_refuses_connections(self, lasts: float) -> None:
        self.world.refusing = True
        self.world.cut()
        self.after(lasts, lambda: setattr(self.world, "refusing", False))

    @rule(after=soon, lasts=st.sampled_from([2.0, 5.0, 20.0, 125.0, 200.0]))
    def rest_fails(self, after: float, lasts: float) -> None:
        self.after(after, lambda: setattr(self.world, "rest_works", False))
        self.after(after + lasts, lambda: setattr(self.world, "rest_works", True))

    @rule(takes=st.sampled_from([0.05, 0.5, 1.5, 2.5, 5.0]))
    def rest_is_fast_or_slow(self, takes: float) -> None:
        self.world.rest_takes_s = takes

    @rule(answers=st.booleans())
    def pings_are_answered_or_not(self, answers: bool) -> None:
        self.world.answers_pings = answers

    @invariant()
    def look(self) -> None:
        for book in BOOKS:
            self.a_quote_is_one_that_the_market_had(book, self.world.now - LATE_TICK_S)
            self.a_quote_is_one_that_the_market_had(book, self.world.now)
            self.a_word_stands_only_so_long(book)
            self.only_a_live_link_vouches_and_only_once_it_has_spoken(book)
            self.what_is_vouched_for_is_true_unless_it_was_hidden(book)
            self.what_must_be_known_is(book)

    def a_quote_is_one_that_the_market_had(self, book: str, at: float) -> None:
        world = self.world
        standing = world.standing(book, at)
        if standing.quote is not None:
            # A rejected frame among good ones voids no quote at once.
            doubted = at - world.seen[book].last_rejected <= MAX_STALE_S
            backed = standing.vouched or doubted
            allowed = LONGEST_S if backed else MAX_STALE_S
            if standing.state is State.FRESH:
                allowed = 1.0
            unseen = LATE_S + world.hidden_lag_s if world.latest_s > 0.1 else 0.1
            assert world.seen[book].had(standing.quote, at - allowed - unseen, at), standing

    def a_word_stands_only_so_long(self, book: str) -> None:
        seen, now = self.world.seen[book], self.world.now
        standing = self.world.standing(book, now)
        if standing.quote is None:
            assert standing.state is State.UNKNOWN
            return
        assert standing.state is not State.UNKNOWN
        assert seen.word is not None
        assert now - seen.word <= LONGEST_S
        if self.world.connection is None or now - self.world.looked > STUCK_S:
            assert now - seen.word <= MAX_STALE_S, standing
        if seen.rejected is not None:
            assert now - seen.rejected <= MAX_STALE_S, standing

    def only_a_live_link_vouches_and_only_once_it_has_spoken(self, book: str) -> None:
        world = self.world
        if world.standing(book, world.now).vouched:
            assert world.connection is not None
            assert world.now - world.looked <= STUCK_S
            assert world.seen[book].confirmed
            assert world.seen[book].rejected is None
            assert world.last_lag_s <= MAX_STALE_S

    def what_is_vouched_for_is_true_unless_it_was_hidden(self, book: str) -> None:
        world, seen = self.world, self.world.seen[book]
        standing = world.standing(book, world.now)
        if standing.vouched and not seen.hidden and not world.on_its_way(book):
            assert standing.quote == seen.truth, standing

    def what_must_be_known_is(self, book: str) -> None:
        world, seen = self.world, self.world.seen[book]
        if (
            world.connection is not None
            and world.now == world.looked
            and world.latest_s <= LATE_S - A_HAIR_S
            and seen.confirmed
            and seen.rejected is None
            and seen.word is not None
            # At one and the same instant, which of the two came last is not told.
            and seen.word != seen.last_rejected
            and world.now - seen.word <= LONGEST_S - 2 * A_HAIR_S
        ):
            standing = world.standing(book, world.now)
            assert standing.vouched, standing
            assert standing.quote is not None


TestClient = Client.TestCase
TestClient.settings = histories(120, steps=40)
