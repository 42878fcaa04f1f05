"""A store that somebody lives in: two accounts, chats of theirs and of nobody's, and every state of a message."""

import sqlite3
from pathlib import Path
from typing import Any, Final

from storage import accounts, chats, messages
from storage.inbound import inbox
from storage.outbound import outbox
from storage.records import Account, AccountId, ChatId, MessageId
from storage.store import Store, Transaction
from tests.fakes.changes import change_page, message_change

ACTIVE: Final = AccountId("account-active")
OTHER: Final = AccountId("account-other")
OWN: Final = ChatId("chat-own")
SIGNED_OUT: Final = ChatId("chat-signed-out")
PULLED: Final = ChatId("chat-pulled")
DRAFT: Final = "Words that were never sent"
TITLE: Final = "A title that the server has not heard of"


def words(name: str) -> str:
    """Text of which every piece can be found again; some is longer than a page of the file."""
    return " ".join(pieces(name))


def pieces(name: str) -> list[str]:
    return [f"<{name}.{number}>" for number in range(8 if sum(name.encode()) % 7 else 300)]


def fill(store: Store, *, synced: int = 24, pending: int = 8) -> None:
    """Some of each: synced messages that were pulled, pending ones of two chats, one set aside, a draft, an edit."""

    def start(tx: Transaction) -> None:
        for account_id in (ACTIVE, OTHER):
            accounts.remember(
                tx, Account(account_id, "http://127.0.0.1:1", "key", "a@example.org", "user", True)
            )
        accounts.activate(tx, ACTIVE)
        inbox.apply(tx, ACTIVE, change_page([], reset=True))
        chats.create(tx, "Own", account_id=ACTIVE, chat_id=OWN)
        chats.create(tx, "Signed out", chat_id=SIGNED_OUT)
        chats.rename(tx, OWN, TITLE)

    def pull(tx: Transaction) -> None:
        inbox.apply(
            tx,
            ACTIVE,
            change_page(
                message_change(n, PULLED, f"pulled-{n}", n, words(f"pulled-{n}"))
                for n in range(1, synced + 1)
            ),
        )

    store.write(start).result()
    store.write(pull).result()
    for number in range(pending):
        say(store, OWN if number % 3 else SIGNED_OUT, f"pending-{number}")
    say(store, OWN, "aside")
    store.write(lambda tx: outbox.set_aside(tx, OWN, [MessageId("aside")], "Refused.")).result()
    store.write(lambda tx: chats.save_draft(tx, OWN, DRAFT)).result()


def say(store: Store, chat_id: ChatId, message_id: str) -> None:
    store.write(
        lambda tx: messages.commit(tx, chat_id, words(message_id), message_id=MessageId(message_id))
    ).result()


def content(path: Path) -> dict[str, Any]:
    """All that a person would miss, read by plain SQL."""
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as db:
        found = {
            "messages": db.execute(
                "select chat_id, message_id, sequence_num, role, content, annotations, turn_id, status, sync_state "
                "from messages order by chat_id, sequence_num is null, sequence_num, local_order"
            ).fetchall(),
            "chats": db.execute(
                "select chat_id, account_id, title, pinned, archived, deleted_at, edited from chats order by chat_id"
            ).fetchall(),
            "drafts": db.execute("select * from drafts order by chat_id").fetchall(),
            "accounts": db.execute(
                "select account_id, url, publishable_key, email, user_id, signed_in, active from accounts order by 1"
            ).fetchall(),
        }
    db.close()
    return found
