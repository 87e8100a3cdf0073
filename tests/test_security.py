"""What nobody else may see, read or reach: credentials, plain hosts, folders beyond the lake."""

from __future__ import annotations

import inspect
import os
import re
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which
from typing import ClassVar

import httpx
import pytest

from bitso_spread.cli.app import app, load_commands
from bitso_spread.errors import UsageError
from bitso_spread.exchange.connection import open_connection
from bitso_spread.exchange.environment import environment
from bitso_spread.exchange.rest import RestClient
from bitso_spread.exchange.rest_errors import TransportError
from bitso_spread.exchange.signing import refuse_open_way
from bitso_spread.lake.layout import TABLE
from bitso_spread.sim.server import SimulatedExchange

KEY, SECRET = "not-a-key-4c8e71", "not-a-secret-9f02ab"
CREDENTIALS = {"BITSO_API_KEY": KEY, "BITSO_API_SECRET": SECRET}


def command(
    *arguments: object, environ: dict[str, str] | None = None, umask: int = -1
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "bitso_spread", *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        umask=umask,
        env={**os.environ, **(environ or {})},
    )


# Plain hosts.

PLAIN = [
    ("--rest-url", "http://example.com/v3", "use https"),
    ("--ws-url", "ws://example.com", "use wss"),
    ("--rest-url", "http://127.0.0.1.example.com/v3", "use https"),
    ("--rest-url", "http://10.0.0.1/v3", "use https"),
]


@pytest.mark.parametrize("name", ["collect", "snapshot", "books", "doctor"])
@pytest.mark.parametrize(("option", "url", "advice"), PLAIN[:2])
def test_a_plain_host_is_refused_to_a_user_with_a_key(
    name: str, option: str, url: str, advice: str, tmp_path: Path
) -> None:
    lake = {"BITSO_SPREAD_LAKE": str(tmp_path / "lake")}
    ended = command(name, option, url, environ=CREDENTIALS | lake)
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = [said for said in ended.stderr.splitlines() if said.startswith("bitso-spread: ")]
    assert f"{option} {url} is not encrypted" in line
    assert advice in line
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(("option", "url", "advice"), PLAIN)
def test_no_plain_host_but_this_machine_is_let_pass(option: str, url: str, advice: str) -> None:
    urls = {option: url}
    where = environment("production", urls.get("--rest-url"), urls.get("--ws-url"))
    with pytest.raises(UsageError, match=advice) as refused:
        refuse_open_way(where, CREDENTIALS)
    assert KEY not in str(refused.value)
    refuse_open_way(where, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1.2.3"])
def test_this_machine_may_be_plain(host: str) -> None:
    where = environment("production", f"http://{host}:8080/v3", f"ws://{host}:8080")
    refuse_open_way(where, CREDENTIALS)


def test_half_of_the_credentials_is_no_way_around_it() -> None:
    where = environment("production", "http://example.com/v3")
    with pytest.raises(UsageError, match="BITSO_API_SECRET is not"):
        refuse_open_way(where, {"BITSO_API_KEY": KEY})


# Credentials show nowhere.


class Failing(BaseHTTPRequestHandler):
    """Passes requests on to an exchange, fails every third, and notes what was signed."""

    exchange: ClassVar[str]
    signed: ClassVar[list[str]]
    asked: ClassVar[int]

    def do_GET(self) -> None:
        type(self).asked += 1
        self.signed.append(self.headers.get("Authorization", ""))
        if self.asked % 3 == 0:
            status, body = 500, self.headers.get("Authorization", "").encode()
        else:
            reply = httpx.get(f"{self.exchange}{self.path}")
            status, body = reply.status_code, reply.content
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler],
    wrap: Callable[[ThreadingHTTPServer], None] = lambda _: None,
) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        wrap(server)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def contents(folder: Path) -> bytes:
    return b"\n".join(
        str(path).encode() + b"\n" + path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    )


