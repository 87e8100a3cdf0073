"""Where options exclude each other: what is typed goes before what nobody has typed.

What a settings file or a variable says beside it is left out, and a note tells that it was. Two
that are typed are refused by their command, and so are two that nobody has typed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import typer

from bitso_spread.cli.logs import say
from bitso_spread.cli.origins import in_words, is_typed
from bitso_spread.errors import UsageError

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Rule:
    """An option of `typed`, if it is, puts those of `others` aside that nobody has typed."""

    typed: tuple[str, ...]
    others: tuple[str, ...]
    excludes: Callable[[Values], bool] = lambda _: True
    """Whether the values that there are do exclude each other."""


def _is_in_a_folder(values: Values) -> bool:
    from bitso_spread.cloud.address import is_url

    return not is_url(str(values["lake"]))


def _contradict(values: Values) -> bool:
    from bitso_spread.cli.render import choose_format

    try:
        choose_format(values["file_format"], values["output"])
    except UsageError:
        return True
    return False


def _is_no_simulation(values: Values) -> bool:
    """Tell whether the simulated exchange is asked for, of URLs that cannot be one."""
    from bitso_spread.exchange.environment import SIMULATED, environment

    if values["environment"] != SIMULATED:
        return False
    try:
        environment(SIMULATED, values["rest_url"], values["ws_url"])
    except UsageError:
        return True
    return False


def _is_bitso(values: Values) -> bool:
    """Tell whether the simulated exchange is asked for, of URLs that are Bitso's own."""
    from bitso_spread.exchange.environment import PRODUCTION, STAGE, environment

    if not _is_no_simulation(values):
        return False
    try:
        found = environment(PRODUCTION.name, values["rest_url"], values["ws_url"])
    except UsageError:
        return False
    return found.name in {PRODUCTION.name, STAGE.name}


_URLS = ("rest_url", "ws_url")
_STATE = (_Rule(("lake",), ("state",), _is_in_a_folder),)
_EXCHANGE = (
    _Rule(("environment",), _URLS, _is_no_simulation),
    _Rule(_URLS, ("environment",), _is_bitso),
)
_RULES: dict[str, tuple[_Rule, ...]] = {
    "collect": (*_STATE, *_EXCHANGE),
    "snapshot": _EXCHANGE,
    "watch": (_Rule(("environment", *_URLS), ("lake",)), *_EXCHANGE),
    "books": _EXCHANGE,
    "query": (
        *_STATE,
        _Rule(("every",), ("stats", "sql")),
        _Rule(("stats",), ("every", "sql")),
        _Rule(("sql",), ("every", "stats")),
        # What a WHERE says; of the other direction `query` tells, as nothing is refused there.
        _Rule(("date", "book", "minutes", "start", "end"), ("sql",)),
        _Rule(("output",), ("file_format",), _contradict),
        _Rule(("file_format",), ("output",), _contradict),
    ),
    "report": _STATE,
    "alerts": _STATE,
    "verify": _STATE,
    "import": _STATE,
    "doctor": _EXCHANGE,
    "sim": (_Rule(("replay",), ("books", "seed")), _Rule(("books", "seed"), ("replay",))),
}
"""The rules of each command, by its name."""


def settle(context: typer.Context) -> list[str]:
    """Put aside what goes behind what is typed; give the names of these parameters."""
    gone: list[str] = []
    for rule in _RULES.get(context.command.name or "", ()):
        typed = [name for name in rule.typed if _is_asked(context, name, typed=True)]
        others = [name for name in rule.others if _is_asked(context, name, typed=False)]
        if typed and others and rule.excludes(context.params):
            for param in _params(context, others):
                say(f"{in_words(context, param)}, which does not bear on {_option(context, typed)}")
                _leave_out(context, param)
            gone += others
    return gone


def _is_asked(context: typer.Context, name: str, *, typed: bool) -> bool:
    """Tell whether an option is given, by the command line or else elsewhere."""
    source = context.get_parameter_source(name)
    if source is None or source.name == "DEFAULT" or is_typed(context, name) is not typed:
        return False
    value = context.params[name]
    # A flag that is taken back, --no-stats or false, asks for nothing.
    return value is not None and value is not False


def _params(context: typer.Context, names: list[str]) -> Iterator[Any]:
    return (param for param in context.command.params if param.name in names)


def _option(context: typer.Context, names: list[str]) -> str:
    (first, *_) = _params(context, names)
    return str(max(first.opts, key=len))


def _leave_out(context: typer.Context, param: Any) -> None:
    """Make it as if it had not been given."""
    context.params[param.name] = param.default
    source: Any = context.get_parameter_source(param.name)
    context.set_parameter_source(param.name, type(source).DEFAULT)
