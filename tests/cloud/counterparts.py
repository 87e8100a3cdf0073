"""Servers of other makers that speak as a provider does, as far as they are installed here.

Azurite is Microsoft's own, for Azure; SeaweedFS a store like S3 that people run; fake-gcs-server
for Google Cloud Storage. Each is found on the PATH, and takes a port by itself or one that is free.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest

from bitso_spread.cloud.connect import PATIENT, Patience
from bitso_spread.cloud.objects import ObjectStore, open_store
from tests.cloud.gateway import Gateway
from tests.cloud.google_gateway import GoogleGateway

BUCKET = "lake"
_STARTS_WITHIN_S = 60.0
# Which ports are free is found a moment before they are taken.
_ATTEMPTS = 3
# Those that Azurite documents, for all to see.
_AZURE_ACCOUNT = "devstoreaccount1"
_AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
_S3_KEY, _S3_SECRET = "testing", "not-to-be-shown"


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs, with a bucket in it."""

    scheme: str
    port: int
    environ: Callable[[str], dict[str, str]]
    """Gives what leads to it, by the URL of a gateway."""

    def gateway(self) -> Gateway:
        """Make what counts what is asked of it, and can harm that."""
        return GoogleGateway(self.port) if self.scheme == "gs" else Gateway(self.port)


@dataclass(frozen=True, slots=True)
class Counterpart:
    """The place of one test in a server."""

    url: str
    gateway: Gateway

    def store(self, *, patience: Patience = PATIENT) -> ObjectStore:
        """Open the lake."""
        return open_store(self.url, patience=patience)


@contextmanager
def azurite(folder: Path) -> Iterator[Server]:
    """Start Azurite, with a container."""
    options = ["--inMemoryPersistence", "--disableTelemetry", "--silent"]
    command = [_path_of("azurite-blob"), "--blobPort", "0", *options]
    with _started(command, folder) as said:
        port = int(said(r"successfully listens on http://127.0.0.1:(\d+)"))
        _make_container(port)
        yield Server(
            "az",
            port,
            lambda url: {
                "AZURE_STORAGE_ACCOUNT_NAME": _AZURE_ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": _AZURE_KEY,
                "AZURE_ENDPOINT": f"{url}/{_AZURE_ACCOUNT}",
            },
        )


@contextmanager
def seaweedfs(folder: Path) -> Iterator[Server]:
    """Start SeaweedFS, with a user and a bucket."""
    users = folder / "users.json"
    keys = [{"accessKey": _S3_KEY, "secretKey": _S3_SECRET}]
    users.write_text(
        json.dumps({"identities": [{"name": "t", "credentials": keys, "actions": ["Admin"]}]})
    )
    (folder / "data").mkdir()
    names = [
        *("-master.port", "-master.port.grpc", "-volume.port", "-volume.port.grpc"),
        *("-filer.port", "-filer.port.grpc", "-s3.port", "-s3.port.grpc"),
    ]
    common = [
        *(f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"),
        *(f"-s3.config={users}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-master.telemetry=false", "-master.volumeSizeLimitMB=64"),
    ]

    def start(ports: list[int]) -> list[str]:
        given = [f"{name}={port}" for name, port in zip(names, ports, strict=True)]
        return [_path_of("weed"), "server", *common, *given]

    with _at_free_ports(start, len(names), folder, lambda ports: _make_bucket(ports[6])) as ports:
        yield Server("s3", ports[6], _s3_environ)


@contextmanager
def fake_gcs_server(folder: Path) -> Iterator[Server]:
    """Start fake-gcs-server, with a bucket; it looks at no signature, and gets a right one."""

    def start(ports: list[int]) -> list[str]:
        where = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(ports[0])]
        # Only of what is asked of this host it knows that the path begins with a bucket.
        return [
            *(_path_of("fake-gcs-server"), *where, "-backend", "memory"),
            *("-public-host", f"127.0.0.1:{ports[0]}"),
        ]

    def is_ready(ports: list[int]) -> bool:
        url = f"http://127.0.0.1:{ports[0]}/storage/v1/b?project=one"
        return httpx.post(url, json={"name": BUCKET}, trust_env=False).is_success

    account = folder / "account.json"
    account.write_text(json.dumps(_service_account()))
    with _at_free_ports(start, 1, folder, is_ready) as ports:
        yield Server(
            "gs",
            ports[0],
            lambda url: {"GOOGLE_BASE_URL": url, "GOOGLE_APPLICATION_CREDENTIALS": str(account)},
        )


