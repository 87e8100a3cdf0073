"""What a store that will not do it says: one line each, with what to do, and never a secret."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bitso_spread.cloud.address import Address, is_url, parse
from bitso_spread.cloud.answers import told
from bitso_spread.cloud.errors import RefusedError, StoreError, UnreachableError
from bitso_spread.cloud.objects import open_store
from bitso_spread.errors import MissingExtraError, UsageError
from tests.cloud.conftest import S3

LAKE = Address("s3", "bucket", "prefix")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("s3://bucket/a/b", Address("s3", "bucket", "a/b")),
        ("s3://bucket", Address("s3", "bucket")),
        ("S3://bucket/a/", Address("s3", "bucket", "a")),
        ("gs://bucket.of.mine/a", Address("gs", "bucket.of.mine", "a")),
        ("az://container/a", Address("az", "container", "a")),
    ],
)
def test_a_url_names_a_bucket_and_a_prefix(url: str, address: Address) -> None:
    assert is_url(url)
    assert parse(url) == address
    assert parse(str(address)) == address


@pytest.mark.parametrize("text", ["data", "/data", "./s3:/bucket", "C:\\data", "~/lake"])
def test_a_folder_is_no_url(text: str) -> None:
    assert not is_url(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://bucket/a",
        "s3://",
        "s3:///a",
        "s3://a",
        "s3://buck et/a",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket/a?region=x",
        "ftp://x",
        "data",
    ],
)
def test_what_is_no_such_url_is_wrong_usage(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(url)
    assert "\n" not in str(raised.value)
    assert "s3://" in str(raised.value)


def test_credentials_in_a_url_are_not_repeated() -> None:
    with pytest.raises(UsageError, match="credentials") as raised:
        parse("s3://AKIA123:verysecret@bucket/a")
    assert "verysecret" not in str(raised.value)


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_told() -> None:
    store = open_store("s3://no-such-bucket-here/a")
    for ask in (
        store.folders,
        store.objects,
        lambda: store.get("a"),
        lambda: store.put_new("a", b"1"),
    ):
        with pytest.raises(RefusedError, match=r"^there is no bucket no-such-bucket-here"):
            ask()


def test_a_refusal_is_told_and_not_asked_again(s3: S3) -> None:
    s3.gateway.harm("deny")
    with pytest.raises(RefusedError, match=r"may not be used so \(403\)") as raised:
        s3.store().folders()
    assert not raised.value.retryable
    assert len(s3.gateway.requests) == 1


def test_without_credentials_there_is_one_line(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(RefusedError, match="missing: AWS_SECRET_ACCESS_KEY"):
        s3.store()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(RefusedError, match=r"^no AWS credentials: set AWS_ACCESS_KEY_ID"):
        s3.store()
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(RefusedError, match=r"^no AWS credentials: .*nobody"):
        s3.store()


def test_credentials_come_from_the_profile_that_is_named(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name)
    credentials, config = tmp_path / "credentials", tmp_path / "config"
    credentials.write_text("[two]\naws_access_key_id = two\naws_secret_access_key = secret\n")
    config.write_text("[profile two]\nregion = mx-central-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "two")
    store = s3.store()
    store.put_new("a", b"1")
    assert store.get("a") == b"1"
    assert "Credential=two/" in s3.gateway.authorizations[-1]
    assert "/mx-central-1/" in s3.gateway.authorizations[-1]


def test_plain_http_leads_no_further_than_this_machine(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio.example:9000")
    with pytest.raises(RefusedError, match=r"^AWS_ENDPOINT_URL is plain http.*AWS_ALLOW_HTTP=true"):
        s3.store()
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    s3.store()


@pytest.mark.usefixtures("s3")
def test_no_account_of_azure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(RefusedError, match="set AZURE_STORAGE_ACCOUNT_NAME"):
        open_store("az://container/a")


def test_without_the_library_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'bitso-spread\[cloud\]'"):
        open_store("s3://bucket/a")


def test_the_secret_is_in_no_message_and_no_representation(s3: S3) -> None:
    store = s3.store()
    s3.gateway.harm("deny")
    with pytest.raises(StoreError) as raised:
        store.folders()
    for text in (str(raised.value), repr(raised.value.__cause__), repr(store)):
        assert "not-to-be-shown" not in text


ASKED = "Error performing GET https://x/y in 1ms"
STATUS = f"{ASKED} - Server returned non-2xx status code"


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (
            "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 1ms",
            RefusedError,
            "no credentials for s3://bucket/prefix: set AWS_ACCESS_KEY_ID",
        ),
        (
            "Generic S3 error: Received redirect without LOCATION, this normally indicates",
            RefusedError,
            "is in another region: set AWS_REGION",
        ),
        (
            f"{STATUS}: 403 Forbidden: <Error><Code>ExpiredToken</Code></Error>",
            RefusedError,
            r"takes no such credentials \(403 ExpiredToken\): renew them",
        ),
        (
            f"{STATUS}: 429 Too Many Requests",
            UnreachableError,
            r"cannot answer now \(429\): try again later",
        ),
        (
            f'{ASKED} - HTTP error: x\n\nOs {{ code: 111, message: "Connection refused" }}',
            UnreachableError,
            r"does not answer \(Connection refused\): try again later",
        ),
    ],
)
def test_what_the_library_says_becomes_a_line(text: str, kind: type, said: str) -> None:
    with pytest.raises(kind, match=said):
        raise told(OSError(text), LAKE)
