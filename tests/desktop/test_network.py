"""The system's word on the network, passed on as the hint that it is."""

import pytest
from PySide6.QtNetwork import QNetworkInformation
from pytestqt.qtbot import QtBot

from desktop.network import Network
from tests.desktop.conftest import Driver

Reachability = QNetworkInformation.Reachability


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        ([Reachability.Online], []),
        ([Reachability.Unknown, Reachability.Site], []),
        ([Reachability.Disconnected, Reachability.Disconnected], [False]),
        ([Reachability.Disconnected, Reachability.Local], [False, True]),
    ],
)
def test_only_a_plain_no_and_its_end_are_passed_on(
    qtbot: QtBot, heard: list[Reachability], told: list[bool]
) -> None:
    network = Network()
    said: list[bool] = []
    network.changed.connect(said.append)
    for each in heard:
        network.hear(each)
    assert said == told


def test_a_system_that_cannot_tell_says_nothing(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QNetworkInformation, "loadBackendByFeatures", lambda _: False)
    network = Network()
    said: list[bool] = []
    network.changed.connect(said.append)
    network.start()
    assert said == []


def test_the_service_hears_of_the_network(driver: Driver) -> None:
    driver.desktop.network.changed.emit(False)
    driver.until(lambda: ("network_changed", "False") in driver.service.calls)
