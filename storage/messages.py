"""Messages: committing them and reading them in order.

The order of a chat is `(sequence_num nulls last, local_order)`; no clock takes part in it (I15). What has no number
follows what has one, so a hole above all that is held lies between the two.
"""

from collections.abc import Iterable, Sequence
from heapq import merge
from itertools import islice
from typing import Any, Final
from uuid import uuid4

from storage import chats, rows
from storage.checksums import checksum
from storage.content import clean, normalise, plain_text
from storage.errors import InvalidMessage, UnknownChat
from storage.records import ChatId, Hole, Message, MessageId, Page, Part, Position, Role
from storage.standing import edits, gaps
from storage.transaction import Reader, Transaction

_TITLE_LENGTH: Final = 80
_MAX_LIMIT: Final = 1000
_END: Final = 2**63 - 1


def commit(
    tx: Transaction,
    chat_id: ChatId,
    content: str | Sequence[Part],
    *,
    role: Role = Role.USER,
    message_id: MessageId | None = None,
    turn_id: str | None = None,
    clear_draft: bool = True,
) -> Message:
    """Stores a message as pending, with the chat's place in the list, its title and its cleared draft (I2).

    The same id and body again return what is stored. Raises InvalidMessage or UnknownChat; nothing is changed then.
    """
    parts = normalise(content)
    chat = chats.get(tx.db, chat_id)
    if chat.deleted:
        raise UnknownChat("This chat was deleted: copy the text into another chat")
    message_id = message_id or MessageId(str(uuid4()))
    for known in filter(None, (message_id, turn_id)):
        if len(known) > 128 or clean(known) != known:
            raise InvalidMessage(
                "The id of a message or turn has 1 to 128 characters, no NUL: choose another"
            )
    if (stored := _stored(tx.db, chat_id, message_id)) is not None:
        return _same(stored, role, parts)
    now = tx.now()
    encoded = rows.encode(parts)
    tx.db.execute(
        "insert into messages (chat_id, message_id, role, content, turn_id, status, sync_state, created_at, checksum) "
        "values (?, ?, ?, ?, ?, 'complete', 'pending', ?, ?)",
        (chat_id, message_id, role, encoded, turn_id, now, checksum(message_id, role, encoded, None)),
    )
    tx.db.execute(
        "update chats set updated_at = ?, activity = ? where chat_id = ?",
        (now, chats.next_activity(tx.db), chat_id),
    )
    if not chat.title and role is Role.USER:
        _entitle(tx, chat_id, parts)
    if clear_draft:
        tx.db.execute("delete from drafts where chat_id = ?", (chat_id,))
    tx.touch_messages(chat_id)
    message = get(tx.db, chat_id, message_id)
    assert message is not None
    return message


def get(db: Reader, chat_id: ChatId, message_id: MessageId) -> Message | None:
    """The message, None when it is not here or was deleted."""
    row = db.execute(
        f"select {rows.MESSAGE} from messages where chat_id = ? and message_id = ? "
        "and withdrawn = 0 and (deleted_at is null or sync_state <> 'synced')",
        (chat_id, message_id),
    ).fetchone()
    return rows.message(row) if row else None


def page(db: Reader, chat_id: ChatId, before: Position | None = None, limit: int = 50) -> Page:
    """The messages before a position, newest first; `before` None starts at the newest. It ends at a hole."""
    limit = max(1, min(limit, _MAX_LIMIT))
    found: list[tuple[Any, ...]] = []
    if before is None or before.sequence_num is None:
        found = _unsynced_before(db, chat_id, before.local_order if before else _END, limit + 1)
        before = None
    if len(found) <= limit:
        found += _synced_before(db, chat_id, before, limit + 1 - len(found))
    gap = None
    if not found or found[-1][2] is not None or len(found) <= limit:
        low = found[limit][2] + 1 if len(found) > limit else 1
        gap = gaps.below(db, chat_id, before.sequence_num if before else None, low, _numbers(found))
    if gap is not None:
        shown = rows.messages(row for row in found if row[2] is None or row[2] > gap.last)
        return Page(shown[:limit], None, gap)
    shown = rows.messages(found[:limit])
    more = len(found) > limit
    return Page(shown, Position(shown[-1].sequence_num, shown[-1].local_order) if more else None)


