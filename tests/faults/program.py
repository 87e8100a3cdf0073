"""A command as a process of its own, killed at the end if it still runs."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path


class Process:
    """A command that runs; what it says goes to files."""

    def __init__(self, command: list[str], environ: dict[str, str], folder: Path) -> None:
        number = len(list(folder.glob("stderr-*")))
        self._paths = [folder / f"{stream}-{number}" for stream in ("stdout", "stderr")]
        with self._paths[0].open("wb") as out, self._paths[1].open("wb") as err:
            self.popen = subprocess.Popen(command, stdout=out, stderr=err, env=environ)

    @property
    def out(self) -> str:
        """What it has written to stdout so far."""
        return self._paths[0].read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        """What it has written to stderr so far."""
        return self._paths[1].read_text(encoding="utf-8")

    def wait(self, within: float = 60.0) -> int:
        """Wait for its end, and give its status."""
        return self.popen.wait(within)

    def end(self, number: int = signal.SIGTERM, within: float = 60.0) -> int:
        """Send it a signal, wait for its end, and give its status."""
        self.popen.send_signal(number)
        return self.wait(within)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
