from __future__ import annotations

import json
import time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket
from websockets.sync.client import connect

from bitso_spread.sim.replay import ReplayMarket, Row
from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.synthetic import SyntheticMarket

from .conftest import Listen

SUBSCRIBE = {"action": "subscribe", "book": "btc_mxn", "type": "orders"}


def without_time(message: dict[str, Any]) -> dict[str, Any]:
    assert abs(message["time"] - time.time() * 1000) < 2000
    return {key: value for key, value in message.items() if key != "time"}
