"""Where the webhook comes from, and that nothing shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitso_spread.alerts.config import Webhook, find_webhook
from bitso_spread.errors import UsageError
from bitso_spread.plan import AlertPlan
from bitso_spread.settings_files import read_settings
from tests.alerts.support import SECRET

WORD = SECRET.rpartition("/")[2]
URL = f"https://hooks.example.com/services/{SECRET}"


def put(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "bitso-spread" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_environment_goes_before_the_file_and_an_empty_text_is_none(tmp_path: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert find_webhook(home) is None
    put(tmp_path, '[alerts]\nwebhook = "https://other.example.com/x"\n')
    found = find_webhook(home)
    assert found is not None
    assert found.host == "other.example.com"
    found = find_webhook({**home, "BITSO_SPREAD_ALERT_WEBHOOK": f" {URL}\n"})
    assert found is not None
    assert found.url == URL
    assert find_webhook({**home, "BITSO_SPREAD_ALERT_WEBHOOK": ""}) is None


def test_a_file_may_be_named_and_then_must_be_there(tmp_path: Path) -> None:
    named = put(tmp_path, f'[alerts]\nwebhook = "{URL}"\n')
    assert read_settings(environ={"BITSO_SPREAD_CONFIG": str(named)})[0].path == named
    found = find_webhook({"BITSO_SPREAD_CONFIG": str(named)})
    assert found is not None
    with pytest.raises(UsageError, match="there is no such file"):
        find_webhook({"BITSO_SPREAD_CONFIG": str(tmp_path / "none.toml")})


def test_an_account_without_a_home_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(_: Path) -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "expanduser", homeless)
    assert find_webhook({}) is None


def test_a_file_that_others_may_read_is_refused_with_what_to_type(tmp_path: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    for mode in (0o644, 0o640, 0o604):
        path = put(tmp_path, f'[alerts]\nwebhook = "{URL}"\n', mode)
        with pytest.raises(UsageError, match=f"chmod 600 {path}") as refused:
            find_webhook(home)
        assert SECRET not in str(refused.value)
    # Without a secret in it, it is nobody's business.
    put(tmp_path, "[collect]\nlake = 'data'\n", 0o644)
    assert find_webhook(home) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[alerts", "is not TOML"),
        ("[alerts]\nwebhook = 5\n", "must be a text in quotes"),
        (f'[alerts]\nwebhook = "{SECRET}"\n', "is not a URL"),
    ],
)
def test_a_file_that_makes_no_sense_is_named_without_what_it_holds(
    text: str, says: str, tmp_path: Path
) -> None:
    path = put(tmp_path, text)
    with pytest.raises(UsageError, match=says) as refused:
        find_webhook({"XDG_CONFIG_HOME": str(tmp_path)})
    assert str(path) in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "url", [SECRET, f"ftp://example.com/{SECRET}", f"https:///{SECRET}", f"https://a b/{SECRET}",
            f"https://example.com:port/{SECRET}", f"https://example.com/{SECRET}é",
            f"https://hooks..example.com/{SECRET}", f"https://xn--/{SECRET}",
            f"https://{'a' * 64}.com/{SECRET}", f"https://[::1]x/{SECRET}",
            f"https://example.com/{'x' * 70_000}{SECRET}"],
)  # fmt: skip
def test_what_is_no_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="BITSO_SPREAD_ALERT_WEBHOOK is not a URL") as refused:
        find_webhook({"BITSO_SPREAD_ALERT_WEBHOOK": url})
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "127.0.0.1.example.com"])
def test_only_this_machine_may_be_plain(host: str) -> None:
    with pytest.raises(UsageError, match="use https"):
        Webhook(f"http://{host}/{SECRET}")
    for own in ("127.0.0.1", "localhost", "[::1]"):
        assert Webhook(f"http://{own}:9/{SECRET}").is_loopback


def test_only_its_host_is_ever_shown() -> None:
    webhook = Webhook(f"https://user:{WORD}@hooks.example.com:8443/{SECRET}?key={WORD}")
    assert str(webhook) == "https://hooks.example.com/…"
    assert WORD not in repr(webhook) + repr(AlertPlan(webhook=webhook))
