"""Builders of what a server answers."""

from collections.abc import Iterable

from storage.exchange import (
    BatchVerdict,
    Change,
    ChangePage,
    ChatChange,
    ChatEdit,
    ChatVerdict,
    HistoryPage,
    MessageChange,
    Parcel,
    ProjectVerdict,
    Receipt,
    Span,
    Verdict,
    VerdictStatus,
)
from storage.inbound import inbox
from storage.outbound import outbox
from storage.records import AccountId, ChatId, Hole, MessageId, MessageStatus, Part, Role
from storage.transaction import Transaction

AT = "2026-01-02T03:04:05.678Z"


def text(words: str) -> tuple[Part, ...]:
    return ({"type": "text", "text": words},)


def message_change(
    change: int,
    chat_id: str,
    message_id: str,
    number: int,
    words: str = "hi",
    *,
    revision: int = 1,
    deleted: bool = False,
) -> MessageChange:
    return MessageChange(
        change,
        ChatId(chat_id),
        MessageId(message_id),
        number,
        Role.USER,
        () if deleted else text(words),
        None,
        None,
        MessageStatus.COMPLETE,
        revision,
        deleted,
        AT,
    )


def chat_change(
    change: int,
    chat_id: str,
    title: str = "Trip",
    *,
    deleted: bool = False,
    pinned: bool = False,
    last: int = 0,
) -> ChatChange:
    return ChatChange(change, ChatId(chat_id), title, None, None, pinned, False, deleted, AT, last)


def change_page(
    changes: Iterable[Change],
    *,
    epoch: str = "epoch-1",
    cursor: int | None = None,
    more: bool = False,
    reset: bool = False,
) -> ChangePage:
    held = tuple(changes)
    last = cursor if cursor is not None else max((change.change for change in held), default=0)
    return ChangePage(epoch, last, last + (1 if more else 0), more, reset, held)


def history_page(
    messages: Iterable[MessageChange], covered: Iterable[Hole] = (), *, epoch: str = "epoch-1"
) -> HistoryPage:
    return HistoryPage(epoch, tuple(messages), tuple(covered))


def hole(chat_id: str, first: int, last: int) -> Hole:
    return Hole(ChatId(chat_id), first, last)


def receipt(parcel: Parcel, *, span: Span | None = None, first: int = 1) -> Receipt:
    """Everything of the parcel was taken: each chat's messages get numbers from `first` on."""
    return Receipt(
        tuple(ProjectVerdict(edit.project_id, True, None) for edit in parcel.projects),
        tuple(ChatVerdict(edit.chat_id, True, None) for edit in parcel.edits),
        tuple(
            BatchVerdict(
                each.chat_id,
                None,
                tuple(verdict(m.message_id, number=n) for n, m in enumerate(each.messages, first)),
            )
            for each in parcel.batches
        ),
        tuple(
            chat_change(number, edit.chat_id, edit.fields.get("title", ""))
            for number, edit in enumerate(parcel.edits, 1)
        ),
        span,
    )


def record_verdicts(
    tx: Transaction, account_id: AccountId, epoch: str | None, chat_id: ChatId, verdicts: Iterable[Verdict]
) -> None:
    """The server's word on messages of one chat arrives."""
    told = Receipt((), (), (BatchVerdict(chat_id, None, tuple(verdicts)),), (), None)
    outbox.record_receipt(tx, account_id, epoch, Parcel((), (), ()), told)


def record_chat_verdicts(
    tx: Transaction, account_id: AccountId, sent: Iterable[ChatEdit], verdicts: Iterable[ChatVerdict]
) -> None:
    """The server's word on edits arrives, without its rows."""
    epoch = inbox.cursor(tx.db, account_id).epoch
    parcel = Parcel((), tuple(sent), ())
    outbox.record_receipt(tx, account_id, epoch, parcel, Receipt((), tuple(verdicts), (), (), None))


def verdict(
    message_id: str,
    status: VerdictStatus = VerdictStatus.INSERTED,
    number: int | None = None,
    reason: str | None = None,
) -> Verdict:
    return Verdict(MessageId(message_id), status, number, reason)
