"""What is done to the collector of the soak, a fault a minute, in an order that a seed gives."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from random import Random

from bitso_spread.sim.faults import CLOUDFLARE_PAGE
from tests.faults.soak import MAX_STALE_S, REFRESH_AFTER_S, Blind, Soak
from tests.faults.soak_exchange import BUSY

Act = Callable[[Soak], None]

# A link that answered pings is dead when two have not been answered, and that is looked at
# once a second.
_DEAD_S = 12.0
# A mute book is looked at when it has been quiet for so long, and then every five seconds.
_MUTE_S = REFRESH_AFTER_S + 6.0
_MOST_KILLS = 3


def faults(seed: int, minutes: float) -> Iterator[tuple[str, Act]]:
    """Give faults without end: all kinds, in random order, then all again.

    The collector is killed at most three times, and not in the last half: what is measured at
    the end is of a process that has run for long.
    """
    rng = Random(seed)  # noqa: S311  (no secret)
    given = kills = 0
    while True:
        kinds = list(_ACTS.items())
        rng.shuffle(kinds)
        for name, act in kinds:
            if act is _kill:
                if kills == _MOST_KILLS or given > minutes / 2:
                    continue
                kills += 1
            given += 1
            yield name, act


def _drop(soak: Soak) -> None:
    with soak.fault("drop"):
        soak.tell("do", "drop_connections")


def _close(soak: Soak) -> None:
    with soak.fault("close 1011"):
        soak.tell("do", "close_connections", 1011, "internal error")


def _reset(soak: Soak) -> None:
    with soak.fault("reset"):
        soak.tell("proxy", "reset")


def _cut(soak: Soak) -> None:
    with soak.fault("cut in a frame"):
        soak.tell("proxy", "cut", 2000)


def _refuse(soak: Soak) -> None:
    with soak.fault("refused"):
        soak.tell("proxy", "refuse")
        soak.pause(12)
        soak.tell("proxy", "accept")


def _unavailable(soak: Soak) -> None:
    with soak.fault("handshake refused"):
        soak.tell("set", "refuse_connections", True)
        soak.tell("do", "drop_connections")
        soak.pause(12)
        soak.tell("set", "refuse_connections", False)


def _silent(soak: Soak) -> None:
    with soak.fault("silent", stale_s=_DEAD_S):
        soak.tell("set", "silent", True)
        soak.pause(15)
        soak.tell("set", "silent", False)


def _half_open(soak: Soak) -> None:
    with soak.fault("half-open", stale_s=_DEAD_S):
        soak.tell("proxy", "refuse")
        soak.tell("proxy", "accept")
        soak.pause(7)
        soak.tell("proxy", "hold")
        soak.pause(20)
        soak.tell("proxy", "release")


def _mute_all(soak: Soak) -> None:
    with soak.fault("all mute", stale_s=_MUTE_S):
        soak.tell("set", "mute", "all")
        soak.pause(35)
        soak.tell("set", "mute", [])


def _mute_one(soak: Soak) -> None:
    with soak.fault("one book mute", stale_s=_MUTE_S):
        soak.tell("set", "mute", [BUSY[3]])
        soak.pause(35)
        soak.tell("set", "mute", [])


def _lag(soak: Soak) -> None:
    # While the frames are held back for the first time, the link is only quiet.
    with soak.fault("lag", stale_s=5 + MAX_STALE_S):
        soak.tell("set", "lag_s", 5)
        soak.pause(15)
        soak.tell("set", "lag_s", 0)


def _junk(soak: Soak) -> None:
    with soak.fault("junk"):
        for junk in ("", "\x00", "nonsense", '{"type":"orders","book":', "[]", "9" * 2_000_000):
            soak.tell("do", "send_raw", junk)


def _crossed(soak: Soak) -> None:
    with soak.fault("crossed"):
        for book in BUSY[:10]:
            soak.tell("do", "send_crossed", book)


def _one_sided(soak: Soak) -> None:
    with soak.fault("one-sided and empty"):
        for book in BUSY[:10]:
            soak.tell("do", "send_one_sided", book)
            soak.tell("do", "send_empty", book)


def _rest_fails(name: str, switch: str, value: object) -> Act:
    """Let REST fail for 20 s in a way of its own, while the connection is cut."""

    def act(soak: Soak) -> None:
        with soak.fault(name, Blind.REST):
            soak.tell("set", switch, value)
            soak.tell("do", "drop_connections")
            soak.pause(20)
            soak.tell("set", switch, None if switch == "rest_status" else type(value)())

    return act


def _forbidden(soak: Soak) -> None:
    soak.tell("set", "rest_body", CLOUDFLARE_PAGE)
    _rest_fails("REST 403", "rest_status", 403)(soak)
    soak.tell("set", "rest_body", "")


def _lock_out(soak: Soak) -> None:
    with soak.fault("REST 420", Blind.REST):
        soak.tell("do", "throttle")
        soak.tell("do", "drop_connections")
        # The client keeps silent for a minute and a second from the first refusal.
        soak.pause(62)


def _stop(soak: Soak) -> None:
    with soak.fault("SIGSTOP", stale_s=5 + MAX_STALE_S):
        soak.signal_collector(signal.SIGSTOP)
        soak.pause(5)
        soak.signal_collector(signal.SIGCONT)


def _kill(soak: Soak) -> None:
    with soak.fault("kill -9", absent=True):
        soak.kill_collector()
        soak.pause(2)
        soak.start_collector()
        soak.pause(8)


def _nothing_there(soak: Soak) -> None:
    with soak.fault("feed and REST down", Blind.BOTH):
        soak.tell("proxy", "refuse")
        soak.tell("do", "stop_listening")
        soak.pause(8)
        soak.tell("do", "listen_again")
        soak.tell("proxy", "accept")


_ACTS: dict[str, Act] = {
    "drop": _drop,
    "close 1011": _close,
    "reset": _reset,
    "cut in a frame": _cut,
    "refused": _refuse,
    "handshake refused": _unavailable,
    "silent": _silent,
    "half-open": _half_open,
    "all mute": _mute_all,
    "one book mute": _mute_one,
    "lag": _lag,
    "junk": _junk,
    "crossed": _crossed,
    "one-sided and empty": _one_sided,
    "REST down": _rest_fails("REST down", "rest_down", True),
    "REST slow": _rest_fails("REST slow", "rest_delay_s", 5.0),
    "REST 500": _rest_fails("REST 500", "rest_status", 500),
    "REST 403": _forbidden,
    "REST wrong JSON": _rest_fails("REST wrong JSON", "rest_wrong_json", True),
    "REST 420": _lock_out,
    "SIGSTOP": _stop,
    "kill -9": _kill,
    "feed and REST down": _nothing_there,
}
