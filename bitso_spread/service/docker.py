"""A Dockerfile of the recorder, to be built in a checkout of this project."""

from __future__ import annotations

from textwrap import indent

from bitso_spread import __version__
from bitso_spread.errors import UsageError
from bitso_spread.service.image import (
    LAKE,
    SECRETS,
    USER,
    command,
    environment,
    health,
    more_secrets,
    port,
)
from bitso_spread.service.limits import (
    CHECK_EVERY_S,
    CHECK_S,
    CHECKS,
    MEMORY_MB,
    START_S,
    STOP_S,
)
from bitso_spread.service.quoting import exec_form
from bitso_spread.service.recording import Recording

_DOCKERFILE = """\
# Made by bitso-spread {version}. In a checkout of it, with this file as its Dockerfile:
#   docker build --tag bitso-spread .
#   docker run --detach --name bitso-spread --restart unless-stopped --stop-timeout {stop_s} \\
#     --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \\
#     --memory {memory_mb}m --log-driver local --log-opt max-size=10m --log-opt max-file=5 \\
#     --mount type=volume,source=bitso-lake,target={lake} {publish}bitso-spread
# With secrets: --env-file {secrets}, which has no place in an image. It may hold
# BITSO_API_KEY, BITSO_API_SECRET and BITSO_SPREAD_ALERT_WEBHOOK.
{more_secrets}# A folder of the host in place of a volume must be writable for {user}.
# Other commands: docker exec bitso-spread bitso-spread query --date today.
FROM python:3.13-slim-bookworm AS build
COPY pyproject.toml README.md LICENSE /src/
COPY bitso_spread /src/bitso_spread
RUN python -m venv /opt/bitso-spread \\
    && /opt/bitso-spread/bin/pip install --no-cache-dir "/src{extras}"

FROM python:3.13-slim-bookworm
COPY --from=build /opt/bitso-spread /opt/bitso-spread
RUN groupadd --gid {group} bitso-spread \\
    && useradd --uid {owner} --gid {group} --no-create-home --home-dir {lake} bitso-spread \\
    && install --directory --owner {owner} --group {group} {lake}
ENV PATH=/opt/bitso-spread/bin:$PATH{environment}
USER {user}
VOLUME {volume}
{expose}STOPSIGNAL SIGTERM
HEALTHCHECK --interval={check_every_s}s --timeout={check_s}s --start-period={start_s}s \\
    --retries={checks} CMD {health}
ENTRYPOINT ["bitso-spread"]
CMD {command}
"""


def dockerfile(recording: Recording) -> str:
    """Give the text of a Dockerfile.

    Raises:
        UsageError: the options name a lake, which is the volume's place here, or a port 0.
    """
    if recording.store is not None:
        if recording.value("--state") is not None:
            raise UsageError(f"in an image --state is its volume, {LAKE}: leave it out")
    elif recording.value("--lake") is not None:
        raise UsageError(f"in an image the lake is its volume, {LAKE}: leave --lake out")
    published = port(recording)
    owner, _, group = USER.partition(":")
    words = [word for each in command(recording) for word in each]
    extras = f"[{','.join(recording.extras)}]" if recording.extras else ""
    publish = f"--publish 127.0.0.1:{published}:{published} " if published else ""
    return _DOCKERFILE.format(
        version=__version__,
        stop_s=STOP_S,
        memory_mb=MEMORY_MB,
        lake=LAKE,
        publish=publish,
        secrets=SECRETS,
        more_secrets=indent(more_secrets(recording), "# "),
        user=USER,
        owner=owner,
        group=group,
        extras=extras,
        environment="".join(
            f" \\\n    {name}={value}" for name, value in environment(recording).items()
        ),
        volume=exec_form([LAKE]),
        expose=f"EXPOSE {published}\n" if published else "",
        check_every_s=CHECK_EVERY_S,
        check_s=CHECK_S,
        start_s=START_S,
        checks=CHECKS,
        health=exec_form(health(recording)),
        command=exec_form(words),
    )
