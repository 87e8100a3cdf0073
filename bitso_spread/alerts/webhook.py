"""Sends messages to a webhook: one attempt a call. Trying again is `outbox`'s business.

Slack, Mattermost and Discord answer 2xx once they have taken a message, 429 with Retry-After (in
seconds) to one who sends too many, and 4xx to one they will never take.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import httpx

from bitso_spread import __version__
from bitso_spread.alerts.channel import Attempt
from bitso_spread.alerts.config import Webhook
from bitso_spread.errors import UsageError

TIMEOUT_S = 10.0
ATTEMPTS = 120
"""With waits that are drawn up to a second, then twice as long, up to a minute: about an hour. What
has a book unknown is often what keeps the webhook from being reached, and it takes more than a
minute."""

_LONGEST_WAIT_S = 120.0
_SAID_LIMIT = 100
_BODY_LIMIT = 4096
# Of the HTTP library, whose own are none of ours to switch off.
_LOGS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")


class WebhookChannel:
    """One webhook; for one thread at a time, but for `close`.

    Raises:
        UsageError: `SSL_CERT_FILE` names what cannot be read.
    """

    name = "webhook"
    attempts = ATTEMPTS

    def __init__(self, webhook: Webhook, timeout_s: float = TIMEOUT_S) -> None:
        self._webhook = webhook
        self._timeout_s = timeout_s
        try:
            self._http = httpx.Client(
                timeout=timeout_s,
                # Minutes lie between two alerts: a connection that was kept would be dead.
                limits=httpx.Limits(max_keepalive_connections=0),
                follow_redirects=False,
                trust_env=not webhook.is_loopback,
                headers={"User-Agent": f"bitso-spread/{__version__}"},
            )
        except OSError as error:
            raise UsageError(f"the certificates cannot be read: {error}; SSL_CERT_FILE?") from error
        self._masking = _Masking(webhook)
        for name in _LOGS:
            logging.getLogger(name).addFilter(self._masking)

    def close(self) -> None:
        """Close what is open: the attempt under way fails."""
        self._http.close()
        for name in _LOGS:
            logging.getLogger(name).removeFilter(self._masking)

    def send(self, message: Mapping[str, Any]) -> Attempt:
        """Post one message."""
        host = self._webhook.host
        until = time.monotonic() + self._timeout_s
        try:
            request = self._http.build_request("POST", self._webhook.url, json=dict(message))
            with closing(self._http.send(request, stream=True)) as reply:
                return self._read(reply, until)
        except httpx.TimeoutException:
            return Attempt(f"no reply from {host} within {self._timeout_s:g} s", may_pass=True)
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError, OSError, ValueError) as error:
            reason = self._clean(str(error)) or type(error).__name__
            return Attempt(f"cannot reach {host}: {reason}", may_pass=True)

    def _read(self, reply: httpx.Response, until: float) -> Attempt:
        host, status = self._webhook.host, reply.status_code
        if reply.is_success:
            return Attempt(f"{host} took it", is_sent=True)
        if reply.is_redirect:
            return Attempt(f"{host} sends it elsewhere (HTTP {status}), where it is not brought")
        body = bytearray()
        for chunk in reply.iter_bytes():
            body += chunk
            if len(body) > _BODY_LIMIT or time.monotonic() > until:
                break
        why = self._clean(bytes(body[:_BODY_LIMIT]).decode("utf-8", "replace"))
        said = f"{host} answers HTTP {status}{f': {why}' if why else ''}"
        may_pass = status in {408, 425, 429} or status >= 500
        return Attempt(said, may_pass=may_pass, after_s=_retry_after(reply))

    def _clean(self, text: str) -> str:
        """Give the beginning of a text as one line, or nothing of one that tells the URL."""
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        if any(part in line for part in _secret_parts(self._webhook)):
            return ""
        return line if len(line) <= _SAID_LIMIT else f"{line[:_SAID_LIMIT]}…"


def _retry_after(reply: httpx.Response) -> float:
    try:
        seconds = float(reply.headers.get("Retry-After", ""))
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT_S) if math.isfinite(seconds) else 0.0


class _Masking(logging.Filter):
    """Shows the host alone where the HTTP library logs the URL, or what an answer repeats of it."""

    def __init__(self, webhook: Webhook) -> None:
        super().__init__()
        self._shown = str(webhook)
        self._url = str(httpx.URL(webhook.url))
        self._parts = _secret_parts(webhook)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the secret."""
        message = record.getMessage().replace(self._url, self._shown)
        if any(part in message for part in self._parts):
            message = f"(not shown: it tells the URL of {self._shown})"
        record.msg, record.args = message, ()
        return True


def _secret_parts(webhook: Webhook) -> list[str]:
    url = httpx.URL(webhook.url)
    parts = re.split("[/?&=#]", url.raw_path.decode("ascii"))
    parts += [url.username, url.password, *url.userinfo.decode("ascii").split(":")]
    # Shorter ones are no secret, and occur in any text.
    return [part for part in parts if len(part) > 3]
