"""What holds for every command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from bitso_spread import __version__
from bitso_spread.cli.app import app
from tests.cli.support import Run, commands

COMMANDS = commands()
README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_is_in_the_readme(name: str, run: Run) -> None:
    status, out, _ = run(*name.split(), "-h")
    assert status == 0
    assert re.search(rf"Example: bitso-spread {name}\b", out)
    first = name.partition(" ")[0]
    assert f"`{first}`" in README.read_text()
    assert COMMANDS[first].rich_help_panel in {"Record", "Look", "Ask", "Keep", "Set up"}


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_option_says_what_it_is_and_what_it_is_without_being_given(name: str) -> None:
    command = COMMANDS[name] if name else typer.main.get_command(app)
    for option in command.params:
        if option.name == "help":
            continue
        assert isinstance(option, (typer.core.TyperOption, typer.core.TyperArgument))
        assert option.help, option.name
        if isinstance(option, typer.core.TyperArgument):
            continue
        default = option.default not in (None, []) or isinstance(option.show_default, str)
        assert option.is_flag or default, f"{option.name} does not show its default"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "service"])
def test_hosts_and_what_is_tuned_stand_apart_in_the_help(name: str, run: Run) -> None:
    _, out, _ = run(*name.split(), "--help")
    options, _, advanced = out.partition("─ Advanced ─")
    for option in ("--rest-url", "--ws-url", "--table", "--host", "--max-stale", "--metrics-port"):
        assert f"{option} " not in options
    assert "--config FILE, --quiet, --verbose and --debug" in out
    for option in ("--lake", "--book", "--date", "--format"):
        assert f"│ {option} " not in advanced


@pytest.mark.parametrize("word", ["collect", "snapshot", "books", "query", "sim"])
def test_the_commands_of_the_readme_exist(word: str) -> None:
    assert word in COMMANDS


def test_the_version_is_the_package_s_own(run: Run) -> None:
    assert run("--version") == (0, f"bitso-spread {__version__}\n", "")


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bitso_spread", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"bitso-spread {__version__}\n"


def test_an_unknown_command_is_status_2(run: Run) -> None:
    status, out, err = run("colect")
    assert (status, out) == (2, "")
    assert "collect" in err


def test_an_unexpected_error_is_one_line_and_debug_shows_where(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("the sky\nfell")

    monkeypatch.setattr("bitso_spread.lake.layout.locate", fail)
    status, out, err = run("query", "--lake", str(tmp_path))
    assert (status, out) == (1, "")
    assert err == (
        "bitso-spread: unexpected ZeroDivisionError: the sky fell "
        "(bitso-spread --debug … shows where)\n"
    )
    monkeypatch.setattr(sys, "argv", ["bitso-spread", "--debug", "query"])
    from bitso_spread.cli import main

    with pytest.raises(ZeroDivisionError):
        main()


def test_completion_offers_the_commands() -> None:
    environ = {
        "COMP_WORDS": "bitso-spread col",
        "COMP_CWORD": "1",
        "_BITSO_SPREAD_COMPLETE": "complete_bash",
    }
    program = [sys.executable, "-m", "bitso_spread"]
    done = subprocess.run(program, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["collect"]


def test_every_module_says_what_it_holds() -> None:
    package = Path(__file__).parents[2] / "bitso_spread"
    silent = [path for path in package.rglob("*.py") if not path.read_text().startswith('"""')]
    assert silent == []
