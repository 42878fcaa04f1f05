"""Builders of changes that are no messages, and of the server's word on edits and errands."""

import hashlib

from storage import chats
from storage.exchange import (
    ChatChange,
    ChatEdit,
    ContextChange,
    ErrandVerdict,
    ProjectChange,
    ProjectEdit,
    SnapshotChange,
    UsageChange,
)
from storage.outbound import errands
from storage.records import AccountId, ChatId, MessageId, ProjectId
from storage.standing import edits
from storage.store import Store
from storage.transaction import Transaction
from tests.fakes.changes import AT, chat_change

DONE = ErrandVerdict(True, None)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def project_change(
    change: int, project_id: str, name: str = "Home", *, status: str = "draft", deleted: bool = False
) -> ProjectChange:
    return ProjectChange(change, ProjectId(project_id), name, "", status, None, deleted, AT, AT)


def context_change(
    change: int, chat_id: str, source: str, body: str = "text", *, deleted: bool = False
) -> ContextChange:
    kept = "" if deleted else body
    return ContextChange(
        change, ChatId(chat_id), source, "document", "", "ok", None, kept,
        digest(body), digest(kept), len(kept.encode()), deleted, AT, AT,
    )  # fmt: skip


def snapshot_change(
    change: int, project_id: str, content_hash: str = "0" * 64, revision: int = 1
) -> SnapshotChange:
    return SnapshotChange(change, ProjectId(project_id), content_hash, 10, revision, AT)


def usage_change(change: int, chat_id: str, message_id: str, tokens: int = 3) -> UsageChange:
    return UsageChange(
        change, ChatId(chat_id), MessageId(message_id), 1, tokens - 1, tokens, None, {}, False, AT
    )


def confirm(
    store: Store,
    account_id: AccountId,
    edit: ChatEdit | ProjectEdit,
    change: ChatChange | ProjectChange | None = None,
) -> None:
    """The server took the edit."""
    store.write(lambda tx: edits.confirm(tx, account_id, edit, change)).result()


def answer(store: Store, account_id: AccountId, verdict: ErrandVerdict = DONE) -> int:
    """Gives every errand that may go the same answer, in turn. Returns how many went."""
    count = 0
    while (errand := store.read(lambda db: errands.next(db, account_id))) is not None:
        store.write(lambda tx, number=errand.number: errands.record(tx, account_id, number, verdict)).result()  # type: ignore[misc]  # bound per turn
        count += 1
        if verdict.more:
            break
    return count


def share_chat(
    store: Store, account_id: AccountId, chat_id: str, title: str = "Trip", change: int = 1
) -> None:
    """The server shows the chat, as a pull or a receipt does."""

    def job(tx: Transaction) -> None:
        shown = chat_change(change, chat_id, title)
        assert chats.claim(tx, account_id, ChatId(chat_id), AT)
        (generation,) = tx.db.execute(
            "select generation from accounts where account_id = ?", (account_id,)
        ).fetchone()
        edits.take(tx, account_id, generation, shown)

    store.write(job).result()
