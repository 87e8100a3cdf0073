"""The sampler on any clock: a wall clock that steps as it likes, waits that end late, stops."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.model import Sample, State
from bitso_spread.sampling import LATE_S, MISSED_LIMIT, Gap, NothingKnownError, Sampler, Tick
from tests.properties.support import examples
from tests.sampling_bench import BOOKS, NOW, YEAR, FakeClock, FakeSource, Kind

DAY = 86_400


class LateClock(FakeClock):
    """Ends each wait later than asked, or, as a condition variable may, a little sooner."""

    def __init__(self, wall: float, late: list[float]) -> None:
        super().__init__(wall)
        self._late = late
        self.furthest = wall

    def wall(self) -> float:
        self.furthest = max(self.furthest, super().wall())
        return super().wall()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        late = self._late.pop() if self._late else 0.0
        return super().wait(event, max(0.0, seconds + late) if seconds > 0.01 else seconds)


steps = st.tuples(
    st.just("step"),
    st.floats(-4, 4) | st.sampled_from([-YEAR, -DAY, -3600, -61, -1, 1, 61, 599, 3600, DAY, YEAR]),
)
stalls = st.tuples(st.just("stall"), st.floats(0, 4) | st.sampled_from([9.5, 60.0, 599.0, 700.0]))
disturbances = st.lists(st.tuples(st.floats(0, 60), steps | stalls), max_size=8)
lates = st.lists(
    st.floats(-0.005, 0.05) | st.floats(0.5, 1.5) | st.just(20.0), min_size=0, max_size=40
)


def watched(sampler: Sampler, clock: FakeClock) -> Iterator[tuple[Tick | Gap, float]]:
    """Give each event with what the wall clock showed when it was given."""
    try:
        for event in sampler.ticks():
            yield event, clock.wall()
    except NothingKnownError:
        return


@examples(250)
@given(
    fraction=st.floats(0, 0.999999),
    interval=st.sampled_from([1, 1, 2, 5, 60]),
    marks=st.dictionaries(st.sampled_from(BOOKS), st.integers(NOW - 90, NOW + 90)),
    known_from=st.dictionaries(st.sampled_from(BOOKS), st.floats(0, 40)),
    disturbances=disturbances,
    lates=lates,
    handling=st.lists(st.floats(0, 2.5), max_size=15),
)
def test_on_any_clock_each_row_is_on_the_grid_once_and_never_ahead_of_time(
    fraction: float,
    interval: int,
    marks: dict[str, int],
    known_from: dict[str, float],
    disturbances: list[tuple[float, tuple[Kind, float]]],
    lates: list[float],
    handling: list[float],
) -> None:
    clock = LateClock(NOW + fraction, lates)
    for seconds, (kind, amount) in disturbances:
        clock.at(seconds, kind, amount)
    source, stop = FakeSource(clock, known_from), threading.Event()
    sampler = Sampler(source, BOOKS, interval=interval, after=marks, stop=stop, clock=clock)
    clock.end(400 + sum(amount for _, (kind, amount) in disturbances if kind == "stall"), stop)
    last = 0
    for event, wall in watched(sampler, clock):
        first, end = (event.first, event.last) if isinstance(event, Gap) else (event.time,) * 2
        assert last < first <= end <= clock.furthest
        if isinstance(event, Tick) and event.late_s is not None:
            assert event.time <= wall
        assert first % interval == end % interval == 0
        last = end
        if isinstance(event, Gap):
            assert (end - first) // interval + 1 > MISSED_LIMIT
            continue
        # A row for each book, unless the tick is already recorded of it.
        assert [row.book for row in event.samples] == [
            book for book in BOOKS if event.time > marks.get(book, 0)
        ]
        for row in event.samples:
            check_row(row, event, clock, known_from)
        if handling:
            clock.pass_(handling.pop())


def check_row(row: Sample, tick: Tick, clock: FakeClock, known_from: dict[str, float]) -> None:
    """A row is of its tick, and says what was known at that instant and nothing more."""
    assert row.tick == tick.time
    known = row.bid is not None
    assert known == (row.ask is not None) == (row.spread is not None)
    if tick.late_s is None:
        assert row.state is State.MISSED
        assert not known
        return
    assert 0 <= tick.late_s <= LATE_S
    assert known == (row.state is State.FRESH) == (row.state is not State.UNKNOWN)
    # The source gives as the bid the instant that it was asked for: that of the tick.
    at = clock.monotonic() - (clock.wall() - tick.time)
    assert (
        known == (at >= known_from.get(row.book, -1.0))
        or abs(at - known_from.get(row.book, -1.0)) < 1e-5
    )
    assert row.bid is None or abs(row.bid - at) < 1e-5
