"""What a container of the recorder is like: shared by its Dockerfile and its compose file."""

from __future__ import annotations

from bitso_spread.errors import UsageError
from bitso_spread.service.recording import Recording

LAKE = "/lake"
"""Its only volume."""
USER = "10001:10001"
"""Number of user and group: an engine that refuses root can tell so from a number alone."""
SECRETS = "bitso-spread.env"
"""The file with BITSO_API_KEY, BITSO_API_SECRET and BITSO_SPREAD_ALERT_WEBHOOK, beside it."""


def more_secrets(recording: Recording) -> str:
    """Give what is said of the store's credentials and of Kafka's, in lines of a comment."""
    lines = []
    if recording.store is not None:
        lines.append("So may the store's credentials, such as AWS_ACCESS_KEY_ID.")
    if recording.publishes:
        lines += [
            f"Kafka's user, password and TLS: in a file, mode 600, mounted for {USER};",
            f"BITSO_SPREAD_PUBLISH_PROPERTIES in {SECRETS} names it.",
        ]
    return "".join(f"{line}\n" for line in lines)


def environment(recording: Recording) -> dict[str, str]:
    """Give the variables by which other commands find the lake.

    The budget of requests lies beside the table, and so outlives a restart under a read-only root.
    """
    state = {"BITSO_SPREAD_STATE": LAKE} if recording.store is not None else {}
    lake = {"BITSO_SPREAD_LAKE": recording.store or LAKE}
    return lake | state | {"XDG_STATE_HOME": f"{LAKE}/.bitso-spread"}


def health(recording: Recording) -> list[str]:
    """Give the command that tells whether it is well."""
    return ["bitso-spread", "status", *(word for pair in recording.whose(LAKE) for word in pair)]


def command(recording: Recording) -> list[tuple[str, ...]]:
    """Give the arguments of ``bitso-spread``, an option with its value in one tuple."""
    return [("collect",), *recording.arguments(LAKE, in_container=True)]


def port(recording: Recording) -> str | None:
    """Give the port of the metrics.

    Raises:
        UsageError: it is 0, which nobody could publish.
    """
    if recording.metrics_port == "0":
        raise UsageError("--metrics-port 0 takes any port, which nobody can find: name one")
    return recording.metrics_port
