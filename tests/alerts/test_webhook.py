"""One attempt at a webhook: what is sent, and what each answer means."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import pytest

from bitso_spread.alerts.config import Webhook
from bitso_spread.alerts.events import Kind, as_json
from bitso_spread.alerts.webhook import TIMEOUT_S, WebhookChannel
from tests.alerts.support import SECRET, Hook, cleared, fired

NOWHERE = f"http://127.0.0.1:9/services/{SECRET}"

Open = Callable[..., WebhookChannel]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Open a channel, which is closed at the end."""
    channels: list[WebhookChannel] = []

    def opened(url: str, timeout_s: float = TIMEOUT_S) -> WebhookChannel:
        channels.append(WebhookChannel(Webhook(url), timeout_s))
        return channels[-1]

    yield opened
    for channel in channels:
        channel.close()


def test_a_message_is_what_slack_mattermost_and_discord_take(hook: Hook, opened: Open) -> None:
    attempt = opened(hook.url).send(as_json([fired()], "production"))
    assert attempt.is_sent
    assert attempt.said == "127.0.0.1 took it"
    (message,) = hook.taken
    assert message["text"] == message["content"]
    assert message["text"].startswith("btc_mxn: spread above 0.5 %")
    assert hook.headers[0]["Content-Type"] == "application/json"
    assert hook.paths == [f"/services/{SECRET}"]


@pytest.mark.parametrize(
    ("status", "headers", "may_pass", "after_s"),
    [
        (500, {}, True, 0),
        (503, {"Retry-After": "7"}, True, 7),
        (429, {"Retry-After": "2.5"}, True, 2.5),
        (429, {"Retry-After": "86400"}, True, 120),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, True, 0),
        (429, {"Retry-After": "nan"}, True, 0),
        (408, {}, True, 0),
        (400, {}, False, 0),
        (404, {}, False, 0),
    ],
)
def test_an_answer_tells_whether_another_attempt_may_do_better(
    status: int, headers: dict[str, str], may_pass: bool, after_s: float, hook: Hook, opened: Open
) -> None:
    hook.answers.append((status, headers, b"invalid_payload"))
    attempt = opened(hook.url).send({"text": "x"})
    assert not attempt.is_sent
    assert (attempt.may_pass, attempt.after_s) == (may_pass, after_s)
    assert attempt.said == f"127.0.0.1 answers HTTP {status}: invalid_payload"


def test_a_redirect_is_not_followed(hook: Hook, opened: Open) -> None:
    hook.answers.append((307, {"Location": hook.url}, b""))
    attempt = opened(hook.url).send({"text": "x"})
    assert (attempt.is_sent, attempt.may_pass) == (False, False)
    assert "elsewhere (HTTP 307)" in attempt.said
    assert len(hook.taken) == 1


def test_one_that_hangs_is_left_after_the_time_limit(hook: Hook, opened: Open) -> None:
    hook.hangs.set()
    began = time.monotonic()
    attempt = opened(hook.url, 0.2).send({"text": "x"})
    assert time.monotonic() - began < 10
    assert attempt.said == "no reply from 127.0.0.1 within 0.2 s"
    assert attempt.may_pass


def test_one_that_is_not_there_may_be_there_later(opened: Open) -> None:
    attempt = opened(NOWHERE).send({"text": "x"})
    assert attempt.said.startswith("cannot reach 127.0.0.1: ")
    assert attempt.may_pass


def test_no_log_and_no_message_shows_the_url(
    hook: Hook, caplog: pytest.LogCaptureFixture, opened: Open
) -> None:
    caplog.set_level(logging.DEBUG)
    path = f"/services/{SECRET}"
    hook.answers += [
        (404, {}, f"there is nothing at {path}".encode()),
        (500, {}, SECRET.partition("/")[2].encode()),
        (302, {"Location": path}, b""),
    ]
    channel = opened(hook.url)
    said = [channel.send({"text": "x"}).said for _ in range(4)]
    said.append(opened(NOWHERE).send({"text": "x"}).said)
    assert said[:2] == ["127.0.0.1 answers HTTP 404", "127.0.0.1 answers HTTP 500"]
    # httpx has said something of each request, and only the host of it.
    assert caplog.text.count("HTTP Request: POST http://127.0.0.1/…") == 4
    for secret in SECRET.split("/"):
        assert secret not in caplog.text + "".join(said)


def test_a_password_in_the_url_is_not_repeated_either(
    hook: Hook, caplog: pytest.LogCaptureFixture, opened: Open
) -> None:
    caplog.set_level(logging.DEBUG)
    hook.answers.append((401, {}, b"wrong password: pa%20ss word pa ssword"))
    said = opened(hook.url.replace("//", "//somebody:pa%20ssword@")).send({"text": "x"}).said
    assert said == "127.0.0.1 answers HTTP 401"
    assert "ssword" not in caplog.text


def test_many_events_are_one_message_that_every_chat_takes() -> None:
    message = as_json([fired(f"book{i}_mxn") for i in range(54)], "sim")
    lines = message["text"].splitlines()
    assert len(message["text"]) < 2000
    assert all(line.startswith("SIMULATED book") for line in lines[:-1])
    assert lines[-1] == f"and {54 - len(lines) + 1} more"
    assert len(message["bitso_spread"]["events"]) == 54
    assert message["bitso_spread"]["simulated"] is True


def test_what_the_exchange_says_calls_nobody_in_a_chat() -> None:
    cause = "closed by the exchange with 1011 (<!channel> @everyone)"
    no_data = fired(kind=Kind.NO_DATA, threshold=None, widest=None, cause=cause)
    message = as_json([no_data], "production")
    assert "closed by the exchange with 1011" in message["text"]
    assert not any(call in message["text"] for call in ("<", "@everyone"))
    # A program gets it as it was.
    assert message["bitso_spread"]["events"][0]["cause"] == cause


def test_what_a_program_reads_has_times_and_lengths() -> None:
    (event,) = as_json([cleared()], "host-x")["bitso_spread"]["events"]
    assert event == {
        "event": "cleared",
        "at": "1970-01-01T00:17:43Z",
        "book": "btc_mxn",
        "kind": "spread",
        "threshold": 0.5,
        "since": "1970-01-01T00:16:40Z",
        "until": "1970-01-01T00:17:40Z",
        "lasted_s": 60,
        "widest": 0.61,
        "cause": None,
    }
    assert as_json([cleared()], "host-x")["text"] == (
        "(host-x) btc_mxn: spread narrow again: was above 0.5 % for 60 s, up to 0.6100 %"
    )
