"""What all that is opened and closed has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """Closes itself at the end of a ``with`` block."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Running(Closing):
    """Runs during a ``with`` block."""

    @abstractmethod
    def start(self) -> object:
        """Begin."""

    @abstractmethod
    def stop(self) -> None:
        """End; returns when that is done."""

    def close(self) -> None:
        """Stop."""
        self.stop()

    def __enter__(self) -> Self:
        self.start()
        return self