def newer(db: Reader, chat_id: ChatId, after: Position, limit: int = 50) -> tuple[Message, ...]:
    """The messages after a position, oldest first. They end at a hole; `gap_above` the last one tells."""
    limit = max(1, min(limit, _MAX_LIMIT))
    if after.sequence_num is None:
        return rows.messages(_unsynced_after(db, chat_id, after.local_order, limit))
    found = db.execute(
        f"select {rows.MESSAGE} from messages where chat_id = ? and sequence_num is not null "
        "and deleted_at is null and withdrawn = 0 and (sequence_num, local_order) > (?, ?) "
        "order by sequence_num, local_order limit ?",
        (chat_id, after.sequence_num, after.local_order, limit),
    ).fetchall()
    high = found[-1][2] if len(found) == limit else None
    gap = gaps.above(db, chat_id, after.sequence_num, high, _numbers(found))
    if gap is not None:
        return rows.messages(row for row in found if row[2] < gap.first)
    if len(found) < limit:
        found += _unsynced_after(db, chat_id, 0, limit - len(found))
    return rows.messages(found)


def gap_above(db: Reader, chat_id: ChatId, after: Position) -> Hole | None:
    """The hole right above a position, None when its next message is held or it is the newest."""
    if after.sequence_num is None:
        return None
    number = after.sequence_num
    following = db.execute(
        "select sequence_num from messages where chat_id = ? and sequence_num > ? and deleted_at is null "
        "and withdrawn = 0 order by sequence_num limit 1",
        (chat_id, number),
    ).fetchone()
    return gaps.above(db, chat_id, number, following and following[0] - 1, [])


def _stored(db: Reader, chat_id: ChatId, message_id: MessageId) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = db.execute(
        f"select {rows.MESSAGE}, sync_state = 'synced' and deleted_at is not null from messages "
        "where chat_id = ? and message_id = ?",
        (chat_id, message_id),
    ).fetchone()
    return row


def _same(stored: tuple[Any, ...], role: Role, parts: tuple[Part, ...]) -> Message:
    message = rows.message(stored[:-1])
    if stored[-1] or (message.role, message.content) != (role, parts):
        raise InvalidMessage("Another message has this id already: use a new id")
    return message


def _entitle(tx: Transaction, chat_id: ChatId, parts: tuple[Part, ...]) -> None:
    line = next((line for line in map(str.strip, plain_text(parts).splitlines()) if line), "")
    if not line:
        return
    title = line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"
    tx.db.execute("update chats set title = ? where chat_id = ?", (title, chat_id))
    edits.mark(tx, chat_id, ("title",))


def _unsynced_before(db: Reader, chat_id: ChatId, before: int, limit: int) -> list[tuple[Any, ...]]:
    found = (
        db.execute(
            f"select {rows.MESSAGE} from messages where chat_id = ? and sync_state = '{state}' "
            "and withdrawn = 0 and local_order < ? order by local_order desc limit ?",
            (chat_id, before, limit),
        )
        for state in ("pending", "rejected")
    )
    return list(islice(merge(*found, key=lambda row: -row[-1]), limit))


def _unsynced_after(db: Reader, chat_id: ChatId, after: int, limit: int) -> list[tuple[Any, ...]]:
    found = (
        db.execute(
            f"select {rows.MESSAGE} from messages where chat_id = ? and sync_state = '{state}' "
            "and withdrawn = 0 and local_order > ? order by local_order limit ?",
            (chat_id, after, limit),
        )
        for state in ("pending", "rejected")
    )
    return list(islice(merge(*found, key=lambda row: row[-1]), limit))


def _synced_before(db: Reader, chat_id: ChatId, before: Position | None, limit: int) -> list[tuple[Any, ...]]:
    number, order = (before.sequence_num, before.local_order) if before else (_END, 0)
    return db.execute(
        f"select {rows.MESSAGE} from messages where chat_id = ? and sequence_num is not null "
        "and deleted_at is null and withdrawn = 0 and (sequence_num, local_order) < (?, ?) "
        "order by sequence_num desc, local_order desc limit ?",
        (chat_id, number, order, limit),
    ).fetchall()


def _numbers(found: Iterable[tuple[Any, ...]]) -> list[int]:
    return [row[2] for row in found if row[2] is not None]
