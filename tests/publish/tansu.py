"""Tansu, an implementation of Kafka's protocol in Rust, as a process of its own.

The mock cluster of librdkafka is by the authors of the client that is tested; this one is not. It
is memory alone, so that it may stand still, and not end.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from shutil import which

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic


@dataclass(frozen=True)
class Tansu:
    """One broker."""

    process: subprocess.Popen[bytes]
    addresses: str

    def make(self, topic: str, partitions: int = 3) -> None:
        """Make a topic."""
        admin = AdminClient({"bootstrap.servers": self.addresses})
        (made,) = admin.create_topics([NewTopic(topic, partitions, 1)]).values()
        made.result(20)


@contextmanager
def tansu() -> Iterator[Tansu]:
    """Run a broker during the block; skips the test where there is none."""
    if (program := which("tansu")) is None:
        pytest.skip("tansu is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        addresses = f"127.0.0.1:{free.getsockname()[1]}"
    url = f"tcp://{addresses}"
    options = ["--listener-url", url, "--advertised-listener-url", url]
    process = subprocess.Popen(
        [program, "broker", *options, "--storage-engine", "memory://tansu/"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(addresses)
        yield Tansu(process, addresses)
    finally:
        process.kill()
        process.wait()


def _wait_for(addresses: str, within_s: float = 20.0) -> None:
    host, _, port = addresses.rpartition(":")
    give_up = time.monotonic() + within_s
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            assert time.monotonic() < give_up
            time.sleep(0.02)
        else:
            return
