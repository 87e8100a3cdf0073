"""What rows were recorded from, as files that leave a lake tell it, and as a user may name it.

A data file of this package tells it by its name (`layout.environment_of`). Parquet that a query
writes may be called anything, and tells it in its own metadata; CSV has no place for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from bitso_spread.errors import UsageError
from bitso_spread.lake import layout
from bitso_spread.nearest import did_you_mean

_KEY = "bitso-spread.environment"
_STAGE = "stage"
_NAMED = (layout.PRODUCTION, _STAGE, layout.SIMULATED)
# It becomes part of the names of files.
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*", re.ASCII)
# Another host is called by its name and port, such as 127.0.0.1-8080.
_HOST = re.compile(r"[a-z0-9][a-z0-9-]*[.-][a-z0-9.-]*", re.ASCII)


def to_metadata(environments: Collection[str]) -> dict[str, str]:
    """Give what is written into a Parquet file with rows of these environments.

    Of production alone, and of no rows, nothing.
    """
    if not set(environments) - {layout.PRODUCTION}:
        return {}
    return {_KEY: ",".join(sorted(environments))}


def told_in(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Read what `to_metadata` has given: no environment, one, or several that are mixed.

    Raises:
        ValueError: no environment can be called so.
    """
    if _KEY not in metadata:
        return ()
    names = metadata[_KEY].split(",")
    if wrong := [name for name in names if not _NAME.fullmatch(name)]:
        raise ValueError(f"no environment is called {wrong[0][:40]!r}")
    return tuple(names)


def check_environment(name: str) -> None:
    """Check the name of an environment that rows were recorded from.

    Raises:
        UsageError: it is none of the three, nor like another host's, such as ``127.0.0.1-8080``.
    """
    if name not in _NAMED and not _HOST.fullmatch(name):
        near = did_you_mean(name, _NAMED)
        raise UsageError(
            f"there is no environment {name!r}: choose {', '.join(_NAMED)}, or a host's name as "
            f"its files begin with it{near}"
        )
