"""Fixtures of the whole-product flows: a real server and devices with data directories of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.folders import open_folder
from tests.flows.homing_process import Device, Server, serving


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One `homing serve` for all flows of a worker."""
    with open_folder() as data_dir, serving(data_dir) as running:
        yield running


@pytest.fixture
def device(tmp_path: Path) -> Callable[[str], Device]:
    """A maker of devices by name, whose commands run in this process."""
    return lambda name: Device(tmp_path / name, in_process=True)


@pytest.fixture
def computer(tmp_path: Path) -> Callable[[str], Device]:
    """A maker of devices by name, whose commands run in processes of their own."""
    return lambda name: Device(tmp_path / name)
