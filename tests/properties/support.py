"""How the properties are tried: how many examples, which ones, and what becomes of a failure."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings


def examples(count: int) -> settings:
    """So many examples, the same on each run of the same code: a red CI can be looked into."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],  # the machine's load is no property
    )


def histories(count: int, steps: int) -> settings:
    """So many histories of so many steps; the one that fails is told as it is.

    To make it shorter would take minutes: add `Phase.shrink` where one is to be understood.
    """
    phases = (Phase.explicit, Phase.generate)
    return settings(examples(count), stateful_step_count=steps, phases=phases)
