"""The ways to deliver that a user has asked for."""

from __future__ import annotations

from collections.abc import Sequence

from bitso_spread.alerts.channel import Channel
from bitso_spread.alerts.command import CommandChannel
from bitso_spread.alerts.config import Webhook
from bitso_spread.alerts.webhook import WebhookChannel


def channels_of(webhook: Webhook | None, command: Sequence[str] | None) -> list[Channel]:
    """Make a channel of each that is given.

    Raises:
        UsageError: `SSL_CERT_FILE` names what cannot be read.
    """
    channels: list[Channel] = []
    if webhook is not None:
        channels.append(WebhookChannel(webhook))
    if command is not None:
        channels.append(CommandChannel(command))
    return channels
