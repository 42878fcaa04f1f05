"""Several accounts on one computer, as a person meets them in the window."""

import pytest
from PySide6.QtCore import Qt

from storage import accounts, chats
from storage.records import LOCAL_ACCOUNT, ChatId
from storage.store import Transaction
from sync.status import Phase, SyncStatus
from tests.desktop.conftest import Driver
from tests.fakes.service import URL

Key = Qt.Key


def sign_in(driver: Driver, email: str) -> None:
    driver.desktop.parts.account.sign_in(URL, "key", email, "secret")
    driver.until(lambda: driver.desktop.parts.account.email == email)


def open_dialog(driver: Driver) -> None:
    driver.click("accountButton")
    driver.until(lambda: driver.shown("addAccountButton") or driver.shown("releaseButton"))


def titles(driver: Driver) -> list[str]:
    return [row.title for row in driver.desktop.parts.chats.rows]


def test_a_second_account_is_added_and_each_shows_its_own_chats(driver: Driver) -> None:
    sign_in(driver, "ada@example.org")
    driver.say("for ada")
    open_dialog(driver)
    driver.tab_to("addAccountButton")
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.focused() == "emailField")
    assert driver.item("serverField").property("text") == URL
    for text in ("bob@example.org", "secret"):
        driver.type(text)
        driver.press(Key.Key_Return)
    driver.until(lambda: driver.desktop.parts.account.email == "bob@example.org" and titles(driver) == [])
    driver.until(lambda: driver.focused() == "composer")

    open_dialog(driver)
    driver.until(lambda: driver.focused() == "account-bob@example.org")
    driver.press(Key.Key_Up)
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.desktop.parts.account.email == "ada@example.org")
    driver.until(lambda: titles(driver) == ["for ada"])


def test_an_account_that_is_signed_out_asks_for_its_password_only(driver: Driver) -> None:
    sign_in(driver, "ada@example.org")
    sign_in(driver, "bob@example.org")
    ada = driver.desktop.store.read(accounts.list_accounts)[0]
    driver.desktop.store.write(lambda tx: accounts.mark_signed_out(tx, ada.account_id)).result()
    open_dialog(driver)
    driver.click("account-ada@example.org")
    driver.until(lambda: driver.focused() == "passwordField")
    assert driver.item("emailField").property("text") == "ada@example.org"
    driver.click("backButton")
    driver.until(lambda: driver.shown("addAccountButton"))
    assert driver.service.calls[-1][0] == "sign_in"


def test_signing_out_with_unsent_messages_asks_what_becomes_of_them(driver: Driver) -> None:
    sign_in(driver, "ada@example.org")
    driver.say("never sent")
    open_dialog(driver)
    driver.tab_to("signOutButton")
    driver.press(Key.Key_Return)
    driver.until(lambda: driver.shown("confirmSignOutButton"))
    driver.click("confirmSignOutButton")
    driver.until(lambda: driver.focused() == "syncAndSignOutButton" or driver.shown("syncAndSignOutButton"))
    assert driver.desktop.parts.account.title == "1 message is not yet synced"
    driver.click("syncAndSignOutButton")
    driver.until(lambda: driver.shown("accountStepError"))
    driver.click("cancelSignOutButton")
    driver.until(lambda: driver.shown("addAccountButton"))
    assert driver.desktop.parts.account.signedIn

    driver.click("signOutButton")
    driver.until(lambda: driver.shown("confirmSignOutButton"))
    driver.click("confirmSignOutButton")
    driver.until(lambda: driver.shown("sealButton"))
    driver.click("sealButton")
    driver.until(lambda: not driver.desktop.parts.account.signedIn)
    driver.until(lambda: titles(driver) == [] and driver.rows == [])
    assert [call for call in driver.service.calls if call[0] == "sign_out"][-1] == ("sign_out", "seal")


def test_signed_out_chats_are_adopted_one_by_one(driver: Driver) -> None:
    for text in ("apples", "pears", "plums"):
        driver.say(text)
        driver.press(Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    driver.click("accountButton")
    driver.until(lambda: driver.focused() == "serverField")
    for text in (URL, "key", "ada@example.org", "secret"):
        driver.type(text)
        driver.press(Key.Key_Return)
    driver.until(lambda: driver.focused() == "adoptButton")
    assert driver.item("adoptButton").property("text") == "Move 3 chats"
    driver.item("adoptionList").forceActiveFocus()
    driver.press(Key.Key_Down)
    driver.press(Key.Key_Space)
    assert driver.item("adoptButton").property("text") == "Move 2 chats"
    driver.click("adoptButton")
    driver.until(lambda: driver.focused() == "composer")
    left = driver.desktop.store.read(lambda db: chats.list_chats(db, [LOCAL_ACCOUNT]))
    assert [chat.title for chat in left] == ["pears"]
    driver.until(lambda: [row.local_only for row in driver.desktop.parts.chats.rows].count(True) == 1)


@pytest.mark.parametrize("count", [0, 3])
def test_all_chats_are_chosen_or_none(driver: Driver, count: int) -> None:
    def job(tx: Transaction) -> None:
        for title in ("apples", "pears", "plums"):
            chats.create(tx, title)

    driver.desktop.store.write(job).result()
    adoption = driver.desktop.parts.account.adoption
    adoption.read()
    adoption.toggle(adoption.rows[0].chat_id)
    adoption.toggle_all()
    if not count:
        adoption.toggle_all()
    assert adoption.chosenCount == count
    assert adoption.choice == (None if count else ())


def test_an_account_that_is_gone_leaves_its_chats_on_this_computer(driver: Driver) -> None:
    sign_in(driver, "ada@example.org")
    driver.say("kept")
    chat_id = ChatId(driver.desktop.view_model.current_chat_id)
    driver.service.publish(SyncStatus(Phase.ACCOUNT_GONE))
    driver.until(lambda: "gone" in str(driver.item("syncStatus").property("text")))
    driver.click("syncStatus")
    driver.until(lambda: driver.shown("keepChatsButton"))
    driver.click("keepChatsButton")
    driver.until(lambda: driver.focused() == "releaseButton")
    driver.press(Key.Key_Return)
    driver.until(lambda: not driver.desktop.parts.account.signedIn and driver.focused() == "composer")
    chat = driver.desktop.store.read(lambda db: chats.get(db, chat_id))
    assert chat.account_id == LOCAL_ACCOUNT
    assert titles(driver) == ["kept"]
