"""From the options of a command to an exchange that can be asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from bitso_spread.cli.logs import say
from bitso_spread.exchange.environment import SIMULATED, Environment, environment
from bitso_spread.exchange.signing import refuse_open_way

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
        UsageError: the options do not fit together, mean no exchange, or would let others on
            the way read the user's API key.
        MissingExtraError: there is no simulated exchange without the extra `sim`.
    """
    if name == SIMULATED:
        say(SIMULATED_NOTICE, always=True)
    if name != SIMULATED or rest_url or ws_url:
        meant = environment(name, rest_url, ws_url)
        refuse_open_way(meant, os.environ)
        yield meant
        return
    from bitso_spread.sim.server import SimulatedExchange

    with SimulatedExchange() as exchange:
        yield environment(SIMULATED, exchange.rest_url, exchange.ws_url)
