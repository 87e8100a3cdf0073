import httpx
import pytest

from bitso_spread.cli.exchange import open_environment
from bitso_spread.exchange.environment import PRODUCTION


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
