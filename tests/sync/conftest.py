"""The running server that the tests of the borders share."""

from collections.abc import Iterator

import pytest

from tests.fakes.served import Served, fresh_server


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """One real server for all tests of a worker: give each test its own people."""
    with fresh_server() as running:
        yield running
