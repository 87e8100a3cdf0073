"""A webhook for each test that wants one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.alerts.support import Hook, webhook


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook() as running:
        yield running
