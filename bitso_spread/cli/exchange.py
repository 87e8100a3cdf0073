"""From the options of a command to an exchange that can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bitso_spread.cli.logs import say
from bitso_spread.exchange.environment import SIMULATED, Environment, environment

SIMULATED_NOTICE = "SIMULATED: these are not the market's prices, and no exchange is asked"


@contextmanager
def open_environment(
    name: str,
    rest_url: str | None = None,
    ws_url: str | None = None,
) -> Iterator[Environment]:
    """Give the environment that the options mean; ``sim`` without URLs runs while it is open.

    Stderr is told where prices are simulated, whether the exchange runs here or elsewhere.

    Raises:
        UsageError: the options do not fit together, or mean no exchange.
        MissingExtraError: there is no simulated exchange without the extra `sim`.
    """
    if name == SIMULATED:
        say(SIMULATED_NOTICE)
    if name != SIMULATED or rest_url or ws_url:
        yield environment(name, rest_url, ws_url)
        return
    from bitso_spread.sim.server import SimulatedExchange

    with SimulatedExchange() as exchange:
        yield environment(SIMULATED, exchange.rest_url, exchange.ws_url)
