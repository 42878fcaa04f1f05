"""The promises of docs/invariants, asked of a session: some at any moment, some once it is quiet."""

from typing import TYPE_CHECKING

from storage.records import ChatId, MessageId, SyncState
from tests.simulation.port import Row
from tests.simulation.server import POISON_CALL, POISON_ITEM

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.world import Session

REQUESTS_PER_MESSAGE = 40


def check_always(session: "Session", device: "Device") -> None:
    """I1, I10, I11, I17: true at any moment, also after a crash."""
    rows = {(row.chat_id, row.message_id): row for row in device.store.rows()}
    for chat_id, message_id, text in device.committed:
        row = rows.get((chat_id, message_id))
        assert row is not None, f"I17: {device.name} lost {message_id}"
        if row.state is not SyncState.SYNCED:
            assert row.text == text, f"I17: {device.name} rewrote {message_id}"
        assert row.state is SyncState.SYNCED or row.sequence_num is None
    _check_cursor(session, device, rows)


def _check_cursor(session: "Session", device: "Device", rows: dict[tuple[ChatId, MessageId], Row]) -> None:
    cursor = device.store.cursor()
    if cursor.epoch != session.server.epoch:
        return
    assert cursor.change <= session.server.head
    for key, change in session.server.live().items():
        if change.change <= cursor.change:
            row = rows.get(key)
            assert row is not None, f"I10: {device.name} at {cursor.change} misses change {change.change}"
            held_otherwise = row.state is not SyncState.SYNCED
            assert held_otherwise or row.sequence_num == change.sequence_num, f"I11: {device.name} {key}"


def difference(session: "Session") -> str | None:
    """I5, I12, I14: what still differs between the server and a device."""
    server = {
        (row.chat_id, row.message_id, row.sequence_num, str(row.content[0]["text"]))
        for row in session.server.live().values()
    }
    for device in session.devices:
        rows = device.store.rows()
        pending = [
            row for row in rows if row.state is SyncState.PENDING and row.chat_id not in session.doomed
        ]
        if pending:
            return f"I5: {device.name} still has {len(pending)} pending, such as {pending[0]}"
        held = {
            (row.chat_id, row.message_id, row.sequence_num, row.text)
            for row in rows
            if row.state is SyncState.SYNCED and not row.deleted
        }
        own_words = {(row.chat_id, row.message_id) for row in rows if row.state is not SyncState.SYNCED}
        wanted = {entry for entry in server if entry[:2] not in own_words}
        # What a restore took out of a chat that was deleted meanwhile is not brought back.
        gone = session.doomed if session.restored else ()
        if differing := sorted(entry for entry in held ^ wanted if entry[0] not in gone):
            return f"I14: {device.name} and the server differ in {differing[:4]}"
    return None


def check_converged(session: "Session") -> None:
    """I14, with everything in its place."""
    found = difference(session)
    assert found is None, f"second {session.clockwork.now:.0f}: {found}"


def check_quiescent(session: "Session") -> None:
    """I5 to I8, I28 and I29 once nothing moves any more."""
    _check_sequence(session)
    for device in session.devices:
        check_always(session, device)
        _check_rejections(session, device)
        if not session.restored:
            _check_author_order(session, device)
    messages = sum(len(device.committed) for device in session.devices)
    assert session.network.requests < 300 + REQUESTS_PER_MESSAGE * messages, "I29: too many requests"


def _check_sequence(session: "Session") -> None:
    for chat_id, rows in session.server.messages.items():
        numbers = sorted(row.sequence_num for row in rows.values())
        assert numbers == list(range(1, len(numbers) + 1)), f"I7: {chat_id} has {numbers}"


def _check_rejections(session: "Session", device: "Device") -> None:
    """Nobody's words stay behind but for a reason that the device shows."""
    for row in device.store.rows():
        if row.state is not SyncState.REJECTED:
            continue
        assert row.reason, f"I28: {device.name} set {row.message_id} aside without a reason"
        excused = (
            session.restored
            or row.chat_id in session.doomed
            or row.text in (POISON_CALL, POISON_ITEM, "mine", "yours")
        )
        assert excused, f"I28: {device.name} set the innocent {row.message_id} aside: {row.reason}"
    innocent = {(chat, message) for chat, message, text in device.committed if text.startswith("text-")}
    rejected = {(r.chat_id, r.message_id) for r in device.store.rows() if r.state is not SyncState.SYNCED}
    deleted = {(r.chat_id, r.message_id) for r in device.store.rows() if r.deleted}
    lost = innocent - set(session.server.live()) - rejected - deleted
    lost = {key for key in lost if not (session.restored and key[0] in session.doomed)}
    assert not lost, f"I5: {device.name} lost {sorted(lost)[:3]}"


def _check_author_order(session: "Session", device: "Device") -> None:
    """I8, for messages that no person sent a second time."""
    last: dict[str, int] = {}
    live = session.server.live()
    for chat_id, message_id, text in device.committed:
        row = live.get((chat_id, message_id))
        if row is None or message_id in device.retried or text in ("mine", "yours"):
            continue
        assert row.sequence_num > last.get(chat_id, 0), (
            f"I8: {device.name} {chat_id} {message_id} out of order"
        )
        last[chat_id] = row.sequence_num
