"""The server's word on messages of one chat, laid into the store."""

from collections.abc import Sequence
from typing import Final

from storage import counting, held
from storage.exchange import Verdict, VerdictStatus
from storage.records import ChatId, MessageId
from storage.transaction import Transaction

_CONFIRMED: Final = frozenset({VerdictStatus.INSERTED, VerdictStatus.DUPLICATE})


def record(tx: Transaction, chat_id: ChatId, verdicts: Sequence[Verdict], generation: int) -> int:
    """Confirmed messages get their number, refused ones their reason. Returns how many are confirmed by it."""
    confirmed = [each for each in verdicts if each.status in _CONFIRMED and each.sequence_num is not None]
    count = _confirm(tx, chat_id, confirmed, generation) if confirmed else 0
    for verdict in verdicts:
        if verdict.status not in _CONFIRMED:
            reject(tx, chat_id, verdict.message_id, verdict.reason or _reason(verdict.status))
    tx.touch_messages(chat_id)
    return count


def reject(tx: Transaction, chat_id: ChatId, message_id: MessageId, reason: str) -> None:
    """Takes a pending message out of the queue; the reason is for people."""
    tx.db.execute(
        "update messages set sync_state = 'rejected', sync_error = ? "
        "where chat_id = ? and message_id = ? and sync_state = 'pending'",
        (reason, chat_id, message_id),
    )


def _confirm(tx: Transaction, chat_id: ChatId, verdicts: Sequence[Verdict], generation: int) -> int:
    # A tombstone that was noted in this generation is of this very message, whatever the verdict: an id is inserted
    # once, and a pull may overtake a verdict. One of an earlier generation went with the server that was wound back.
    gone = "deleted_at is not null and generation = ?2"
    values = [
        (
            verdict.sequence_num,
            generation,
            # Of a duplicate the next pull tells: what we held may be of another epoch, and be higher.
            int(verdict.status is VerdictStatus.INSERTED),
            chat_id,
            verdict.message_id,
        )
        for verdict in verdicts
    ]

    def confirm(state: str) -> int:
        return tx.db.conn.executemany(
            "update messages set sync_state = 'synced', sequence_num = ?1, sync_error = null, generation = ?2, "
            f"content = iif({gone}, '[]', content), annotations = iif({gone}, null, annotations), "
            f"deleted_at = iif({gone}, deleted_at, null), revision = iif({gone}, revision, ?3) "
            f"where chat_id = ?4 and message_id = ?5 and sync_state = '{state}'",
            values,
        ).rowcount

    pending = confirm("pending")
    rejected = confirm("rejected") if pending < len(values) else 0
    counting.confirmed(tx, chat_id, pending=pending, rejected=rejected)
    _hold(tx, chat_id, verdicts if pending + rejected == len(verdicts) else _laid(tx, chat_id, verdicts))
    return pending + rejected


def _laid(tx: Transaction, chat_id: ChatId, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts that agree with what is here. A message that a pull brought first keeps the number it came with."""
    return [
        each
        for each in verdicts
        if tx.db.execute(
            "select 1 from messages where chat_id = ? and message_id = ? and sequence_num = ?",
            (chat_id, each.message_id, each.sequence_num),
        ).fetchone()
    ]


def _hold(tx: Transaction, chat_id: ChatId, verdicts: Sequence[Verdict]) -> None:
    # Of a duplicate the server may have other words by now, or none: its number is a hole until a pull fills it.
    inserted = [each.sequence_num for each in verdicts if each.status is VerdictStatus.INSERTED]
    if numbers := [number for number in inserted if number is not None]:
        held.hold_numbers(tx, chat_id, numbers)
    held.known(tx, chat_id, max((each.sequence_num or 0 for each in verdicts), default=0))


def _reason(status: VerdictStatus) -> str:
    if status is VerdictStatus.CONFLICT:
        return "Another message has this id on the server: copy the text and send it anew."
    return "The server refused this message."
