"""An S3 server on loopback: moto's, once for all tests of a process, and a bucket for each."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from moto.server import ThreadedMotoServer

from bitso_spread.cloud.connect import PATIENT, Patience
from bitso_spread.cloud.errors import ExistsError
from bitso_spread.cloud.objects import ObjectStore, open_store
from tests.cli.conftest import exchange, run, start
from tests.cloud.gateway import Gateway

__all__ = ["exchange", "run", "start"]

# The server looks who it is, and not whether that is true.
_SCOPE = "us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


@dataclass(frozen=True, slots=True)
class S3:
    """A bucket of a test, as it is reached through a `Gateway`."""

    bucket: str
    gateway: Gateway
    """Counts what is asked, and can harm it."""
    client: httpx.Client
    """Leads to the server itself."""

    @property
    def url(self) -> str:
        """The URL of the lake: a prefix of the bucket, beside which there is something else."""
        return f"s3://{self.bucket}/lakes/one"

    def store(self, *, patience: Patience = PATIENT) -> ObjectStore:
        """Open the lake."""
        return open_store(self.url, patience=patience)

    def put_raw(self, key: str, data: bytes = b"") -> None:
        """Put an object by its key in the bucket as another program does: without a checksum."""
        self.client.put(f"/{self.bucket}/{key}", content=data).raise_for_status()

    def delete_raw(self, key: str) -> None:
        """Delete an object by its key in the bucket, as another program does."""
        self.client.delete(f"/{self.bucket}/{key}").raise_for_status()

    def copy(self, lake: Path) -> None:
        """Put all files of a local lake's tables, as the collector does."""
        store = self.store()
        for path in sorted(lake.rglob("*")):
            key = path.relative_to(lake).as_posix()
            if path.is_file() and not key.startswith("."):
                with suppress(ExistsError):
                    store.put_new(key, path.read_bytes())
        self.gateway.forget()


@pytest.fixture(scope="session")
def moto_port() -> Iterator[int]:
    """Give the port of the one server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()[1]
    finally:
        server.stop()


@pytest.fixture
def s3(moto_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[S3]:
    """Give a bucket of its own, and the environment that leads there."""
    for name in os.environ:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    bucket = f"test-{uuid4().hex[:12]}"
    server = f"http://127.0.0.1:{moto_port}"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential=other/20260921/{_SCOPE}"}
    with (
        httpx.Client(base_url=server, headers=headers, trust_env=False, timeout=60) as client,
        Gateway(moto_port) as gateway,
    ):
        client.put(f"/{bucket}").raise_for_status()
        monkeypatch.setenv("AWS_ENDPOINT_URL", gateway.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-to-be-shown")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        # Nothing of the account that runs the tests is looked at, nor of the machine it is on.
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield S3(bucket, gateway, client)
