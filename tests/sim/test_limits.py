from __future__ import annotations

from bitso_spread.sim.limits import RequestLimit


def test_sixty_requests_in_any_sixty_seconds_are_answered() -> None:
    limit = RequestLimit(60, 60.0)
    assert all(limit.allows("a", float(second)) for second in range(300))


def test_a_burst_of_sixty_is_answered_and_the_next_one_locks_out_for_a_minute() -> None:
    limit = RequestLimit(60, 60.0)
    assert all(limit.allows("a", 10.0) for _ in range(60))
    assert not limit.allows("a", 30.0)
    assert not limit.allows("a", 89.9)
    assert limit.allows("a", 90.0)


def test_requests_during_a_lock_out_do_not_make_it_longer() -> None:
    limit = RequestLimit(1, 5.0)
    assert limit.allows("a", 0.0)
    assert not any(limit.allows("a", second) for second in (1.0, 4.0, 5.9))
    assert limit.allows("a", 6.0)


def test_addresses_are_counted_apart() -> None:
    limit = RequestLimit(1, 60.0)
    assert limit.allows("a", 0.0)
    assert limit.allows("b", 0.0)
    assert not limit.allows("a", 1.0)


def test_everybody_can_be_locked_out() -> None:
    limit = RequestLimit(60, 10.0)
    limit.lock_out(100.0)
    assert not limit.allows("a", 109.9)
    assert limit.allows("a", 110.0)
