import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.exchange.lag import LagMeter

# Milliseconds since the epoch at the zero of the receiving clock.
EPOCH_MS = 1_790_126_714_262


def lags(*frames: tuple[float, float], clocks_off_ms: int = 0) -> list[float]:
    """Give the lag of each frame: when it was sent and when it was received, in seconds."""
    meter = LagMeter()
    return [
        round(meter.measure(received, EPOCH_MS + clocks_off_ms + round(sent * 1000)), 6)
        for sent, received in frames
    ]


def test_a_frame_lags_by_what_it_took_longer_than_the_fastest() -> None:
    assert lags((0, 0.04), (1, 1.04), (2, 5.04), (6, 6.05)) == [0, 0, 3, 0.01]


@given(st.integers(-(10**10), 10**10))
def test_a_clock_that_is_wrong_by_a_constant_is_no_lag(clocks_off_ms: int) -> None:
    frames = [(0, 0.04), (1, 1.54), (2, 2.04)]
    assert lags(*frames, clocks_off_ms=clocks_off_ms) == [0, 0.5, 0]


def test_a_faster_frame_than_all_before_does_not_lag_and_sets_the_mark() -> None:
    assert lags((0, 0.5), (1, 1.1), (2, 2.5)) == [0, 0, 0.4]


def test_the_shortest_delay_counts_for_ten_minutes() -> None:
    slow = [(float(second), second + 3.0) for second in range(60, 900, 30)]
    measured = lags((0, 0.0), *slow)
    for (sent, _), lag in zip(slow, measured[1:], strict=True):
        if sent < 520:
            assert lag == 3
        if sent > 600:
            # Ten minutes of nothing better: what was a lag is how far away the exchange is.
            assert lag == 0


def test_a_frame_that_does_not_say_when_it_was_sent_does_not_lag() -> None:
    meter = LagMeter()
    assert meter.measure(0.0, None) == 0
    assert meter.measure(1.0, EPOCH_MS) == 0
    assert meter.measure(9.0, None) == 0
    assert meter.measure(9.0, EPOCH_MS + 1000) == pytest.approx(7)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 20)), min_size=1, max_size=60))
def test_a_lag_is_never_negative_nor_longer_than_the_delay(
    frames: list[tuple[float, float]],
) -> None:
    meter = LagMeter()
    received = 0.0
    delays = []
    for gap, delay in frames:
        received += gap
        delays.append(delay)
        lag = meter.measure(received, EPOCH_MS + round((received - delay) * 1000))
        assert 0 <= lag <= max(delays) - min(delays) + 0.002
