"""Keys as a terminal sends them."""

from __future__ import annotations

import os

import pytest

from bitso_spread.cli.board_keys import Keys, decode


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"s", ["s"]),
        (b"sq", ["s", "q"]),
        (b"\x1b[A\x1b[B", ["up", "down"]),
        # Terminals in the other of the two modes of their arrow keys.
        (b"\x1bOA\x1bOB", ["up", "down"]),
        (b"\x1b[5~\x1b[6~", ["page up", "page down"]),
        (b"\x1b[H\x1b[F\x1b[1~\x1b[4~", ["home", "end", "home", "end"]),
        (b"j\x1b[Bj", ["j", "down", "j"]),
        # F5, a mouse, an umlaut: nothing has such a name here.
        (b"\x1b[15~", []),
        (b"\x1b[<0;1;1M", []),
        ("ä".encode(), []),
        (b"", []),
    ],
)
def test_keys_have_names(data: bytes, keys: list[str]) -> None:
    assert decode(data) == (keys, b"")


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_key_that_comes_in_two_parts_is_one(cut: int) -> None:
    sequence = b"\x1b[5~"
    keys, rest = decode(b"s" + sequence[:cut])
    assert (keys, rest) == (["s"], sequence[:cut])
    assert decode(rest + sequence[cut:]) == (["page up"], b"")


def test_escape_alone_swallows_no_key() -> None:
    _, rest = decode(b"\x1b")
    assert decode(rest + b"q") == (["q"], b"")


def test_a_wait_is_ended_from_elsewhere_and_what_comes_after_the_end_goes_nowhere() -> None:
    keys = Keys(None)
    keys.wake()
    assert keys.wait(60) == []
    keys.close()
    # Whatever is opened now has the numbers that were given back.
    read, written = os.pipe()
    os.set_blocking(read, False)
    keys.wake()
    with pytest.raises(BlockingIOError):
        os.read(read, 1)
    os.close(read)
    os.close(written)
