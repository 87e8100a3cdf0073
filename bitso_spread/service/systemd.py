"""Units for systemd: the recorder, and a timer that looks whether it is well.

Written for systemd 247 and later (Debian 11). journald keeps and rotates what they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bitso_spread import __version__
from bitso_spread.errors import UsageError
from bitso_spread.service.limits import (
    CHECK_EVERY_S,
    CHECK_S,
    MEMORY_MB,
    RESTART_S,
    START_S,
    STOP_S,
)
from bitso_spread.service.quoting import systemd_value, systemd_word
from bitso_spread.service.recording import STATE, Recording, absolute
from bitso_spread.service.units import Unit

_NAME = "bitso-spread"
_HOMES = ("/home", "/root", "/run/user")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

_RECORDER = """\
# /etc/systemd/system/{name}.service, made by bitso-spread {version}. Before its first start:
#   useradd --system --home-dir {state} --shell /usr/sbin/nologin {user}
#   {make_lake}systemctl daemon-reload && systemctl enable --now {name}
# Whether it is well is asked by {name}-health.timer: --unit health and --unit timer print it.
# BITSO_API_KEY, BITSO_API_SECRET and BITSO_SPREAD_ALERT_WEBHOOK belong into /etc/{name}.env
# (root's own, mode 600), never into this file, which everybody can read.
{credentials}{advice}[Unit]
Description={description}
Wants=network-online.target
After=network-online.target time-sync.target
# No number of failed starts ends it.
StartLimitIntervalSec=0

[Service]
Type=exec
User={user}
StateDirectory={name}
# The budget of requests, which all processes of the user share, outlives a restart there.
Environment=XDG_STATE_HOME=%S
EnvironmentFile=-/etc/{name}.env
ExecStart={command}
Restart=always
RestartSec={restart_s}
# A wrong option stays wrong.
RestartPreventExitStatus=2
# It ends in order on SIGTERM: all rows are loaded into the lake, for which a disk that refuses
# has 40 s. The commands that it runs for alerts are its own to end.
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec={stop_s}
MemoryMax={memory_mb}M
{write_lake}{confined}

[Install]
WantedBy=multi-user.target
"""

_STORE = "# So do the store's credentials, such as AWS_ACCESS_KEY_ID.\n"
_PROPERTIES = """\
# Kafka's user, password and TLS: in a file of {user}'s own, mode 600, that
# BITSO_SPREAD_PUBLISH_PROPERTIES in /etc/{name}.env names.
"""

_HEALTH = """\
# /etc/systemd/system/{name}-health.service, made by bitso-spread {version}.
# Failed means not well; name who is to be told in OnFailure=. It restarts nothing: where others
# record into the same lake, the one that is not well may be theirs.
[Unit]
Description=Health of: {description}
After={name}.service

[Service]
Type=oneshot
User={user}
ExecStart={command}
# The journal gets what is wrong, and not each look's JSON; null alone would silence both.
StandardOutput=null
StandardError=journal
TimeoutStartSec={check_s}
{confined}
"""

_TIMER = """\
# /etc/systemd/system/{name}-health.timer, made by bitso-spread {version}.
#   systemctl enable --now {name}-health.timer
[Unit]
Description=Looks whether the recorder of Bitso's spreads is well
PartOf={name}.service

[Timer]
OnActiveSec={start_s}
OnUnitActiveSec={check_every_s}
AccuracySec=1

[Install]
WantedBy={name}.service
"""

# A system call that is not allowed fails, and ends nothing: the commands for alerts are not ours.
_CONFINED = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome={home}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies={families}
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM"""


def unit(which: Unit, recording: Recording, *, program: str, user: str) -> str:
    """Give the text of a unit; `program` is the path of ``bitso-spread`` on its host.

    Raises:
        UsageError: a path is relative or cannot be written, or the user is root or no name.
    """
    if not _USER.fullmatch(user) or user == "root":
        raise UsageError(f"--user {user!r}: name an account, and not root")
    lake = recording.host_lake
    if "$" in absolute(program, "--program"):
        raise UsageError(f"--program {program}: systemd starts no path with a dollar sign")
    shared = {
        "name": _NAME,
        "version": __version__,
        "user": user,
        "description": f"{recording.mark}Bitso spreads, one sample a second",
    }
    match which:
        case Unit.RECORDER:
            return _RECORDER.format(
                **shared,
                **_place(lake),
                state=STATE,
                advice=_advice(recording),
                credentials=(_STORE if recording.store is not None else "")
                + (_PROPERTIES.format(**shared) if recording.publishes else ""),
                command=_command(program, [("collect",), *recording.arguments(lake)]),
                restart_s=RESTART_S,
                stop_s=STOP_S,
                memory_mb=MEMORY_MB,
                confined=_confined(lake, program, "AF_INET AF_INET6 AF_UNIX"),
            )
        case Unit.HEALTH:
            return _HEALTH.format(
                **shared,
                command=_command(program, [("status",), *recording.whose(lake)]),
                check_s=CHECK_S,
                confined=_confined(lake, program, "AF_UNIX"),
            )
        case Unit.TIMER:
            return _TIMER.format(**shared, start_s=START_S, check_every_s=CHECK_EVERY_S)


def _command(program: str, arguments: Iterable[tuple[str, ...]]) -> str:
    lines = (" ".join(map(systemd_word, each)) for each in arguments)
    return " \\\n    ".join([systemd_value(program), *lines])


def _place(lake: str) -> dict[str, str]:
    """Give what lets it write a lake for which systemd makes no folder."""
    if _is_under(lake, STATE):
        return {"make_lake": "", "write_lake": ""}
    return {
        "make_lake": "install -d -o USER LAKE, with the names below, and\n#   ",
        "write_lake": f"ReadWritePaths={systemd_value(lake)}\n",
    }


def _advice(recording: Recording) -> str:
    if not recording.advised:
        return ""
    options = " ".join(f"{name} {value}" for name, value in recording.advised)
    return f"# Advised, and not asked for: {options}. A lake keeps what it was begun with.\n"


def _confined(lake: str, program: str, families: str) -> str:
    at_home = any(_is_under(path, home) for path in (lake, program) for home in _HOMES)
    return _CONFINED.format(home="read-only" if at_home else "yes", families=families)


def _is_under(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder}/")
