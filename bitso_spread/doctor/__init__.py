"""Whether the recorder would work here and now: checks of host, exchange, feed and lake.

Nobody who wrote this package has reached the real Bitso from where it was written, so each
fact about it that the recorder relies on is a check here. Like `bitso_spread.collector`, it
sees both halves, the exchange and the lake; it records nothing, and leaves nothing behind::

    from bitso_spread.doctor import examine
    from bitso_spread.exchange.environment import PRODUCTION

    for finding in examine(PRODUCTION, ["btc_mxn", "usd_mxn"]):
        print(finding.outcome, finding.check, finding.detail)
"""

from __future__ import annotations

from bitso_spread.doctor.finding import Finding, Outcome, Timings
from bitso_spread.doctor.order import examine

__all__ = ["Finding", "Outcome", "Timings", "examine"]
