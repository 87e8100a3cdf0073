"""The program as the README shows it: on a terminal of 100 columns, without colours.

Nothing of whoever runs this comes through: neither environment variables and settings, nor
locale, time zone, terminal and folder.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from pathlib import Path

from tests.cli.terminal import TerminalProgram, plain

WIDTH = 100
_SCRIPTS = Path(sys.executable).parent
HOME = "/home/you"
"""What stands for the folder in which commands are run."""


def help_of(*command: str) -> str:
    """Give the help text of a command, or of the program itself."""
    arguments = [*_clean(Path("/nonexistent")), "bitso-spread", *command, "--help"]
    done = subprocess.run(arguments, cwd="/", capture_output=True, text=True, check=True)
    return _tidy(done.stdout)


def shown(line: str, home: Path, *, until: str = "") -> str:
    """Run a line of shell in a folder, and give what is on the terminal afterwards.

    With `until`, Ctrl-C is pressed once that has been said.
    """
    script = f"cd {shlex.quote(str(home))} && exec {shlex.join([*_clean(home), 'sh', '-c', line])}"
    with TerminalProgram(["sh", "-c", script], width=WIDTH) as program:
        if until:
            program.wait_for(until)
            program.press("\x03")
        program.end(within_s=60)
        text = plain(program.output).replace("\r", "")
    text = text.replace(str(home), HOME).replace(f"{_SCRIPTS}/", "")
    return _tidy(text.replace(f" on {socket.gethostname()},", " on a-host,"))


def start(line: str, home: Path) -> subprocess.Popen[bytes]:
    """Start a line of shell in a folder, where nobody sees what it says."""
    quiet = subprocess.DEVNULL
    command = [*_clean(home), *shlex.split(line)]
    return subprocess.Popen(command, cwd=home, stdin=quiet, stdout=quiet, stderr=quiet)


def _clean(home: Path) -> list[str]:
    environ = {
        "PATH": f"{_SCRIPTS}:/usr/bin:/bin",
        "HOME": home,
        "COLUMNS": WIDTH,
        "LANG": "C.UTF-8",
        "PYTHONUTF8": 1,
        "TERM": "dumb",
        "NO_COLOR": 1,
        "TZ": "UTC",
    }
    return ["env", "-i", *(f"{name}={value}" for name, value in environ.items())]


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
