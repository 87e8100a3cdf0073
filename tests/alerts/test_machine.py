"""When alerts fire and clear, tick by tick, and what holds whatever the spread does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.alerts.events import Alert, Change, Event, Kind
from bitso_spread.alerts.machine import Machine
from bitso_spread.alerts.rules import NO_DATA_S, REARM, AlertRules, Threshold
from tests.properties.support import examples

Spreads = Sequence[tuple[int, float | None]]
FIRED, CLEARED = Change.FIRED, Change.CLEARED
APART_S = 3


def rules(*thresholds: float, hold_s: float = 3, cooldown_s: float = 300) -> AlertRules:
    return AlertRules(tuple(map(Threshold, thresholds)), hold_s, cooldown_s)


def run(machine: Machine, ticks: Spreads, book: str = "btc_mxn") -> list[Event]:
    return [event for tick, spread in ticks for event in machine.feed(book, tick, spread)]


def seconds(*runs: tuple[int, float | None], start: int = 1000) -> list[tuple[int, float | None]]:
    """Give ticks of so many seconds each at a spread."""
    spreads = [spread for count, spread in runs for _ in range(count)]
    return list(enumerate(spreads, start))


def told(events: Sequence[Event]) -> list[tuple[str, float | None, int]]:
    return [(event.change.value, event.alert.threshold, event.tick - 1000) for event in events]


def test_it_fires_after_the_hold_and_clears_after_as_long_below_nine_tenths() -> None:
    events = run(Machine(rules(0.5)), seconds((5, 0.4), (10, 0.6), (10, 0.3)))
    assert told(events) == [("fired", 0.5, 8), ("cleared", 0.5, 18)]
    fired, cleared = (event.alert for event in events)
    assert (fired.since, fired.lasted_s, fired.widest) == (1005, 3, 0.6)
    assert (cleared.since, cleared.until, cleared.lasted_s) == (1005, 1015, 10)


def test_a_spread_at_the_threshold_is_not_above_it_and_at_nine_tenths_not_below() -> None:
    assert run(Machine(rules(0.5)), seconds((20, 0.5))) == []
    machine = Machine(rules(0.5))
    run(machine, seconds((4, 0.6)))
    assert run(machine, seconds((60, 0.5 * REARM), start=1004)) == []
    assert [alert.threshold for alert in machine.in_force] == [0.5]


def test_what_is_shorter_than_the_hold_is_not_told() -> None:
    flapping = seconds(*[(3, 0.6), (1, 0.4)] * 20)
    assert run(Machine(rules(0.5)), flapping) == []


def test_an_alert_in_force_that_comes_back_within_the_hold_goes_on() -> None:
    events = run(Machine(rules(0.5)), seconds((4, 0.6), (3, 0.1), (9, 0.7), (4, 0.1)))
    assert told(events) == [("fired", 0.5, 3), ("cleared", 0.5, 19)]
    assert events[-1].alert.widest == 0.7


def test_it_does_not_fire_again_within_the_cooldown_and_then_does_if_it_is_still_wide() -> None:
    events = run(Machine(rules(0.5, cooldown_s=60)), seconds((4, 0.6), (6, 0.1), (100, 0.7)))
    assert told(events) == [("fired", 0.5, 3), ("cleared", 0.5, 7), ("fired", 0.5, 63)]
    assert events[-1].alert.since == 1010


def test_a_higher_threshold_fires_within_the_cooldown_and_a_lower_one_does_not() -> None:
    events = run(Machine(rules(0.5, 1.0)), seconds((10, 0.6), (10, 1.2), (10, 0.6)))
    assert told(events) == [("fired", 0.5, 3), ("fired", 1.0, 13), ("cleared", 1.0, 23)]
    # A jump over both is one alert.
    assert told(run(Machine(rules(0.5, 1.0)), seconds((30, 1.2)))) == [("fired", 1.0, 3)]


def test_books_do_not_hold_each_other_up() -> None:
    machine = Machine(rules(0.5))
    assert told(run(machine, seconds((4, 0.6)))) == [("fired", 0.5, 3)]
    assert told(run(machine, seconds((4, 0.6)), "usd_mxn")) == [("fired", 0.5, 3)]


def test_a_hold_of_nothing_fires_at_once_and_a_cooldown_of_nothing_always() -> None:
    events = run(Machine(rules(0.5, hold_s=0, cooldown_s=0)), seconds(*[(1, 0.6), (1, 0.1)] * 3))
    assert [change for change, _, _ in told(events)] == ["fired", "cleared"] * 3


def test_an_unknown_second_neither_fires_nor_clears_and_breaks_a_hold() -> None:
    machine = Machine(rules(0.5))
    assert run(machine, seconds((3, 0.6), (1, None), (3, 0.6), (1, None))) == []
    assert told(run(machine, seconds((4, 0.6), start=1008))) == [("fired", 0.5, 11)]
    assert run(machine, seconds(*[(3, 0.1), (1, None)] * 5, start=1012)) == []
    assert told(run(machine, seconds((4, 0.1), start=1032))) == [("cleared", 0.5, 35)]


def test_seconds_without_a_row_are_passed_over_if_they_are_few_and_break_a_hold_if_not() -> None:
    wide = [(1000, 0.6), (1002, 0.6), (1005, 0.6)]
    assert told(run(Machine(rules(0.5)), wide)) == [("fired", 0.5, 5)]
    assert run(Machine(rules(0.5)), [(1000, 0.6), (1004, 0.6), (1005, 0.6)]) == []
    slow = AlertRules((Threshold(0.5),), 3, interval=60)
    assert told(run(Machine(slow), [(1000, 0.6), (1060, 0.6)])) == [("fired", 0.5, 60)]


def test_a_minute_without_data_is_told_once_with_its_cause_and_ends_with_the_next_word() -> None:
    machine = Machine(rules())
    ticks = seconds((5, 0.1), (200, None), (5, 0.1))
    events = [
        event
        for tick, spread in ticks
        for event in machine.feed("btc_mxn", tick, spread, lambda book: f"no link to {book}")
    ]
    assert told(events) == [("fired", None, 5 + NO_DATA_S), ("cleared", None, 205)]
    assert {event.alert.kind for event in events} == {Kind.NO_DATA}
    assert {event.alert.cause for event in events} == {"no link to btc_mxn"}
    assert events[-1].alert.lasted_s == 200


def test_data_that_comes_and_goes_is_told_once_in_the_cooldown() -> None:
    flapping = seconds(*[(70, None), (1, 0.1)] * 4)
    assert told(run(Machine(rules()), flapping)) == [
        ("fired", None, 60), ("cleared", None, 70),
    ]  # fmt: skip
    assert len(run(Machine(rules(cooldown_s=0)), flapping)) == 8


def test_seconds_without_a_row_are_no_missing_data() -> None:
    assert run(Machine(rules()), [(1000, None), (2000, None), (9000, 0.1)]) == []


def test_a_tick_that_came_already_is_passed_over() -> None:
    machine = Machine(rules(0.5))
    assert run(machine, [(1000, 0.6), (1000, 0.1), (999, 0.1), (1001, 0.6), (1003, 0.6)])
    assert machine.in_force[0].seen == 1003


def test_a_spread_that_is_no_number_is_not_known() -> None:
    assert run(Machine(rules(0.5)), seconds((3, 0.6), (1, float("nan")), (3, 0.6))) == []


def test_a_restart_goes_on_with_what_is_in_force_and_with_the_cooldown() -> None:
    first = Machine(rules(0.5))
    run(first, seconds((10, 0.6)))
    second = Machine(rules(0.5))
    assert second.adopt("btc_mxn", first.in_force, {(Kind.SPREAD, 0.5): 1003}) == []
    events = run(second, seconds((10, 0.9), (4, 0.1), (50, 0.9), start=1100))
    assert told(events) == [("cleared", 0.5, 113)]
    assert (events[0].alert.since, events[0].alert.widest) == (1000, 0.9)


def test_what_is_no_longer_watched_ends_where_it_was_last_seen() -> None:
    first = Machine(rules(0.5))
    run(first, seconds((10, 0.6)))
    (withdrawn,) = Machine(rules(0.7)).adopt("btc_mxn", first.in_force, {})
    assert (withdrawn.change, withdrawn.alert.until) == (Change.WITHDRAWN, 1009)
    (forgotten,) = first.forget("btc_mxn")
    assert forgotten.alert == withdrawn.alert
    assert first.in_force == []


STEPS = st.sampled_from([1, 1, 1, 1, 1, 1, 2, 3, 4, 70])
RUNS = st.lists(
    st.tuples(
        st.integers(1, 80),
        st.sampled_from([None, 0.05, 0.1, 0.15, 0.18, 0.19, 0.2, 0.21, 0.46, 0.5, 0.7]),
    ),
    max_size=25,
)
RULES = st.builds(
    lambda thresholds, hold_s, cooldown_s: rules(*thresholds, hold_s=hold_s, cooldown_s=cooldown_s),
    st.lists(st.sampled_from([0.1, 0.2, 0.5]), unique=True),
    st.sampled_from([0, 1, 3, 10]),
    st.sampled_from([0, 5, 60, 300]),
)


@st.composite
def courses(draw: st.DrawFn) -> list[tuple[int, float | None]]:
    tick, ticks = 1000, []
    for count, spread in draw(RUNS):
        # A step of many seconds now and then, and single ones within a run.
        tick += draw(STEPS)
        for _ in range(count):
            ticks.append((tick, spread))
            tick += 1
    return ticks


def run_of(ticks: Spreads, index: int, wanted: str, threshold: float = 0.0) -> int:
    """Give the first tick of the unbroken run that ends at an index, by looking back."""

    def fits(spread: float | None) -> bool:
        if spread is None:
            return wanted == "unknown"
        if wanted == "above":
            return spread > threshold
        return wanted == "below" and spread < threshold * REARM

    first = index
    while (
        first > 0 and ticks[first][0] - ticks[first - 1][0] <= APART_S and fits(ticks[first - 1][1])
    ):
        first -= 1
    return ticks[first][0] if fits(ticks[index][1]) else ticks[index][0] + 1


Happened = list[tuple[Change, float | None, int]]


def is_cool(happened: Happened, threshold: float | None, tick: int, cooldown_s: float) -> bool:
    return not any(
        change is FIRED
        and (of is None) == (threshold is None)
        and (of or 0) >= (threshold or 0)
        and tick - at < cooldown_s
        for change, of, at in happened
    )


def expected(ticks: Spreads, asked: AlertRules) -> Happened:
    """Say what must happen, by looking back from each tick over all that came before."""
    happened: Happened = []
    in_force: set[float | None] = set()

    def consider(threshold: float | None, tick: int, since: int, long_enough_s: float) -> None:
        if tick - since < long_enough_s:
            return
        if threshold in in_force:
            in_force.remove(threshold)
            happened.append((CLEARED, threshold, tick))
        elif is_cool(happened, threshold, tick, asked.cooldown_s):
            in_force.add(threshold)
            happened.append((FIRED, threshold, tick))

    for index, (tick, spread) in enumerate(ticks):
        if spread is None:
            if None not in in_force:
                consider(None, tick, run_of(ticks, index, "unknown"), NO_DATA_S)
            continue
        if None in in_force:
            consider(None, tick, tick, 0)
        for threshold in asked.of_book("btc_mxn"):
            wanted = "below" if threshold in in_force else "above"
            consider(threshold, tick, run_of(ticks, index, wanted, threshold), asked.hold_s)
    return happened


@examples(60)
@given(courses(), RULES)
def test_it_does_what_looking_back_over_everything_says(ticks: Spreads, asked: AlertRules) -> None:
    events = run(Machine(asked), ticks)
    assert [(e.change, e.alert.threshold, e.tick) for e in events] == expected(ticks, asked)


@examples(60)
@given(courses(), RULES)
def test_fires_and_clears_alternate_and_no_two_fires_are_nearer_than_the_cooldown(
    ticks: Spreads, asked: AlertRules
) -> None:
    events = run(Machine(asked), ticks)
    for threshold in {event.alert.threshold for event in events}:
        own = [event for event in events if event.alert.threshold == threshold]
        assert [event.change for event in own[::2]] == [FIRED] * len(own[::2])
        assert [event.change for event in own[1::2]] == [CLEARED] * len(own[1::2])
        # The end is of the very alert that fired.
        assert [event.alert.id for event in own[1::2]] == [e.alert.id for e in own[::2]][
            : len(own) // 2
        ]
        fires = [event.tick for event in own[::2]]
        assert all(after - before >= asked.cooldown_s for before, after in pairwise(fires))


@examples(60)
@given(courses(), RULES)
def test_what_an_alert_says_of_itself_is_true(ticks: Spreads, asked: AlertRules) -> None:
    machine = Machine(asked)
    events = run(machine, ticks)
    over: list[Alert] = [event.alert for event in events if event.change is CLEARED]
    for alert in [*over, *machine.in_force]:
        assert alert.since <= alert.fired <= (alert.until or alert.seen) <= alert.seen
        if alert.kind is Kind.SPREAD:
            within = [s for t, s in ticks if alert.since <= t <= alert.seen and s is not None]
            assert alert.widest == max(within)
            assert alert.widest > (alert.threshold or 0)
        else:
            assert all(s is None for t, s in ticks if alert.since <= t < (alert.until or 10**9))


@examples(60)
@given(courses(), RULES, st.integers(0, 2000))
def test_a_restart_at_any_tick_neither_fires_twice_nor_forgets(
    ticks: Spreads, asked: AlertRules, cut: int
) -> None:
    first, second = Machine(asked), Machine(asked)
    events = run(first, ticks[:cut])
    fires = {
        (event.alert.kind, event.alert.threshold): event.tick
        for event in events
        if event.change is FIRED
    }
    assert second.adopt("btc_mxn", first.in_force, fires) == []
    assert [alert.id for alert in second.in_force] == [alert.id for alert in first.in_force]
    events += run(second, ticks[cut:])
    for threshold in {event.alert.threshold for event in events}:
        own = [event for event in events if event.alert.threshold == threshold]
        assert [event.change for event in own] == [FIRED, CLEARED] * (len(own) // 2) + [FIRED] * (
            len(own) % 2
        )
        starts = [event.tick for event in own[::2]]
        assert all(after - before >= asked.cooldown_s for before, after in pairwise(starts))
