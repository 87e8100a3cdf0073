"""The options about alerts, which `collect` and `alerts` share, and what they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.errors import UsageError

if TYPE_CHECKING:
    from bitso_spread.alerts.rules import AlertRules
    from bitso_spread.plan import AlertPlan

AlertOption = Annotated[
    list[str] | None,
    typer.Option(
        "--alert",
        metavar="[BOOK=]PERCENT",
        show_default="none",
        help="A spread to be told of when it is exceeded: 0.5, or btc_mxn=0.3 for one book, which "
        "then has no others; repeat it for several.",
    ),
]

AlertHoldOption = Annotated[
    str | None,
    typer.Option(
        "--alert-hold",
        metavar="D",
        show_default="3s",
        help="How long it is exceeded before that is told; over once it has been below 90 % of "
        "the threshold for as long.",
    ),
]

AlertCooldownOption = Annotated[
    str | None,
    typer.Option(
        "--alert-cooldown",
        metavar="D",
        show_default="5m",
        help="Not again within this time, unless a higher threshold of that book is exceeded.",
    ),
]

AlertCommandOption = Annotated[
    str | None,
    typer.Option(
        "--alert-command",
        metavar="CMD",
        show_default="none",
        help="A command to run for each message, which it reads as JSON from its standard input; "
        "30 s, no shell. A webhook is not set here but by BITSO_SPREAD_ALERT_WEBHOOK.",
    ),
]


def rules_of(alert: list[str] | None, hold: str | None, cooldown: str | None) -> AlertRules:
    """Give the rules that the options mean.

    Raises:
        UsageError: one of them makes no sense.
    """
    from bitso_spread.alerts.rules import COOLDOWN_S, HOLD_S, AlertRules, parse_thresholds

    return AlertRules(
        parse_thresholds(alert or ()),
        HOLD_S if hold is None else _seconds(hold),
        COOLDOWN_S if cooldown is None else _seconds(cooldown),
    )


def alert_plan(
    alert: list[str] | None, hold: str | None, cooldown: str | None, command: str | None
) -> AlertPlan | None:
    """Give what is to be told, and to whom; None for nothing.

    Raises:
        UsageError: one of the options, or the webhook that is set, makes no sense.
    """
    from bitso_spread.alerts.command import parse_command
    from bitso_spread.alerts.config import find_webhook
    from bitso_spread.cli.app import settings
    from bitso_spread.plan import AlertPlan

    webhook, rules = find_webhook(files=settings.files), rules_of(alert, hold, cooldown)
    if not alert and webhook is None and command is None:
        if hold is not None or cooldown is not None:
            raise UsageError("--alert-hold and --alert-cooldown go with --alert, such as 0.5")
        return None
    program = None if command is None else parse_command(command)
    return AlertPlan(rules=rules, webhook=webhook, command=program)


def in_words(plan: AlertPlan) -> str:
    """Say what is told, and to whom, for the person who has asked for it."""
    rules = plan.rules
    told = [f"{each.book or 'spread'} above {each.percent:g} %" for each in rules.thresholds]
    if told:
        told[-1] += f" for {rules.hold_s:g} s, at most every {rules.cooldown_s:g} s"
    ways = ["the log"]
    if plan.webhook is not None:
        ways.append(str(plan.webhook))
    if plan.command is not None:
        ways.append(plan.command[0])
    return f"alerts: {', '.join([*told, 'no data for a minute'])}; to {', '.join(ways)}"


def _seconds(text: str) -> float:
    from bitso_spread.cli.durations import parse_duration

    try:
        return float(text)
    except ValueError:
        return parse_duration(text)
