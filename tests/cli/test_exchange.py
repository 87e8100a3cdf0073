from pathlib import Path

import httpx
import pytest

from bitso_spread.cli.exchange import open_environment
from bitso_spread.errors import UsageError
from bitso_spread.exchange.budget import RequestBudget
from bitso_spread.exchange.environment import PRODUCTION
from bitso_spread.exchange.rest import RestClient


def test_a_real_exchange_is_only_named(capsys: pytest.CaptureFixture[str]) -> None:
    with open_environment("production") as found:
        assert found == PRODUCTION
    assert capsys.readouterr().err == ""


def test_a_simulated_exchange_runs_as_long_as_it_is_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with open_environment("sim") as found:
        assert (found.name, found.is_loopback) == ("sim", True)
        assert httpx.get(f"{found.rest_url}/ticker/", trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{found.rest_url}/ticker/", trust_env=False)
    assert capsys.readouterr().err.startswith("bitso-spread: SIMULATED")


def test_a_lake_can_be_replayed(tmp_path: Path) -> None:
    partition = "BitsoSpreadMonitor/date=20240725/order_book=btc_mxn/minutes=205"
    (tmp_path / partition).mkdir(parents=True)
    (tmp_path / partition / "part-0.csv").write_text(
        "orderbook_timestamp,book,bid,ask,spread\n"
        "2024-07-25T03:25:40+00:00,btc_mxn,1233830.0,1236250.0,0.1957\n",
    )
    with (
        open_environment("sim", replay=tmp_path) as found,
        RestClient(found, budget=RequestBudget.in_memory()) as client,
    ):
        assert client.order_book("btc_mxn").quote().bid == 1233830


@pytest.mark.parametrize("name", ["production", "stage"])
def test_only_a_simulated_exchange_replays(name: str, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="only the environment sim"),
        open_environment(name, replay=tmp_path),
    ):
        pass
