"""Builders of what a server answers."""

from collections.abc import Iterable

from storage.exchange import ChangePage, ChatChange, MessageChange, Verdict, VerdictStatus
from storage.records import ChatId, MessageId, MessageStatus, Part, Role

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
    change: int, chat_id: str, title: str = "Trip", *, deleted: bool = False, pinned: bool = False
) -> ChatChange:
    return ChatChange(change, ChatId(chat_id), title, None, None, pinned, False, deleted, AT)


def change_page(
    changes: Iterable[ChatChange | MessageChange],
    *,
    epoch: str = "epoch-1",
    cursor: int | None = None,
    more: bool = False,
    reset: bool = False,
) -> ChangePage:
    held = tuple(changes)
    last = cursor if cursor is not None else max((change.change for change in held), default=0)
    return ChangePage(epoch, last, last + (1 if more else 0), more, reset, held)


def verdict(
    message_id: str,
    status: VerdictStatus = VerdictStatus.INSERTED,
    number: int | None = None,
    reason: str | None = None,
) -> Verdict:
    return Verdict(MessageId(message_id), status, number, reason)
