"""What tests of services share: awkward words, and systemd's own reading of a unit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from hypothesis import strategies as st

AWKWARD = [
    "",
    " ",
    "a b",
    "100%",
    "%n",
    "%%",
    "$HOME",
    "${HOME}",
    "$$",
    '"',
    "'",
    "it's",
    '\\"',
    "\\",
    "a\\",
    "\\n",
    ";",
    "#",
    "a;b",
    "{{ ds }}",
    "{% raw %}",
    "run.sh",
    "line\nline",
    "\t",
    "\x7f",
    "[x]",
    "- x",
    "a: b",
    "!x",
    "*x",
    "&x",
    "null",
    "0x10",
    "<<EOF",
    "ñandú",
    "比特币",
    "\U0001f600",
    "\u2028",
    "\ufeff",
    "--",
    "sh -c 'echo \"100%\" $HOME'",
]
"""Words in which some target or other sees more than a word."""

# What an operating system hands to a program: anything but NUL, in UTF-8.
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))

_NOBODY = 65_534
_SYSTEMD = shutil.which("systemd", path="/usr/lib/systemd:/lib/systemd")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|([^ ]+)')
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_NAMED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def argv_of_systemd(unit: str) -> list[str]:
    """Give the first command line of a unit as systemd itself has read it.

    What it leaves for the moment of starting is done here: ``$$`` is a dollar sign.
    """
    if not _systemd_tells():
        pytest.skip("no systemd that tells what it reads")
    command, said = _asked(unit)
    assert command is not None, f"systemd does not take it: {said}"
    return [_decoded(word).replace("$$", "$") for word in _WORD.finditer(command)]


@cache
def _systemd_tells() -> bool:
    return _SYSTEMD is not None and _asked("[Service]\nExecStart=/bin/echo\n")[0] == "/bin/echo"


def _asked(unit: str) -> tuple[str | None, str]:
    """Ask systemd what it would start, as a user that may start nothing; with what it says."""
    name = "read-by-systemd"
    with _readable_folder() as folder:
        (folder / f"{name}.service").write_text(unit)
        here = str(folder)
        told = subprocess.run(
            [str(_SYSTEMD), "--test", "--user", f"--unit={name}.service"],
            env={"HOME": here, "XDG_RUNTIME_DIR": here, "SYSTEMD_UNIT_PATH": f"{here}:"},
            user=_NOBODY if os.geteuid() == 0 else None,
            capture_output=True,
            check=False,
        )
    dump = told.stdout.decode(errors="replace")
    section = dump.partition(f"-> Unit {name}.service:")[2]
    found = re.search(r"-> ExecStart:\n\s*Command Line: (.*)", section)
    return found and found[1], told.stderr.decode(errors="replace")[-500:]


def _decoded(word: re.Match[str]) -> str:
    quoted = word[2] if word[1] is None else word[1]
    return _ESCAPE.sub(_unescape, quoted.encode()).decode()


def _unescape(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([int(code, 8)]) if len(code) == 3 else _NAMED.get(code, code)


@contextmanager
def _readable_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, _NOBODY, _NOBODY)
        yield folder
