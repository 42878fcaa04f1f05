"""The server's word on messages, laid into the store."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from storage import removal, rows
from storage.exchange import Verdict, VerdictStatus
from storage.records import ChatId, MessageId
from storage.standing import counting, held, refusals
from storage.transaction import Transaction

_CONFIRMED: Final = frozenset({VerdictStatus.INSERTED, VerdictStatus.DUPLICATE})
_Told: TypeAlias = tuple[ChatId, MessageId, int, bool]
"""Where a message stands now, and whether it was inserted just then."""


def record(tx: Transaction, judged: Mapping[ChatId, Sequence[Verdict]], generation: int) -> int:
    """Confirmed messages get their number, refused ones their reason. Returns how many are confirmed by it."""
    told: list[_Told] = [
        (chat_id, each.message_id, each.sequence_num, each.status is VerdictStatus.INSERTED)
        for chat_id, verdicts in judged.items()
        for each in verdicts
        if each.status in _CONFIRMED and each.sequence_num is not None
    ]
    for chat_id, verdicts in judged.items():
        for verdict in verdicts:
            if verdict.status not in _CONFIRMED:
                refusals.reject(tx, chat_id, verdict.message_id, verdict.reason or _reason(verdict.status))
        tx.touch_messages(chat_id)
    count = _confirm(tx, told, generation) if told else 0
    removal.settle(tx)
    return count


def _confirm(tx: Transaction, told: Sequence[_Told], generation: int) -> int:
    count = _write(tx, told, generation, "pending")
    if count == len(told):
        counting.confirmed(tx, Counter(chat_id for chat_id, *_ in told))
    else:
        count += _write(tx, told, generation, "rejected")
        counting.recount(tx, {chat_id for chat_id, *_ in told})
        told = _laid(tx, told)
    _hold(tx, told)
    return count


def _write(tx: Transaction, told: Sequence[_Told], generation: int, state: str) -> int:
    # A tombstone that was noted in this generation is of this very message, whatever the verdict: an id is inserted
    # once, and a pull may overtake a verdict. One of an earlier generation went with the server that was wound back.
    gone = "m.deleted_at is not null and m.generation = ?2"
    # One statement: SQLite keeps a way back for each, and that costs more than confirming a message.
    return int(
        tx.db.execute(
            "update messages as m set sync_state = 'synced', sequence_num = told.number, sync_error = null, "
            f"generation = ?2, content = iif({gone}, '[]', content), annotations = iif({gone}, null, annotations), "
            f"checksum = iif({gone}, null, checksum), deleted_at = iif({gone}, deleted_at, null), "
            # Of a duplicate the next pull tells: what we held may be of another epoch, and be higher.
            f"revision = iif({gone}, revision, told.inserted) from (select json_extract(value, '$[0]') as chat_id, "
            "json_extract(value, '$[1]') as message_id, json_extract(value, '$[2]') as number, "
            "json_extract(value, '$[3]') as inserted from json_each(?1)) as told "
            f"where m.chat_id = told.chat_id and m.message_id = told.message_id and m.sync_state = '{state}'",
            (rows.encode(told), generation),
        ).rowcount
    )


def _laid(tx: Transaction, told: Iterable[_Told]) -> list[_Told]:
    """What agrees with what is here: a message that a pull brought first keeps the number it came with."""
    return [
        each
        for each in told
        if tx.db.execute(
            "select 1 from messages where chat_id = ? and message_id = ? and sequence_num = ?", each[:3]
        ).fetchone()
    ]


def _hold(tx: Transaction, told: Iterable[_Told]) -> None:
    # Of a duplicate the server may have other words by now, or none: its number is a hole until a pull fills it.
    inserted: dict[ChatId, list[int]] = {}
    top: dict[ChatId, int] = {}
    for chat_id, _, number, new in told:
        if new:
            inserted.setdefault(chat_id, []).append(number)
        top[chat_id] = max(number, top.get(chat_id, 0))
    held.hold_numbers(tx, inserted)
    for chat_id, number in top.items():
        if number not in inserted.get(chat_id, ()):
            held.known(tx, chat_id, number)


def _reason(status: VerdictStatus) -> str:
    if status is VerdictStatus.CONFLICT:
        return "Another message has this id on the server: copy the text and send it anew."
    return "The server refused this message: change it and send it again."