def test_no_output_and_no_file_ever_shows_the_credentials(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    signed: list[str] = []
    with SimulatedExchange() as exchange:
        Failing.exchange = exchange.rest_url.removesuffix("/v3")
        Failing.signed, Failing.asked = signed, 0
        with serving(Failing) as port, ThreadPoolExecutor(4) as pool:
            urls = ["--rest-url", f"http://127.0.0.1:{port}/v3", "--ws-url", exchange.ws_url]
            nowhere = ["--rest-url", "http://127.0.0.1:1/v3", "--ws-url", "ws://127.0.0.1:1"]
            recording = ["--refresh-after", "0.3", "--duration", "4s", "--max-wait", "2"]
            failing = ["collect", *nowhere, *recording, "--lake", tmp_path / "nothing"]
            commands: list[Sequence[object]] = [
                ["doctor", *urls, "--lake", tmp_path / "doctor"],
                ["collect", *urls, *recording, "--lake", lake, "--max-wait", "60"],
                ["collect", *urls, *recording, "--lake", tmp_path / "json", "--log-format", "json"],
                failing,
                *(["snapshot", *urls, "--depth", "2"], ["snapshot", *urls], ["books", *urls]),
                *(["snapshot", *nowhere], ["books", *nowhere]),
            ]
            run = partial(command, "--debug", environ=CREDENTIALS)
            ended = list(pool.map(lambda arguments: run(*arguments), commands))
            ended += [run("status", "--lake", lake), run("verify", "--lake", lake)]
    shown = "".join(each.stdout + each.stderr for each in ended).encode() + contents(tmp_path)
    # It was signed with them, and some of it failed: there was something to show.
    assert len(signed) > 12
    assert all(text.startswith(f"Bitso {KEY}:") for text in signed)
    assert b"HTTP 500" in shown
    assert "Traceback" in ended[commands.index(failing)].stderr
    assert (lake / TABLE).is_dir()
    for text in {KEY, SECRET, *(text.rpartition(":")[2] for text in signed)}:
        assert text.encode() not in shown


def test_no_option_takes_a_credential_so_that_no_process_list_shows_one() -> None:
    load_commands()
    options = {
        info.name: set(inspect.signature(info.callback).parameters)
        for info in app.registered_commands
        if info.callback is not None
    }
    assert {"collect", "snapshot", "books", "doctor", "query"} <= set(options)
    assert "rest_url" in options["collect"]
    for name, names in options.items():
        assert not [each for each in names if re.search("key|secret|token|pass", each)], name


# TLS.


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    """Give the address of a server whose certificate nobody has signed."""
    if which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )

    def wrap(server: ThreadingHTTPServer) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )

    with serving(Failing, wrap) as port:
        yield f"localhost:{port}"


def test_neither_half_talks_to_a_host_that_nobody_vouches_for(stranger: str) -> None:
    Failing.signed, Failing.asked = [], 0
    where = environment("production", f"https://{stranger}/v3", f"wss://{stranger}")
    with (
        RestClient(where, attempts=1) as client,
        pytest.raises(TransportError, match=r"(?i)certificate.verify.failed"),
    ):
        client.available_books()
    assert where.ws_url is not None
    with pytest.raises(ssl.SSLCertVerificationError):
        open_connection(where.ws_url, 5.0)
    assert Failing.asked == 0


# Paths and modes.


@pytest.mark.parametrize("name", ["collect", "query", "verify"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["--book", "../../x"],
        ["--book", "btc_mxn,../../x"],
        ["--table", "../x"],
        ["--table", "/x"],
        ["--table", ".."],
    ],
)
def test_no_name_leads_out_of_the_lake(name: str, arguments: list[str], tmp_path: Path) -> None:
    lake = tmp_path / "there" / "lake"
    (lake / TABLE).mkdir(parents=True)
    there = set(tmp_path.rglob("*"))
    simulated = ["-e", "sim", "--duration", "1s"] if name == "collect" else []
    ended = command(name, "--lake", lake, *simulated, *arguments)
    assert ended.returncode in {1, 2}
    assert "Traceback" not in ended.stderr
    outside = {path for path in tmp_path.rglob("*") if lake not in path.parents} - there
    assert {path.relative_to(tmp_path).parts[0] for path in outside} <= {"state"}


def test_the_files_of_a_lake_have_the_modes_that_the_users_umask_leaves(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    ended = command("collect", "-e", "sim", "--lake", lake, "--duration", "2s", umask=0o027)
    assert ended.returncode == 0
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (lake, *lake.rglob("*"))}
    assert {modes[path] for path in modes if path.is_dir()} == {0o750}
    assert {modes[path] for path in modes if path.is_file()} == {0o640}
    assert {".csv", ".lock", ".sqlite3"} <= {path.suffix for path in modes}


def test_the_simulated_exchange_listens_on_this_machine_only_unless_told_otherwise() -> None:
    with SimulatedExchange() as exchange:
        assert exchange._gateway.address[0] == "127.0.0.1"
    assert "127.0.0.1" in command("sim", "--help").stdout
