"""Where data goes: stdout, which may be closed, or whose reader may leave at any time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

import typer

from bitso_spread.errors import BitsoSpreadError


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a person reads a standard stream, which is None where it was closed."""
    return stream is not None and stream.isatty()


@contextmanager
def stdout() -> Iterator[BinaryIO]:
    """Give stdout for bytes; a reader that has gone (``| head``) ends the program in silence.

    Raises:
        BitsoSpreadError: there is no stdout, or what is behind it refuses, such as a full disk.
    """
    stream: TextIO | None = sys.stdout
    if stream is None:
        raise BitsoSpreadError("there is no stdout to write to: it was closed")
    try:
        stream.flush()
        yield stream.buffer
        stream.flush()
    except OSError as error:
        # What is still buffered must not fail again when the interpreter flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if isinstance(error, BrokenPipeError):
            # Typer would make it status 1.
            raise typer.Exit from None
        raise BitsoSpreadError(f"cannot write to stdout: {error.strerror}") from error
