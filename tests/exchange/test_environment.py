import re

import pytest

from bitso_spread.errors import UsageError
from bitso_spread.exchange.environment import PRODUCTION, STAGE, environment


def test_a_name_alone_is_the_documented_exchange() -> None:
    assert environment("production") is not None
    assert environment("production") == PRODUCTION
    assert environment("stage") == STAGE


def test_stage_has_no_feed() -> None:
    assert environment("stage").ws_url is None


@pytest.mark.parametrize(
    "url",
    [
        "https://api.bitso.com/v3",
        "https://api.bitso.com/v3/",
        "https://bitso.com/api/v3",
        "https://API.bitso.com:443/api/v3",
    ],
)
def test_each_address_of_production_is_production_with_one_budget(url: str) -> None:
    found = environment("production", url)
    assert (found.name, found.budget_key) == ("production", "bitso.com")
    assert found.ws_url == "wss://ws.bitso.com"
    assert not found.rest_url.endswith("/")
    assert ":443" not in found.rest_url


def test_an_address_of_stage_means_stage_and_never_the_feed_of_production() -> None:
    assert environment("production", "https://stage.bitso.com/api/v3/") == STAGE


@pytest.mark.parametrize(
    ("rest_url", "ws_url", "name"),
    [
        ("http://127.0.0.1:8080/v3", None, "127.0.0.1-8080"),
        ("https://proxy.example/bitso/v3", "wss://proxy.example", "proxy.example"),
        (None, "ws://Feed.example:9000", "feed.example-9000"),
        ("http://[::1]:8080/v3", None, "1--8080"),
        ("http://my_sim:1/v3", None, "my-sim-1"),
        ("http://api.bitso.com/v3", None, "api.bitso.com"),
    ],
)
def test_any_other_host_names_the_environment(
    rest_url: str | None,
    ws_url: str | None,
    name: str,
) -> None:
    found = environment("production", rest_url, ws_url)
    assert found.name == name
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", found.name)


@pytest.mark.parametrize("host", ["sim", "production", "stage"])
def test_a_host_cannot_pass_for_a_named_environment(host: str) -> None:
    assert environment("production", f"http://{host}/v3").name == f"host-{host}"


def test_a_path_below_a_host_of_bitso_still_spends_the_budget_of_bitso() -> None:
    assert environment("production", "http://api.bitso.com/v4").budget_key == "bitso.com"


def test_a_host_of_its_own_has_a_budget_of_its_own() -> None:
    first = environment("production", "http://127.0.0.1:8080/v3")
    second = environment("production", "http://127.0.0.1:8081/v3")
    assert len({first.budget_key, second.budget_key, PRODUCTION.budget_key}) == 3


def test_a_simulated_exchange_keeps_its_name_wherever_it_runs() -> None:
    found = environment("sim", "http://127.0.0.1:8080/v3", "ws://127.0.0.1:8080")
    assert found.name == "sim"
    assert found.is_simulated


@pytest.mark.parametrize(
    ("rest_url", "ws_url"),
    [(None, None), ("http://127.0.0.1:1/v3", None), (None, "ws://127.0.0.1:1")],
)
def test_a_simulated_exchange_needs_both_urls(rest_url: str | None, ws_url: str | None) -> None:
    with pytest.raises(UsageError, match="needs both --rest-url and --ws-url"):
        environment("sim", rest_url, ws_url)


def test_bitso_is_never_taken_for_simulated() -> None:
    with pytest.raises(UsageError, match="is production and not simulated"):
        environment("sim", "https://bitso.com/api/v3", "ws://127.0.0.1:1")


def test_another_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"'prod'.*production, stage or sim"):
        environment("prod")


@pytest.mark.parametrize(
    "url",
    [
        "api.bitso.com/v3",
        "ftp://api.bitso.com/v3",
        "wss://ws.bitso.com",
        "https://",
        "https:///v3",
        "https://api bitso.com/v3",
        "https://bücher.example/v3",
        "https://api.bitso.com:99999/v3",
        "https://[::g]/v3",
        "https://api.bitso.com/v3?book=btc_mxn",
        "https://api.bitso.com/v3#top",
    ],
)
def test_what_is_no_rest_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--rest-url"):
        environment("production", url)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        environment("production", "https://me:hunter2@api.bitso.com/v3")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://example.com/v3", True),
        ("http://example.com/v3", False),
        ("http://127.0.0.1:1/v3", True),
        ("http://localhost:1/v3", True),
        ("http://[::1]:1/v3", True),
        ("http://127.0.0.1.example.com/v3", False),
    ],
)
def test_only_tls_and_this_machine_are_private(url: str, private: bool) -> None:
    assert environment("production", url).is_private is private
