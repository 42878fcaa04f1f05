"""What is set aside, and what a person can do about it, with the keyboard alone."""

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication

from storage.outbound import outbox
from storage.records import ChatId, MessageId
from storage.store import Transaction
from sync.status import Phase, SyncStatus
from tests.desktop.conftest import Driver
from tests.fakes.service import URL

Key = Qt.Key


def refuse(driver: Driver, text: str = "poison", reason: str = "too strange: shorten it") -> MessageId:
    """A message that the server did not take, in the open chat."""
    driver.say(text)
    chat_id, message_id = ChatId(driver.desktop.view_model.current_chat_id), driver.rows[0].message_id
    driver.desktop.store.write(lambda tx: outbox.set_aside(tx, chat_id, [message_id], reason)).result()
    driver.until(lambda: driver.rows[0].badge == "rejected")
    return message_id


def conflict(driver: Driver, mine: str, theirs: str) -> MessageId:
    """A message whose id belongs to another text on the server."""
    message_id = refuse(driver, mine)
    chat_id = ChatId(driver.desktop.view_model.current_chat_id)

    def job(tx: Transaction) -> None:
        tx.db.execute(
            "insert into conflicts (chat_id, message_id, sequence_num, role, content, status, revision, "
            "generation, created_at) values (?, ?, 1, 'user', ?, 'complete', 1, 0, ?)",
            (chat_id, message_id, f'[{{"type":"text","text":"{theirs}"}}]', tx.now()),
        )
        tx.touch_messages(chat_id)

    driver.desktop.store.write(job).result()
    driver.until(lambda: driver.rows[0].badge == "conflict")
    return message_id


def to_timeline(driver: Driver) -> None:
    driver.until(lambda: driver.shown("badge"))
    driver.press(Key.Key_Tab)
    driver.tab_to("message")


def test_retry_by_keyboard(driver: Driver) -> None:
    message_id = refuse(driver)
    assert driver.rows[0].badge_text == "Set aside: too strange: shorten it"
    assert driver.desktop.parts.chats.rows[0].mark == "rejected"
    to_timeline(driver)
    driver.tab_to("retryButton")
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.rows[0].badge == "pending")
    assert driver.service.calls == [("retry", message_id)]


def test_edit_and_resend_takes_the_old_place_under_a_new_id(driver: Driver) -> None:
    message_id = refuse(driver)
    driver.item("composer").forceActiveFocus()
    driver.say("a later one")
    to_timeline(driver)
    driver.press(Key.Key_Up)
    driver.tab_to("editButton")
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.focused() == "messageEditor")
    assert driver.item("messageEditor").property("text") == "poison"
    driver.type(", but milder")
    driver.press(Key.Key_Return)
    driver.until(lambda: [row.plain for row in driver.rows] == ["a later one", "poison, but milder"])
    assert driver.rows[1].badge == "pending"
    assert driver.rows[1].message_id != message_id
    driver.until(lambda: driver.focused() == "message")


def test_an_edit_waits_while_another_chat_is_open_and_escape_drops_it(driver: Driver) -> None:
    message_id = refuse(driver)
    chat_id = driver.desktop.view_model.current_chat_id
    driver.desktop.parts.asides.edit(message_id)
    driver.until(lambda: driver.focused() == "messageEditor")
    driver.type("!")
    driver.desktop.view_model.new_chat()
    driver.until(lambda: not driver.shown("messageEditor"))
    driver.desktop.view_model.open(chat_id)
    driver.until(lambda: driver.shown("messageEditor"))
    assert driver.item("messageEditor").property("text") == "poison!"
    driver.item("messageEditor").forceActiveFocus()
    driver.press(Key.Key_Escape)
    driver.until(lambda: not driver.shown("messageEditor"))
    assert [(row.plain, row.badge) for row in driver.rows] == [("poison", "rejected")]


def test_copy_and_delete_asked_once(driver: Driver) -> None:
    refuse(driver)
    to_timeline(driver)
    driver.tab_to("copyAsideButton")
    driver.press(Key.Key_Return)
    assert QGuiApplication.clipboard().text() == "poison"
    driver.tab_to("deleteButton")
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.focused() == "keepMessageButton")
    driver.press(Key.Key_Return)
    driver.until(lambda: not driver.shown("confirmDeleteButton") and driver.focused() == "message")
    assert len(driver.rows) == 1
    driver.tab_to("deleteButton")
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.focused() == "keepMessageButton")
    driver.tab_to("confirmDeleteButton")
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.rows == [])


@pytest.mark.parametrize(
    ("button", "left"),
    [
        ("keepMineButton", [("mine", "pending"), ("theirs", "synced")]),
        ("keepTheirsButton", [("theirs", "synced")]),
    ],
)
def test_of_two_texts_nothing_is_chosen_for_the_person(
    driver: Driver, button: str, left: list[tuple[str, str]]
) -> None:
    conflict(driver, "mine", "theirs")
    to_timeline(driver)
    driver.tab_to("compareButton")
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.focused() == "decideLaterButton")
    assert driver.item("keepMineText").property("text") == "mine"
    assert driver.item("keepTheirsText").property("text") == "theirs"
    driver.press(Key.Key_Return)
    driver.until(lambda: not driver.shown("keepMineButton"))
    assert [(row.plain, row.badge) for row in driver.rows] == [("mine", "conflict")]

    driver.desktop.view_model.compare(driver.rows[0].message_id)
    driver.until(lambda: driver.shown(button))
    driver.tab_to(button)
    driver.press(Key.Key_Return)
    driver.until(lambda: [(row.plain, row.badge) for row in driver.rows] == left)


def test_the_two_texts_are_stacked_where_there_is_no_room(driver: Driver) -> None:
    conflict(driver, "mine", "theirs")
    driver.window.setWidth(480)
    driver.desktop.view_model.compare(driver.rows[0].message_id)
    driver.until(lambda: driver.shown("keepMineButton"))

    def left(name: str) -> float:
        return driver.item(name).mapToScene(QPointF(0, 0)).x()

    driver.until(lambda: abs(left("keepMineText") - left("keepTheirsText")) < 1)


def test_the_status_line_leads_to_what_is_set_aside_and_retries_all(driver: Driver) -> None:
    driver.desktop.parts.account.sign_in(URL, "key", "ada@example.org", "secret")
    driver.until(lambda: bool(driver.desktop.parts.account.signedIn))
    refuse(driver)
    chat_id = driver.desktop.view_model.current_chat_id
    driver.desktop.view_model.new_chat()
    driver.service.publish(SyncStatus(Phase.SYNCED, rejected=1))
    driver.until(lambda: driver.item("syncStatus").property("text") == "1 message set aside")
    driver.click("syncStatus")
    driver.until(lambda: driver.shown("showAsideButton"))
    driver.click("showAsideButton")
    driver.until(
        lambda: driver.desktop.view_model.current_chat_id == chat_id and driver.focused() == "message"
    )
    driver.click("syncStatus")
    driver.until(lambda: driver.shown("retryAllButton"))
    driver.click("retryAllButton")
    driver.until(lambda: driver.rows[0].badge == "pending")