@contextmanager
def rclone(folder: Path) -> Iterator[Server]:
    """Start rclone as a store like S3, in which a bucket is a folder; it knows no conditions."""
    (folder / "data" / BUCKET).mkdir(parents=True)
    options = ["--addr", "127.0.0.1:0", "--auth-key", f"{_S3_KEY},{_S3_SECRET}", "--config", ""]
    command = [_path_of("rclone"), "serve", "s3", str(folder / "data"), *options]
    with _started(command, folder) as said:
        port = int(said(r"Starting s3 server on \[http://127.0.0.1:(\d+)/\]"))
        yield Server("s3", port, _s3_environ)


def _s3_environ(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": _S3_KEY,
        "AWS_SECRET_ACCESS_KEY": _S3_SECRET,
        "AWS_REGION": "us-east-1",
    }


def _path_of(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not on the PATH: .ci/run says where it is to be had")
    return path


@contextmanager
def _started(command: list[str], folder: Path) -> Iterator[Callable[[str], str]]:
    """Start a program; gives what waits for words of its own, and picks a group of them."""
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=folder)

    def said(pattern: str) -> str:
        found: list[str] = []

        def look() -> bool:
            found[:] = re.findall(pattern, output.read_text(errors="replace"))
            return bool(found)

        _wait(look, process, output)
        return found[0]

    try:
        yield said
    finally:
        process.kill()
        process.wait()


@contextmanager
def _at_free_ports(
    command: Callable[[list[int]], list[str]],
    count: int,
    folder: Path,
    is_ready: Callable[[list[int]], bool],
) -> Iterator[list[int]]:
    """Start a program that must be told its ports; again, if one of them was taken meanwhile."""
    output = folder / "output"
    for left in reversed(range(_ATTEMPTS)):
        ports = _free_ports(count)
        with output.open("wb") as file:
            process = subprocess.Popen(
                command(ports), stdout=file, stderr=subprocess.STDOUT, cwd=folder
            )
        try:
            _wait(lambda ports=ports: _tried(is_ready, ports), process, output)  # type: ignore[misc]
        except ChildProcessError:
            if not left:
                raise
            continue
        except BaseException:
            process.kill()
            process.wait()
            raise
        try:
            yield ports
        finally:
            process.kill()
            process.wait()
        return


def _wait(condition: Callable[[], bool], process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while not condition():
        if process.poll() is not None:
            raise ChildProcessError(f"it ended: {output.read_text(errors='replace')[-2000:]}")
        assert time.monotonic() < deadline, output.read_text(errors="replace")[-2000:]
        time.sleep(0.05)


def _tried(is_ready: Callable[[list[int]], bool], ports: list[int]) -> bool:
    try:
        return is_ready(ports)
    except httpx.TransportError:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _make_bucket(port: int) -> bool:
    """Make a bucket, as soon as the server can."""
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = botocore.session.get_session().create_client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=_S3_KEY,
        aws_secret_access_key=_S3_SECRET,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )
    with closing(client):
        try:
            client.create_bucket(Bucket=BUCKET)
            # Only then it takes what is put there.
            client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
        except (BotoCoreError, ClientError):
            return False
    return True


def _make_container(port: int) -> None:
    """Make a container: obstore makes none. https://learn.microsoft.com/rest/api/storageservices"""
    now, version = formatdate(usegmt=True), "2021-08-06"
    path = f"/{_AZURE_ACCOUNT}/{BUCKET}"
    headers = [f"x-ms-date:{now}", f"x-ms-version:{version}"]
    resource = [f"/{_AZURE_ACCOUNT}{path}", "restype:container"]
    signed = "\n".join(["PUT", *([""] * 11), *headers, *resource])
    digest = hmac.digest(base64.b64decode(_AZURE_KEY), signed.encode(), hashlib.sha256)
    signature = base64.b64encode(digest).decode()
    httpx.put(
        f"http://127.0.0.1:{port}{path}?restype=container",
        headers={
            "x-ms-date": now,
            "x-ms-version": version,
            "Authorization": f"SharedKey {_AZURE_ACCOUNT}:{signature}",
        },
        trust_env=False,
    ).raise_for_status()


def _service_account() -> dict[str, str]:
    """Make the file of a service account, with a key of its own."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "type": "service_account",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "recorder@one.iam.gserviceaccount.com",
        # What signs by itself asks nobody for a token.
        "token_uri": "http://127.0.0.1:1/token",
    }
