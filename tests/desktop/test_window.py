"""A person at the real window, over a real store; only the network is a stand-in."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, QObject, Qt
from PySide6.QtGui import QAccessible, QGuiApplication
from PySide6.QtQuick import QQuickItem
from PySide6.QtTest import QAbstractItemModelTester

from storage import chats, messages
from storage.records import Role
from sync.errors import SignInAgain
from sync.status import Phase, SyncStatus
from tests.desktop.conftest import Driver, OpenWindow

Key = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def spoken(item: QQuickItem) -> Iterator[str]:
    """The accessible names below an item, as a screen reader walks them."""
    interface = QAccessible.queryAccessibleInterface(item)
    if interface is not None:
        yield interface.text(QAccessible.Text.Name)
    for child in item.childItems():
        if child.isVisible():
            yield from spoken(child)


def fill(driver: Driver, count: int, title: str = "Long") -> str:
    """A chat of that many messages, open in the window."""
    store = driver.desktop.store
    chat = store.write(lambda tx: chats.create(tx, title)).result()

    def job(tx: object) -> None:
        for i in range(count):
            messages.commit(tx, chat.chat_id, f"message {i}", role=Role.USER)  # type: ignore[arg-type]

    store.write(job).result()
    driver.desktop.view_model.open(chat.chat_id)
    return chat.chat_id


def test_the_window_opens_with_the_caret_in_the_composer(driver: Driver) -> None:
    assert driver.focused() == "composer"
    assert driver.item("composer").property("cursorVisible")


@pytest.mark.parametrize(
    "name",
    [
        "composer", "sendButton", "timeline", "chatList", "newChatButton", "searchField", "syncStatus",
        "accountButton", "settingsButton",
    ],
)  # fmt: skip
def test_every_name_of_the_contract_is_there(driver: Driver, name: str) -> None:
    assert driver.window.findChild(QObject, name) is not None or driver.item(name) is not None


def test_enter_makes_a_row_that_says_it_is_not_synced(driver: Driver) -> None:
    driver.say("hello")
    (row,) = driver.rows
    assert (row.plain, row.badge, row.badge_text) == ("hello", "pending", "Saved here · not yet synced")
    assert driver.desktop.parts.chats.rows[0].title == "hello"
    assert driver.desktop.parts.chats.rows[0].mark_count == 1
    assert driver.desktop.view_model.title == "hello"


def test_what_was_sent_is_there_after_a_restart(open_window: OpenWindow) -> None:
    open_window().say("hello")
    again = open_window()
    assert [(row.plain, row.badge) for row in again.rows] == [("hello", "pending")]


def test_shift_enter_breaks_the_line(driver: Driver) -> None:
    driver.type("a")
    driver.press(Key.Key_Return, SHIFT)
    driver.type("b")
    assert driver.text == "a\nb"
    assert driver.rows == []


def test_a_line_feed_from_an_odd_keyboard_sends_too(driver: Driver) -> None:
    driver.type("hello\n")
    driver.until(lambda: len(driver.rows) == 1 and driver.text == "")


def test_quick_typing_across_enter_keeps_messages_apart_and_in_order(driver: Driver) -> None:
    for text in ("one", "two", "three"):
        driver.type(text)
        driver.press(Key.Key_Return)
    driver.until(lambda: [row.plain for row in driver.rows] == ["three", "two", "one"])
    driver.until(lambda: driver.text == "")


@pytest.mark.parametrize("blank", ["", "   ", "\n\n"])
def test_a_blank_composer_sends_nothing(driver: Driver, blank: str) -> None:
    driver.item("composer").setProperty("text", blank)
    assert not driver.item("sendButton").isEnabled()
    driver.press(Key.Key_Return)
    assert driver.desktop.parts.timeline.count == 0


def test_the_send_button_sends_and_gives_the_caret_back(driver: Driver) -> None:
    driver.type("hello")
    driver.click("sendButton")
    driver.until(lambda: len(driver.rows) == 1)
    assert driver.focused() == "composer"


def test_drafts_belong_to_their_chats_and_survive_a_restart(open_window: OpenWindow) -> None:
    driver = open_window()
    driver.say("first chat")
    driver.type("half a thought")
    driver.press(Key.Key_N, CTRL)
    assert driver.text == ""
    driver.type("a new one")
    again = open_window()
    assert again.text == "a new one"
    again.desktop.view_model.open(again.desktop.parts.chats.rows[0].chat_id)
    assert again.text == "half a thought"


def test_a_draft_is_on_the_disk_without_closing(driver: Driver, store_file: Path) -> None:
    driver.say("hello")
    driver.type("draft")
    with sqlite3.connect(store_file) as db:
        driver.until(lambda: db.execute("select text from drafts").fetchall() == [("draft",)])
    db.close()


def test_a_message_that_cannot_be_stored_stays_with_one_line_of_why(driver: Driver) -> None:
    too_long = "A line that a person could have pasted.\n" * 30_000
    driver.item("composer").setProperty("text", too_long)
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.shown("composerError"))
    assert driver.text == too_long
    error = str(driver.item("composerError").property("notice"))
    assert error
    assert "\n" not in error
    driver.item("composer").setProperty("text", "short")
    driver.press(Key.Key_Return)
    driver.until(lambda: len(driver.rows) == 1 and driver.text == "" and not driver.shown("composerError"))


def test_a_chat_of_5000_opens_on_its_newest_page_and_reaches_its_first(driver: Driver) -> None:
    fill(driver, 5000)
    timeline = driver.desktop.parts.timeline
    assert timeline.rows[0].plain == "message 4999"
    assert timeline.count == 50
    pages = 0
    while timeline.rows[-1].plain != "message 0":
        timeline.load_older()
        pages += 1
        assert timeline.count <= 400
    assert pages == 99
    assert not timeline.atNewest
    while not timeline.atNewest:
        timeline.load_newer()
    assert [row.plain for row in timeline.rows] == [f"message {i}" for i in range(4999, 4599, -1)]


def test_scrolling_up_reads_older_pages_and_the_button_jumps_back(driver: Driver) -> None:
    fill(driver, 1000)
    view = driver.item("timeline")
    driver.until(lambda: view.property("contentHeight") > 1000)
    for _ in range(40):
        view.setProperty("contentY", float(view.property("originY")))
        driver.qtbot.waitUntil(lambda: True)
        QGuiApplication.processEvents()
    assert driver.desktop.parts.timeline.count > 200
    driver.desktop.parts.timeline.jump_to_newest()
    view.setProperty("_stick", False)
    view.setProperty("contentY", float(view.property("originY")))
    driver.until(lambda: driver.shown("jumpButton"))
    driver.click("jumpButton")
    driver.until(lambda: view.property("_below") < 30)
    assert driver.rows[0].plain == "message 999"


def test_the_view_stays_where_the_person_reads_when_messages_arrive(driver: Driver) -> None:
    chat_id = fill(driver, 200)
    view = driver.item("timeline")
    driver.until(lambda: view.property("contentHeight") > 1000)
    view.setProperty("_stick", False)
    view.setProperty("contentY", float(view.property("contentY")) - 700)
    above = view.property("contentY") - view.property("originY")
    driver.desktop.store.write(lambda tx: messages.commit(tx, chat_id, "news"))  # type: ignore[arg-type]
    driver.until(lambda: driver.rows[0].plain == "news")
    assert abs(view.property("contentY") - view.property("originY") - above) < 2
    assert view.property("_below") > 100


def test_models_keep_qt_contract_through_a_session(driver: Driver) -> None:
    mode = QAbstractItemModelTester.FailureReportingMode.Warning
    models: tuple[QAbstractItemModel, ...] = (driver.desktop.parts.chats, driver.desktop.parts.timeline)
    testers = [QAbstractItemModelTester(model, mode) for model in models]
    driver.say("one")
    driver.say("two")
    driver.press(Key.Key_N, CTRL)
    driver.say("three")
    fill(driver, 500)
    for _ in range(9):
        driver.desktop.parts.timeline.load_older()
    driver.desktop.parts.timeline.load_newer()
    driver.desktop.parts.chats.rename(driver.desktop.parts.chats.rows[-1].chat_id, "renamed")
    driver.until(lambda: driver.desktop.parts.chats.rows[-1].title == "renamed")
    assert len(testers) == 2


def test_a_message_set_aside_says_why_and_retry_queues_it_again(driver: Driver) -> None:
    driver.say("poison")
    row = driver.rows[0]
    chat_id = driver.desktop.view_model.current_chat_id

    def reject(tx: object) -> None:
        from storage.outbound import outbox

        outbox.set_aside(tx, chat_id, [row.message_id], "too strange: shorten it")  # type: ignore[arg-type]

    driver.desktop.store.write(reject)
    driver.until(lambda: driver.rows[0].badge == "rejected")
    assert driver.rows[0].badge_text == "Set aside: too strange: shorten it"
    assert driver.desktop.parts.chats.rows[0].mark == "rejected"
    driver.until(lambda: driver.shown("retryButton"))
    driver.click("retryButton")
    driver.until(lambda: driver.rows[0].badge == "pending")
    assert driver.service.calls == [("retry", row.message_id)]


def test_another_process_s_message_appears_by_itself(driver: Driver, store_file: Path) -> None:
    from storage.store import Store

    driver.say("mine")
    other = Store.open(store_file)
    other.write(lambda tx: messages.commit(tx, driver.desktop.view_model.current_chat_id, "theirs")).result()  # type: ignore[arg-type]
    other.close()
    driver.until(lambda: [row.plain for row in driver.rows] == ["theirs", "mine"])


def test_rename_by_f2(driver: Driver) -> None:
    driver.say("hello")
    driver.press(Key.Key_F2)
    driver.until(lambda: driver.focused() == "renameField")
    driver.type("Lisbon")
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.desktop.view_model.title == "Lisbon")
    assert not driver.shown("renameField")


def test_escape_leaves_the_title_as_it_was(driver: Driver) -> None:
    driver.say("hello")
    driver.press(Key.Key_F2)
    driver.until(lambda: driver.focused() == "renameField")
    driver.type("Lisbon")
    driver.press(Key.Key_Escape)
    driver.until(lambda: not driver.shown("renameField"))
    assert driver.desktop.view_model.title == "hello"


def test_ctrl_k_filters_titles_and_enter_opens_the_first(driver: Driver) -> None:
    for text in ("apples", "pears", "plums"):
        driver.say(text)
        driver.press(Key.Key_N, CTRL)
    driver.press(Key.Key_K, CTRL)
    assert driver.focused() == "searchField"
    driver.type("PEAR")
    driver.until(lambda: [row.title for row in driver.desktop.parts.chats.rows] == ["pears"])
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.desktop.view_model.title == "pears")
    assert driver.focused() == "composer"


@pytest.mark.parametrize("dark", [False, True])
def test_both_themes_paint(driver: Driver, dark: bool) -> None:
    driver.desktop.parts.preferences.choose_theme("dark" if dark else "light")
    driver.until(lambda: (driver.window.color().lightness() < 128) is dark)
    image = driver.window.grabWindow()
    assert (image.pixelColor(image.width() - 40, image.height() // 2).lightness() < 128) is dark


def test_the_theme_is_remembered(open_window: OpenWindow) -> None:
    open_window().desktop.parts.preferences.choose_theme("dark")
    assert open_window().desktop.parts.preferences.dark


def test_the_window_keeps_its_size(open_window: OpenWindow) -> None:
    open_window().window.resize(640, 560)
    assert open_window().window.width() == 640


def test_a_screen_reader_hears_each_message_and_each_control(driver: Driver) -> None:
    driver.say("hello")
    names = set(spoken(driver.item("timeline"))) | set(spoken(driver.window.contentItem()))
    assert any(name.startswith("You, ") and "hello" in name and "not yet synced" in name for name in names)
    assert {"Message", "Send", "Chats", "Messages", "New chat", "Settings", "Sign in"} <= names


def test_a_narrow_window_hides_the_list_in_a_drawer(driver: Driver) -> None:
    driver.window.setWidth(420)
    driver.until(lambda: driver.shown("chatsButton") and not driver.shown("chatList"))
    driver.click("chatsButton")
    driver.until(lambda: driver.shown("chatList"))
    driver.press(Key.Key_Escape)
    driver.until(lambda: not driver.shown("chatList"))
    assert driver.focused() == "composer"


def test_sign_in_asks_about_signed_out_chats_by_keyboard_alone(driver: Driver) -> None:
    driver.say("written signed out")
    for _ in range(30):
        if driver.focused() == "accountButton":
            break
        driver.press(Key.Key_Tab)
    assert driver.focused() == "accountButton"
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.focused() == "serverField")
    for text in ("http://127.0.0.1:8787", "key", "ada@example.org", "secret"):
        driver.type(text)
        driver.press(Key.Key_Return)
    driver.until(lambda: driver.focused() == "adoptButton")
    assert driver.item("adoptButton").property("text") == "Move 1 chat"
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.focused() == "composer")
    assert [call[0] for call in driver.service.calls] == ["sign_in", "adopt"]
    assert driver.desktop.parts.account.email == "ada@example.org"
    assert not driver.desktop.parts.chats.rows[0].local_only
    assert driver.desktop.parts.sync.line == "Synced"


def test_a_refused_sign_in_is_one_line_in_the_dialog(driver: Driver) -> None:
    driver.click("accountButton")
    driver.until(lambda: driver.focused() == "serverField")
    driver.click("signInButton")
    driver.until(lambda: "server's address" in str(driver.item("accountError").property("text")))
    driver.service.refuse = SignInAgain("The e-mail or the password is wrong: check both.")
    driver.desktop.parts.account.sign_in("http://127.0.0.1:1", "key", "ada@example.org", "wrong")
    driver.until(lambda: "password is wrong" in str(driver.item("accountError").property("text")))
    assert not driver.desktop.parts.account.busy
    driver.press(Key.Key_Escape)
    driver.until(lambda: driver.focused() == "composer")


def test_keeping_chats_here_marks_them(driver: Driver) -> None:
    driver.say("private")
    driver.desktop.parts.account.sign_up("http://127.0.0.1:8787", "key", "ada@example.org", "secret")
    driver.until(lambda: driver.desktop.parts.account.step == "adoption")
    driver.desktop.parts.account.keep_here()
    driver.until(lambda: driver.desktop.parts.chats.rows[0].local_only)


def test_the_status_line_speaks_and_opens_its_details(driver: Driver) -> None:
    assert "Sign in to sync" in str(driver.item("syncStatus").property("text"))
    driver.click("syncStatus")
    driver.until(lambda: driver.shown("statusSignInButton"))
    driver.press(Key.Key_Escape)
    driver.until(lambda: not driver.shown("statusSignInButton"))
    driver.desktop.parts.account.sign_in("http://127.0.0.1:8787", "key", "ada@example.org", "secret")
    driver.until(lambda: driver.desktop.parts.sync.line == "Synced")
    driver.service.publish(SyncStatus(Phase.OFFLINE, pending=7))
    driver.until(lambda: driver.item("syncStatus").property("text") == "Offline · 7 messages not yet synced")
    driver.click("syncStatus")
    driver.until(lambda: driver.shown("syncNowButton"))
    driver.click("syncNowButton")
    driver.until(lambda: ("sync_now",) in driver.service.calls)


def test_settings_open_by_key_and_close_by_escape(driver: Driver) -> None:
    driver.press(Key.Key_Comma, CTRL)
    driver.until(lambda: driver.shown("openFolderButton"))
    driver.click("choice-dark")
    driver.until(lambda: bool(driver.desktop.parts.preferences.dark))
    driver.press(Key.Key_Escape)
    driver.until(lambda: not driver.shown("openFolderButton") and driver.focused() == "composer")


def test_copy_from_the_timeline_by_keyboard(driver: Driver) -> None:
    driver.say("older")
    driver.say("newer")
    driver.item("timeline").forceActiveFocus()
    driver.press(Key.Key_Up)
    driver.press(Key.Key_C, CTRL)
    assert QGuiApplication.clipboard().text() == "older"


def test_the_chat_list_is_walked_by_keyboard(driver: Driver) -> None:
    for text in ("apples", "pears"):
        driver.say(text)
        driver.press(Key.Key_N, CTRL)
    driver.until(lambda: [row.title for row in driver.desktop.parts.chats.rows] == ["pears", "apples"])
    driver.item("chatList").forceActiveFocus()
    driver.press(Key.Key_Down)
    driver.press(Key.Key_Return)
    assert driver.desktop.view_model.title == "apples"
    assert driver.focused() == "composer"


def test_a_chat_deleted_elsewhere_still_opens_while_it_holds_words_that_were_never_sent(
    driver: Driver,
) -> None:
    driver.say("never sent")
    chat_id = driver.desktop.parts.chats.rows[0].chat_id
    store = driver.desktop.store
    store.write(
        lambda tx: tx.db.execute("update chats set deleted_at = 'then' where chat_id = ?", (chat_id,))
    ).result()
    driver.desktop.view_model.new_chat()
    driver.desktop.view_model.open(chat_id)
    assert [row.plain for row in driver.rows] == ["never sent"]
