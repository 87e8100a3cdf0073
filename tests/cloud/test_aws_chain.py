"""AWS credentials that tools renew in their file while a recorder runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.credentials import AssumeRoleCredentialFetcher
from botocore.exceptions import ClientError

from bitso_spread.cloud import aws_chain
from tests.cloud.conftest import S3
from tests.lake.support import eventually


@pytest.fixture
def profile(s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give a file of credentials, which are those that count in the environment of a store."""
    del s3
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    path = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    log_in(path, "first")
    return path


def log_in(path: Path, key: str) -> None:
    """Do what saml2aws and its like do: write credentials that expire, and do not say when."""
    words = {"aws_access_key_id": key, "aws_secret_access_key": "s", "aws_session_token": "t"}
    text = "[default]\n" + "".join(f"{name} = {word}\n" for name, word in words.items())
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def test_credentials_that_a_tool_has_renewed_are_taken_by_a_store_that_is_open(
    s3: S3, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # At each request, in place of once a minute.
    monkeypatch.setattr(aws_chain, "_LOOK_EVERY", timedelta(0))
    store = s3.store()
    store.put_new("a", b"1")
    assert "Credential=first/" in s3.gateway.authorizations[-1]
    log_in(profile, "second")

    def is_taken() -> bool:
        assert store.get("a") == b"1"
        return "Credential=second/" in s3.gateway.authorizations[-1]

    eventually(is_taken)


@pytest.mark.usefixtures("profile")
def test_they_are_asked_for_once_a_minute() -> None:
    left = aws_chain.AwsChain()()["expires_at"] - datetime.now(UTC)
    # obstore asks five minutes ahead.
    assert timedelta(minutes=5.9) < left <= timedelta(minutes=6)


@pytest.mark.parametrize("text", [None, "", "[default", "[default]\naws_access_key_id = half\n"])
def test_a_file_that_is_gone_or_half_written_leaves_the_credentials_as_they_were(
    profile: Path, text: str | None
) -> None:
    chain = aws_chain.AwsChain()
    profile.unlink()
    if text is not None:
        profile.write_text(text)
    assert chain()["access_key_id"] == "first"
    log_in(profile, "second")
    assert (chain()["access_key_id"], chain()["token"]) == ("second", "t")


def test_a_role_is_assumed_with_what_its_profile_has_by_then(
    profile: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/recorder\n"
        "source_profile = default\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "role")
    chain = aws_chain.AwsChain()
    asked: list[str] = []

    def assume(fetcher: AssumeRoleCredentialFetcher) -> dict[str, object]:
        key = fetcher._source_credentials.access_key
        asked.append(key)
        if key == "first":
            raise ClientError({"Error": {"Code": "ExpiredToken"}}, "AssumeRole")
        ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        words = {"AccessKeyId": f"of-{key}", "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": {**words, "Expiration": ends}}

    monkeypatch.setattr(AssumeRoleCredentialFetcher, "_get_credentials", assume)
    with pytest.raises(ClientError):
        chain()
    log_in(profile, "second")
    assert chain()["access_key_id"] == "of-second"
    assert chain()["access_key_id"] == "of-second"
    assert asked == ["first", "first", "first", "second"]
