"""The way to the exchange: names, ports, certificates, proxies."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from bitso_spread.doctor import Outcome
from bitso_spread.doctor.network import reach
from bitso_spread.exchange.environment import Environment
from bitso_spread.sim.server import SimulatedExchange
from tests.doctor.support import (
    diagnose,
    failed,
    of,
    where,
    wrong,
)


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_a_name_that_nobody_knows_is_all_that_is_tried() -> None:
    nowhere = Environment("nowhere", "https://rest.invalid/v3", "wss://feed.invalid", "nowhere")
    findings = diagnose(nowhere)
    assert failed(findings) == {"REST host", "WebSocket host"}
    assert set(findings) - failed(findings) == of(findings, Outcome.SKIPPED)
    assert "rest.invalid cannot be looked up" in findings["REST host"].detail
    assert "DNS" in (findings["REST host"].advice or "")


def test_a_port_that_refuses_is_all_that_is_tried() -> None:
    at = f"127.0.0.1:{closed_port()}"
    findings = diagnose(Environment("nowhere", f"http://{at}/v3", f"ws://{at}", at))
    assert failed(findings) == {"REST connection", "WebSocket connection"}
    assert of(findings, Outcome.OK) == {"REST host", "WebSocket host"}
    assert "check the URL" in (findings["REST connection"].advice or "")


def test_rest_alone_is_checked_where_no_websocket_is_known(exchange: SimulatedExchange) -> None:
    findings = diagnose(replace(where(exchange), name="stage", ws_url=None))
    assert wrong(findings) == set()
    assert findings["agreement btc_mxn"].detail.startswith("order book and ticker say bid")
    skipped = of(findings, Outcome.SKIPPED)
    assert {"WebSocket handshake", "keep-alive", "frames", "pings", "delay of frames"} <= skipped
    assert {findings[check].detail for check in skipped} == {
        "Bitso documents no WebSocket host for stage"
    }


def test_a_certificate_that_nobody_signed_is_refused(tls_url: str) -> None:
    _, connection = reach("REST", tls_url, 2)
    assert connection.outcome is Outcome.FAILED
    assert "the certificate is refused: self" in connection.detail
    assert "SSL_CERT_FILE" in (connection.advice or "")


def test_a_certificate_that_the_user_trusts_is_taken(
    tls_url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    _, connection = reach("REST", tls_url, 2)
    assert connection.outcome is Outcome.OK, connection
    assert "TLSv1.3" in connection.detail
    assert "certificate until 20" in connection.detail


def test_certificates_that_are_not_there_are_told(
    tls_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    _, connection = reach("REST", tls_url, 2)
    assert connection.outcome is Outcome.FAILED
    assert "SSL_CERT_FILE" in (connection.advice or "")


def test_behind_a_proxy_names_and_certificates_are_the_proxys_business(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "")
    findings = list(reach("REST", "https://rest.invalid/v3", 2))
    assert [finding.outcome for finding in findings] == [Outcome.SKIPPED, Outcome.SKIPPED]
    assert "proxy.invalid" in findings[0].detail
    assert "secret" not in str(findings)
