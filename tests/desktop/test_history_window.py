"""History that is on the server and not here yet, as a person scrolls into it."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtQuick import QQuickItem

from storage import chats
from storage.exchange import HistoryPage
from storage.inbound import history
from storage.records import AccountId, ChatId, Hole
from storage.standing import held
from storage.store import Transaction
from sync.status import Phase, SyncStatus
from tests.desktop.conftest import Driver
from tests.fakes.changes import message_change
from tests.fakes.service import URL


class Server:
    """A chat of many messages on a server, of which this computer holds what it was given."""

    def __init__(self, driver: Driver, length: int) -> None:
        account = driver.desktop.parts.account
        account.sign_in(URL, "key", "ada@example.org", "secret")
        driver.until(lambda: bool(account.signedIn))
        assert account.account is not None
        self.driver = driver
        self.account: AccountId = account.account.account_id

        def job(tx: Transaction) -> ChatId:
            chat = chats.create(tx, "Long", account_id=self.account)
            held.known(tx, chat.chat_id, length)
            return chat.chat_id

        self.chat_id = driver.desktop.store.write(job).result()

    def give(self, first: int, last: int) -> None:
        """These numbers arrive."""
        rows = [message_change(n, self.chat_id, f"m{n}", n, f"message {n}") for n in range(first, last + 1)]
        page = HistoryPage("epoch-1", tuple(rows), (Hole(self.chat_id, first, last),))
        assert self.driver.desktop.store.write(lambda tx: history.apply(tx, self.account, page)).result()

    def wants(self) -> list[str]:
        """Below which numbers the window asked for messages."""
        return [call[2] for call in self.driver.service.calls if call[0] == "want_history"]

    def open(self) -> None:
        self.driver.desktop.view_model.open(self.chat_id)


@pytest.fixture
def server(driver: Driver) -> Server:
    return Server(driver, 300)


def plains(driver: Driver) -> list[str]:
    return [row.plain or row.badge_text for row in driver.rows]


def numbers(first: int, last: int) -> list[str]:
    return [f"message {n}" for n in range(last, first - 1, -1)]


def delegates(view: QQuickItem) -> Iterator[QQuickItem]:
    content = view.property("contentItem")
    yield from (item for item in content.childItems() if item.property("messageId"))


def test_a_chat_whose_messages_are_not_here_opens_and_asks_for_them(driver: Driver, server: Server) -> None:
    server.open()
    assert plains(driver) == ["Fetching messages…"]
    assert server.wants() == ["301"]
    driver.until(lambda: driver.shown("historyRow"))
    driver.until(lambda: [row.mark for row in driver.desktop.parts.chats.rows] == [""])
    server.give(251, 300)
    driver.until(lambda: plains(driver) == [*numbers(251, 300), "Fetching older messages…"])


def test_scrolling_into_a_hole_fills_it_without_moving_what_is_read(driver: Driver, server: Server) -> None:
    server.give(251, 300)
    server.open()
    view = driver.item("timeline")
    driver.until(lambda: view.property("contentHeight") > 1000)
    view.setProperty("_stick", False)
    view.setProperty("contentY", float(view.property("originY")))
    driver.until(lambda: driver.shown("historyRow") and server.wants() == ["251"])
    driver.window.grabWindow()

    def places() -> dict[str, float]:
        return {
            str(item.property("messageId")): item.mapToItem(view, QPointF(0, 0)).y()
            for item in delegates(view)
            if 0 <= item.mapToItem(view, QPointF(0, 0)).y() < view.height()
        }

    before = places()
    server.give(201, 250)
    driver.until(lambda: "message 201" in plains(driver))
    driver.window.grabWindow()
    after = places()
    assert before
    assert {name: round(after[name] - y) for name, y in before.items()} == dict.fromkeys(before, 0)
    assert plains(driver) == [*numbers(201, 300), "Fetching older messages…"]


def test_offline_what_is_held_below_a_hole_is_shown_behind_it(driver: Driver, server: Server) -> None:
    server.give(1, 5)
    server.give(296, 300)
    server.open()
    assert plains(driver) == [*numbers(296, 300), "Fetching older messages…"]
    driver.service.publish(SyncStatus(Phase.OFFLINE))
    note = "Older messages are on the server. They come when you are online."
    driver.until(lambda: plains(driver) == [*numbers(296, 300), note, *numbers(1, 5)])

    driver.service.publish(SyncStatus(Phase.SYNCED))
    driver.until(lambda: plains(driver)[5] == "Fetching older messages…")
    assert server.wants()[-1] == "296"
    server.give(6, 295)
    driver.until(lambda: plains(driver)[:50] == numbers(251, 300))
    while driver.desktop.parts.timeline.rows[-1].plain != "message 1":
        driver.desktop.parts.timeline.load_older()
    assert plains(driver) == numbers(1, 300)


def test_a_hole_is_asked_for_once_and_again_when_it_has_shrunk(driver: Driver, server: Server) -> None:
    server.give(251, 300)
    server.open()
    timeline = driver.desktop.parts.timeline
    for _ in range(3):
        timeline.load_older()
    assert server.wants() == ["251"]
    server.give(241, 250)
    driver.until(lambda: "message 241" in plains(driver))
    timeline.load_older()
    assert server.wants() == ["251", "241"]


def test_the_way_back_to_the_present_stops_at_a_hole(driver: Driver) -> None:
    server = Server(driver, 600)
    server.give(1, 600)
    server.open()
    timeline = driver.desktop.parts.timeline
    while timeline.rows[-1].plain != "message 1":
        timeline.load_older()
    assert not timeline.atNewest
    driver.desktop.store.write(lambda tx: held.known(tx, server.chat_id, 900)).result()
    server.give(801, 900)
    for _ in range(10):
        timeline.load_newer()
    assert (timeline.rows[0].plain, bool(timeline.atNewest)) == ("message 600", False)
    assert server.wants()[-1] == "801"
    server.give(601, 800)
    while not timeline.atNewest:
        timeline.load_newer()
    assert plains(driver)[:400] == numbers(501, 900)
