"""The audit of dependencies in CI: what it makes of what pip-audit says, or does not say."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit"
SOUND = '{"dependencies": [{"name": "rich", "version": "15.0.0", "vulns": []}], "fixes": []}'
VULNERABLE = SOUND.replace("[]}]", '[{"id": "CVE-1", "fix_versions": ["15.0.1"], "aliases": []}]}]')
PASSED_OVER = '{"dependencies": [{"name": "rich", "skip_reason": "not found"}], "fixes": []}'

PipAudit = Callable[[str], Path]
"""Makes a pip-audit of these lines of Python."""


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not SCRIPT.is_file():
        pytest.skip("the scripts of CI are not part of this distribution")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("dependency_audit", str(SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "PYTHON", Path(sys.executable))
    return module


@pytest.fixture
def pip_audit(tmp_path: Path) -> PipAudit:
    def make(lines: str) -> Path:
        program = tmp_path / "pip-audit"
        program.write_text(f"#!{sys.executable}\nimport sys, time\n{lines}\n")
        program.chmod(0o700)
        return program

    return make


@pytest.mark.parametrize(
    ("lines", "status", "says"),
    [
        (f"print('{SOUND}')", 0, "audit: 1 of "),
        (f"print('{VULNERABLE}'); sys.exit(1)", 1, "rich 15.0.0: CVE-1, fixed in 15.0.1"),
        # Where the index knows none of them, it says that no vulnerability is known.
        (f"print('{PASSED_OVER}')", 0, "NOT DONE, dependencies were not checked: pypi knows none"),
        ("sys.exit('no route to host')", 0, "NOT DONE, dependencies were not checked: pypi: no"),
        ("time.sleep(60)", 0, "NOT DONE, dependencies were not checked: it took longer than 3 s"),
    ],
    ids=["sound", "vulnerable", "unknown to the index", "unreachable", "slow"],
)
def test_it_fails_on_a_known_vulnerability_and_says_when_nobody_could_be_asked(
    lines: str,
    status: int,
    says: str,
    audit: Any,
    pip_audit: PipAudit,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "sleep" in lines:
        monkeypatch.setattr(audit, "LIMIT_S", 3)
    assert audit.audit([str(pip_audit(lines))]) == status
    assert says in capsys.readouterr().out


def test_a_second_service_is_asked_where_the_first_knows_nothing(
    audit: Any, pip_audit: PipAudit, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = f"print('{VULNERABLE}' if 'osv' in sys.argv else '{PASSED_OVER}')"
    assert audit.audit([str(pip_audit(answers))]) == 1
    assert "1 vulnerable" in capsys.readouterr().out
