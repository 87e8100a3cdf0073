from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.publish.brokers import Brokers


@pytest.fixture
def brokers() -> Iterator[Brokers]:
    """Two brokers without a topic."""
    with Brokers(2) as cluster:
        yield cluster
