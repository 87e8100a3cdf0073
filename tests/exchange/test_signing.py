import pytest

from bitso_spread.errors import UsageError
from bitso_spread.exchange.signing import Credentials, authorization, nonce

CREDENTIALS = Credentials("not-a-key", "not-a-secret")
NOW_MS = 1721964340000


def test_the_header_is_key_nonce_and_hmac_of_nonce_method_path_and_query() -> None:
    path = "/v3/order_book/?book=btc_mxn"
    # printf 1721964340000000042GET/v3/order_book/?book=btc_mxn | openssl dgst -sha256 -hmac …
    signature = "d284a170bd18eb3504ac4ed112a119ff437b7854b9e6db61b43dcbef96cfd5ad"
    header = authorization(CREDENTIALS, "GET", path, now_ms=NOW_MS, salt=42)
    assert header == f"Bitso not-a-key:1721964340000000042:{signature}"


def test_the_query_and_the_body_are_signed() -> None:
    def sign(path: str, body: str = "") -> str:
        return authorization(CREDENTIALS, "GET", path, body, now_ms=NOW_MS, salt=42)

    assert len({sign("/v3/ticker/"), sign("/v3/ticker/?book=a_b"), sign("/v3/ticker/", "{}")}) == 3


def test_a_nonce_has_13_digits_of_time_and_6_of_salt() -> None:
    assert nonce(NOW_MS, 0) == "1721964340000000000"
    assert nonce(NOW_MS, 999_999) == "1721964340000999999"


@pytest.mark.parametrize(("now_ms", "salt"), [(NOW_MS, 10**6), (NOW_MS, -1), (NOW_MS * 1000, 1)])
def test_no_nonce_is_made_of_numbers_that_do_not_fit(now_ms: int, salt: int) -> None:
    with pytest.raises(ValueError, match="no nonce"):
        nonce(now_ms, salt)


def test_credentials_come_from_the_environment_variables() -> None:
    found = Credentials.from_environ({"BITSO_API_KEY": " k\n", "BITSO_API_SECRET": "s"})
    assert found == Credentials("k", "s")


@pytest.mark.parametrize("environ", [{}, {"BITSO_API_KEY": "", "BITSO_API_SECRET": " "}])
def test_there_need_be_no_credentials(environ: dict[str, str]) -> None:
    assert Credentials.from_environ(environ) is None


@pytest.mark.parametrize(
    ("given", "missing"),
    [("BITSO_API_KEY", "BITSO_API_SECRET"), ("BITSO_API_SECRET", "BITSO_API_KEY")],
)
def test_half_of_the_credentials_names_the_missing_half(given: str, missing: str) -> None:
    with pytest.raises(UsageError, match=f"{missing} is not") as caught:
        Credentials.from_environ({given: "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_credentials_do_not_show() -> None:
    shown = repr(CREDENTIALS) + str(CREDENTIALS)
    assert "not-a-key" not in shown
    assert "not-a-secret" not in shown


@pytest.mark.parametrize("key", ["two words", "with:colon", "new\nline", "ñ"])
def test_a_key_that_would_break_the_header_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(UsageError, match="BITSO_API_KEY") as caught:
        Credentials(key, "secret")
    assert key not in str(caught.value)
