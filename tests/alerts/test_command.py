"""The user's command: what it reads, how long it may take, and what it does not get to see."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from bitso_spread.alerts.command import CommandChannel, parse_command
from bitso_spread.errors import UsageError
from tests.alerts.support import SECRET, eventually


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def test_it_reads_the_message_as_json_and_writes_to_nobody(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read()); print('noise')"
    attempt = CommandChannel(python(code, out)).send({"text": "wide"})
    assert attempt.is_sent
    assert json.loads(out.read_text()) == {"text": "wide"}
    assert capfd.readouterr() == ("", "")


def test_one_that_fails_says_how_and_its_last_word() -> None:
    code = "import sys; print('first', file=sys.stderr); sys.exit('no such user')"
    attempt = CommandChannel(python(code)).send({})
    name = Path(sys.executable).name
    assert attempt.said == f"{name} ended with 1: no such user"
    assert (attempt.is_sent, attempt.may_pass) == (False, False)


def test_one_that_does_not_read_is_no_trouble() -> None:
    assert CommandChannel(["/bin/true"]).send({"text": "x" * 1_000_000}).is_sent


def test_one_that_takes_too_long_is_killed_with_what_it_has_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    line = f"sleep 60 & echo $! > {pid}; wait"
    began = time.monotonic()
    attempt = CommandChannel(["/bin/sh", "-c", line], time_limit_s=0.5).send({})
    assert attempt.said == "sh was killed: it took over 0.5 s"
    assert time.monotonic() - began < 30
    eventually(lambda: is_gone(int(pid.read_text())))


def test_one_that_runs_can_be_ended_from_another_thread() -> None:
    channel = CommandChannel(["/bin/sleep", "60"])
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(channel.send({}).said))
    thread.start()
    eventually(lambda: channel._running is not None)
    channel.close()
    thread.join(20)
    assert said == ["sleep ended with -9"]


def test_it_does_not_get_to_see_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("BITSO_SPREAD_ALERT_WEBHOOK", "BITSO_API_KEY", "BITSO_API_SECRET")
    for name in names:
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("BITSO_SPREAD_TZ", "UTC")
    out = tmp_path / "out"
    CommandChannel(["/bin/sh", "-c", f"env > {out}"]).send({})
    assert SECRET not in out.read_text()
    assert "BITSO_SPREAD_TZ=UTC" in out.read_text()


def test_a_line_is_split_as_a_shell_does_and_no_shell_runs_it(tmp_path: Path) -> None:
    program, *rest = parse_command("echo 'two words' $HOME; touch x")
    assert os.path.isabs(program)  # noqa: PTH117  (a text)
    assert rest == ["two words", "$HOME;", "touch", "x"]
    assert CommandChannel([program, *rest]).send({}).is_sent
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("line", "says"),
    [("", "is empty"), ("echo 'x", "cannot be read"), ("no-such-program x", "sh -c")],
)
def test_a_line_that_names_no_program_is_refused_at_once(line: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_command(line)


def test_a_line_that_is_refused_is_not_repeated_for_it_may_hold_a_token() -> None:
    with pytest.raises(UsageError) as refused:
        parse_command(f"curl -H 'Authorization: Bearer {SECRET}")
    assert SECRET not in str(refused.value)


def test_a_program_that_has_gone_is_told() -> None:
    attempt = CommandChannel(["/nowhere/notify"]).send({})
    assert attempt.said == "notify cannot be started: No such file or directory"


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"
