"""Stops a piece of work before or after any step of it, as a crash or a full disk would."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from errno import ENOSPC
from typing import Any, Literal

import pytest

When = Literal["before", "after"]


class KilledError(BaseException):
    """The process is no more: nothing of its own code runs after this."""


def full() -> OSError:
    """Give what a full disk says."""
    return OSError(ENOSPC, "No space left on device")


class Steps:
    """Counts the steps that are taken, and stops before or after one of them.

    `steps` names them: an owner and its attribute. `error` makes what the one to stop at raises;
    the first is 1, and with 0 none is stopped at.
    """

    def __init__(
        self,
        steps: Iterable[tuple[Any, str]],
        stop_at: int = 0,
        when: When = "before",
        error: Callable[[], BaseException] = full,
    ) -> None:
        self.taken = 0
        self._steps = tuple(steps)
        self._stop_at = stop_at
        self._when = when
        self._error = error

    @property
    def ended(self) -> bool:
        """Whether there were fewer steps than the one to stop at."""
        return self.taken < self._stop_at

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count, and stop, while the block runs."""
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in self._steps:
                patch.setattr(owner, name, self._watch(getattr(owner, name)))
            yield

    def _watch(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*arguments: Any, **options: Any) -> Any:
            self.taken += 1
            stops = self.taken == self._stop_at
            if stops and self._when == "before":
                raise self._error()
            result = step(*arguments, **options)
            if stops:
                if hasattr(result, "close"):
                    result.close()
                raise self._error()
            return result

        return watching
