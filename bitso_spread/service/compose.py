"""A compose file of the recorder, beside the Dockerfile that `service docker` prints."""

from __future__ import annotations

from textwrap import indent

from bitso_spread import __version__
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
from bitso_spread.service.quoting import check_path, compose_string
from bitso_spread.service.recording import Recording

_COMPOSE = """\
# Made by bitso-spread {version}. In a checkout of it, beside the Dockerfile that
# `bitso-spread service docker` prints with these options (but --lake):
#   docker compose up --detach --build (Compose 2.24 or later)
name: bitso-spread
services:
  collect:
    build: .
    image: bitso-spread:{version}
    command:
{command}
    restart: unless-stopped
    # It ends in order: all rows are loaded, for which a disk that refuses has 40 s.
    stop_signal: SIGTERM
    stop_grace_period: {stop_s}s
    healthcheck:
      test: [{health}]
      interval: {check_every_s}s
      timeout: {check_s}s
      start_period: {start_s}s
      retries: {checks}
    mem_limit: {memory_mb}m
    user: "{user}"
    read_only: true
    tmpfs:
      - /tmp
    cap_drop:
      - ALL
    security_opt:
      - no-new-privileges:true
    environment:
{environment}
    # BITSO_API_KEY, BITSO_API_SECRET and BITSO_SPREAD_ALERT_WEBHOOK; not for this file.
{more_secrets}    env_file:
      - path: {secrets}
        required: false
    volumes:
{mount}
    logging:
      driver: local
      options:
        max-size: 10m
        max-file: "5"
{ports}{volumes}"""


def compose(recording: Recording) -> str:
    """Give the text of a compose file; `--lake` is a folder of the host, without it a volume.

    With a lake in object storage, so is `--state`.

    Raises:
        UsageError: the lake's path cannot be written, or the port of the metrics is 0.
    """
    what = "--lake" if recording.store is None else "--state"
    folder, published = recording.value(what), port(recording)
    return _COMPOSE.format(
        version=__version__,
        command="\n".join(
            f"      - {compose_string(word)}" for each in command(recording) for word in each
        ),
        stop_s=STOP_S,
        health=", ".join(map(compose_string, ["CMD", *health(recording)])),
        check_every_s=CHECK_EVERY_S,
        check_s=CHECK_S,
        start_s=START_S,
        checks=CHECKS,
        memory_mb=MEMORY_MB,
        user=USER,
        environment="\n".join(
            f"      {name}: {value}" for name, value in environment(recording).items()
        ),
        secrets=SECRETS,
        more_secrets=indent(more_secrets(recording), "    # "),
        mount=_mount(folder and recording.root(check_path(folder, what))),
        ports=f'    ports:\n      - "127.0.0.1:{published}:{published}"\n' if published else "",
        volumes="volumes:\n  lake:\n" if folder is None else "",
    )


def _mount(folder: str | None) -> str:
    target = f"        target: {LAKE}"
    if folder is None:
        return f"      - type: volume\n        source: lake\n{target}"
    # Without a dot it would be the name of a volume.
    path = folder if folder.startswith(("/", ".")) else f"./{folder}"
    return (
        f"      # To be writable for {USER}.\n"
        f"      - type: bind\n        source: {compose_string(path)}\n{target}"
    )
