"""Records the bid-ask spread of Bitso's order books, one sample a second, into a data lake.

What a notebook imports. The names are loaded when they are first used, so that
``bitso-spread --help`` does not wait for polars::

    from bitso_spread import OrderBookClient

    with OrderBookClient(["btc_mxn", "usd_mxn"]) as client:
        client.wait_until_known(timeout=10)
        print(client.quote("btc_mxn"))
"""

from __future__ import annotations

# Until main() has begun, Ctrl-C shows Python's traceback: what is loaded before is kept short, and
# typing would take most of that time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from bitso_spread.collector import Collector, Plan
    from bitso_spread.errors import BitsoSpreadError
    from bitso_spread.exchange.client import OrderBookClient
    from bitso_spread.exchange.environment import environment
    from bitso_spread.lake.reader import Lake
    from bitso_spread.model import Quote, Sample, State
    from bitso_spread.sampling import Sampler

__version__ = "0.1.0"

__all__ = [
    "BitsoSpreadError",
    "Collector",
    "Lake",
    "OrderBookClient",
    "Plan",
    "Quote",
    "Sample",
    "Sampler",
    "State",
    "__version__",
    "environment",
]

_HOMES = {
    "BitsoSpreadError": "bitso_spread.errors",
    "Collector": "bitso_spread.collector",
    "Lake": "bitso_spread.lake.reader",
    "OrderBookClient": "bitso_spread.exchange.client",
    "Plan": "bitso_spread.collector",
    "Quote": "bitso_spread.model",
    "Sample": "bitso_spread.model",
    "Sampler": "bitso_spread.sampling",
    "State": "bitso_spread.model",
    "environment": "bitso_spread.exchange.environment",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  (as above)

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
