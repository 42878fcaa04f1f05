"""The promises of docs/invariants, asked of a session: some at any moment, some once it is quiet."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from storage.exchange import UsageChange
from storage.records import AccountId, ChatId, MessageId, SyncState
from sync.engine.interface import Timer
from sync.status import Phase, SyncStatus
from tests.simulation.port import Facts, Row
from tests.simulation.server import digest

if TYPE_CHECKING:
    from storage.exchange import MessageChange
    from tests.simulation.device import Device
    from tests.simulation.server import ModelServer
    from tests.simulation.world import Session

REQUESTS_PER_MESSAGE = 40
IDLE = 16.0
MOST_IDLE_REQUESTS = 6
"""Of one device in `IDLE` seconds: a poll or two, the last pull of a poke, the heads."""
IDLE_TIMERS = {Timer.POLL, Timer.HEADS}


class Round:
    """What a round that somebody waits for has to have brought about when it ends without an error."""

    def __init__(self, session: "Session", device: "Device") -> None:
        assert device.account is not None
        self._session = session
        self._account = device.account
        server = session.servers[device.account]
        self._epoch = server.epoch
        self._there = {(row.chat_id, row.message_id) for row in server.live()}
        self._here = {
            (row.chat_id, row.message_id)
            for row in device.store.rows()
            if row.owner == device.account and row.state is SyncState.PENDING
        }

    def check(self, device: "Device") -> None:
        server = self._session.servers[self._account]
        if server.epoch != self._epoch or device.corrupted:
            return
        rows = {(row.chat_id, row.message_id): row for row in device.store.rows()}
        unsent = [
            key
            for key in self._here
            if key in rows and rows[key].state is SyncState.PENDING and key[0] not in self._session.doomed
        ]
        assert not unsent, f"{device.name}: a round ended well and left {unsent[:3]} unsent"
        absent = [key for key in self._there if key not in rows]
        assert not absent, f"{device.name}: a round ended well without {absent[:3]}"


def check_status(session: "Session", device: "Device", status: SyncStatus) -> None:
    """Synced is shown only when it is true; what is missing is told as it is."""
    if status.phase is not Phase.SYNCED or device.account is None:
        return
    waiting = device.store.waiting(device.account) - session.doomed
    assert not waiting, f"{device.name} shows synced with something pending in {sorted(waiting)}"
    facts = device.store.facts(device.account)
    errands = facts.errands - session.doomed
    assert not errands, f"{device.name} shows synced with errands for {sorted(errands)}"
    missing = sum(facts.missing.values())
    assert missing == status.missing, f"{device.name} shows {status.missing} missing where {missing} are"


def check_always(session: "Session", device: "Device") -> None:
    """I1, I10, I11, I17, I21, I22: true at any moment, also after a crash."""
    rows = {(row.chat_id, row.message_id): row for row in device.store.rows()}
    for key, text in device.committed.items():
        row = rows.get(key)
        if row is None:
            assert key[0] in device.corrupted or key in device.erased, f"I17: {device.name} lost {key}"
            continue
        owner = session.owners[key[0]]
        assert row.owner == owner, f"I22: {device.name} has {key} as {row.owner}'s, not {owner}'s"
        if row.state is not SyncState.SYNCED:
            assert row.text == text, f"I17: {device.name} rewrote {key}"
            assert row.sequence_num is None, f"I15: {device.name} {key} has a number before its verdict"
        else:
            assert row.sequence_num is not None, f"I5: {device.name} shows {key} as saved without a number"
            # Where two texts have one id, the other is shown when the person deleted one, or the server lost it.
            twice = text in ("mine", "yours") and (key in device.erased or owner in session.restored)
            same = row.deleted or row.text == text or twice
            assert same, f"I6: {device.name} has other words under {key}"
    for account, server in session.servers.items():
        _check_cursor(session, device, account, server, rows)


def _check_cursor(
    session: "Session",
    device: "Device",
    account: AccountId,
    server: "ModelServer",
    rows: dict[tuple[ChatId, MessageId], Row],
) -> None:
    facts = device.store.facts(account)
    cursor = facts.cursor
    if cursor.epoch != server.epoch:
        return
    assert cursor.change <= server.head
    for chat in server.state.chats.values():
        chat_id = chat.row.chat_id
        if chat_id in device.corrupted or session.owners.get(chat_id) != account:
            continue
        held = facts.held.get(chat_id, frozenset())
        last = facts.missing.get(chat_id, 0) + len(held)
        for change in chat.messages:
            if change.change > cursor.change:
                continue
            if change.sequence_num in held:
                _check_row(device, change, rows)
            else:
                known = change.sequence_num <= last
                assert known, f"I10: {device.name} at {cursor.change} misses {change.message_id}"


def _check_row(device: "Device", change: "MessageChange", rows: dict[tuple[ChatId, MessageId], Row]) -> None:
    row = rows.get((change.chat_id, change.message_id))
    assert row is not None, f"I10: {device.name} believes to hold {change.message_id}"
    if row.state is SyncState.SYNCED:
        assert row.sequence_num == change.sequence_num, f"I11: {device.name} {change.message_id}"
        assert row.deleted or not change.deleted, f"I10: {device.name} shows {change.message_id}, deleted"


def difference(session: "Session", account: AccountId) -> str | None:
    """I5, I12, I14: what still differs between the server and a device."""
    server = session.servers[account]
    live = {
        (row.chat_id, row.message_id, row.sequence_num, str(row.content[0]["text"])) for row in server.live()
    }
    for device in session.devices:
        status = device.status
        if status is not None and status.phase not in (Phase.SYNCED, Phase.PENDING):
            return f"{device.name} is {status.phase}"
        found = _differs(session, device, account, server, live)
        if found is not None:
            return f"{device.name}: {found}"
    return None


def _differs(
    session: "Session",
    device: "Device",
    account: AccountId,
    server: "ModelServer",
    live: set[tuple[ChatId, MessageId, int, str]],
) -> str | None:
    rows = [row for row in device.store.rows() if row.owner == account]
    pending = [row for row in rows if row.state is SyncState.PENDING and row.chat_id not in session.doomed]
    if pending:
        return f"I5: still has {len(pending)} pending, such as {pending[0]}"
    held = {
        (row.chat_id, row.message_id, row.sequence_num, row.text)
        for row in rows
        if row.state is SyncState.SYNCED and not row.deleted
    }
    own_words = {(row.chat_id, row.message_id) for row in rows if row.state is not SyncState.SYNCED}
    wanted = {entry for entry in live if entry[:2] not in own_words} if own_words else live
    # What a restore took out of a chat that was deleted meanwhile is not brought back.
    gone = session.doomed if account in session.restored else ()
    odd = [entry for entry in held ^ wanted if entry[0] not in gone]
    # Nothing can be deleted out of a chat that another device deleted meanwhile.
    odd = [entry for entry in odd if entry[0] not in session.doomed or entry[:2] not in session.erased]
    if odd:
        return f"I14: the server differs in {sorted(map(str, odd))[:4]}"
    return _facts_differ(session, device.store.facts(account), server, {key[0] for key in own_words})


def _facts_differ(
    session: "Session", facts: Facts, server: "ModelServer", unsettled: set[ChatId]
) -> str | None:
    if facts.missing:
        return f"I14: still has holes in {dict(facts.missing)}"
    if errands := facts.errands - session.doomed:
        return f"I5: still has errands for {set(errands)}"
    for chat_id, chat in server.state.chats.items():
        if chat_id in session.doomed:
            continue
        if found := _fields_differ(chat_id, facts.chats.get(chat_id), chat.row):
            return found
        if chat_id not in unsettled and facts.digests[chat_id] != digest(chat):
            return f"I14: {chat_id} has another digest"
        context = {source: row.body for source, row in chat.context.items() if not row.deleted}
        here = {source: text for (pinned_to, source), text in facts.context.items() if pinned_to == chat_id}
        if context != here:
            return f"I14: {chat_id} has pinned {here}, not {context}"
    told = {(row.chat_id, row.message_id) for row in server.state.log if isinstance(row, UsageChange)}
    if unknown := {key for key in told - facts.usage if key[0] not in session.doomed}:
        return f"I14: does not know what {sorted(unknown)[:3]} cost"
    projects = server.state.projects.items()
    differences = (_fields_differ(each, facts.projects.get(each), row) for each, row in projects)
    return next(filter(None, differences), None)


def _fields_differ(subject: str, fields: Mapping[str, object] | None, row: object) -> str | None:
    if fields is None:
        return f"I14: does not know {subject}"
    odd = {name: value for name, value in fields.items() if value != getattr(row, name)}
    return f"I14: {subject} has {odd}, which the server has not" if odd else None


def check_converged(session: "Session", account: AccountId) -> None:
    """I14, with everything in its place."""
    found = difference(session, account)
    assert found is None, f"second {session.clockwork.now:.0f}: {found}"


def check_quiescent(session: "Session", account: AccountId, idle_requests: int) -> None:
    """I5 to I8, I28 and I29 once nothing moves any more."""
    server = session.servers[account]
    for chat_id, chat in server.state.chats.items():
        numbers = [row.sequence_num for row in chat.messages]
        assert numbers == list(range(1, len(numbers) + 1)), f"I7: {chat_id} has {numbers}"
    if account not in session.restored:
        live = {(row.chat_id, row.message_id) for row in server.live() if row.chat_id not in session.doomed}
        # Under an id that two devices gave away, only one of the texts was deleted.
        back = {key for key in session.erased & live if not key[1].startswith("same-")}
        assert not back, f"{sorted(back)[:3]} came back after they were deleted"
    for device in session.devices:
        check_always(session, device)
        _check_words(session, device, account)
        _check_edits(session, device, account)
        _check_idle(session, device)
        if account not in session.restored:
            _check_author_order(session, device, server)
    assert idle_requests <= MOST_IDLE_REQUESTS * len(session.devices), f"I29: {idle_requests} idle requests"
    messages = sum(len(device.committed) for device in session.devices) + server.head
    assert session.network.requests < 400 + REQUESTS_PER_MESSAGE * messages, "I29: too many requests"


def check_patience(session: "Session") -> None:
    """I29: however bad the weather was, nobody asked again and again without a wait."""
    content = sum(len(device.committed) for device in session.devices)
    content += sum(server.head for server in session.servers.values())
    seconds = session.script.storm * len(session.devices)
    most = 20 + 3 * content + 1.5 * seconds
    assert session.network.requests < most, (
        f"I29: {session.network.requests} requests where {most:.0f} are plenty"
    )


def _check_words(session: "Session", device: "Device", account: AccountId) -> None:
    """I5, I28: nobody's words stay behind but for a reason that the device shows."""
    server = session.servers[account]
    restored = account in session.restored
    rows = {(row.chat_id, row.message_id): row for row in device.store.rows()}
    for key, row in rows.items():
        if row.state is not SyncState.REJECTED or row.owner != account:
            continue
        assert row.reason, f"I28: {device.name} set {key} aside without a reason"
        excused = restored or key[0] in session.doomed or not row.text.startswith("text-")
        assert excused, f"I28: {device.name} set the innocent {key} aside: {row.reason}"
    there = {(row.chat_id, row.message_id) for row in server.live()}
    for key, text in device.committed.items():
        if session.owners[key[0]] != account or not text.startswith("text-"):
            continue
        if (row_here := rows.get(key)) is None:
            continue
        arrived = key in there or key in session.erased or row_here.state is not SyncState.SYNCED
        excused = restored and key[0] in session.doomed
        assert arrived or excused or row_here.deleted, f"I5: {device.name} lost {key}"


def _check_edits(session: "Session", device: "Device", account: AccountId) -> None:
    """No edit is lost: every last value of a field that was edited here reached the server."""
    saved = session.servers[account].saved
    for (subject, name), value in device.edited.items():
        if subject in session.doomed or session.owners.get(subject, account) != account:
            continue
        # What is as in a new chat needs no words.
        assert not value or (subject, name, value) in saved, f"I5: {device.name} lost its {name} of {subject}"


def _check_idle(session: "Session", device: "Device") -> None:
    timers = set(device.timers) - IDLE_TIMERS
    assert not timers, f"I29: idle {device.name} still has {timers}"
    assert Timer.POLL in device.timers or device.waiting, f"I13: idle {device.name} will not ask again"
    status = device.status
    assert status is not None
    # What waits in a chat that the server refuses waits on; everything else is level.
    waits = device.store.waiting(device.account) if device.account is not None else frozenset()
    wanted = {Phase.PENDING if waits else Phase.SYNCED}
    if waits <= session.doomed:
        # In a chat that its person deleted it is out of sight.
        wanted.add(Phase.SYNCED)
    assert status.phase in wanted, f"{device.name} is level and shows {status.phase}: {status.last_error}"
    assert status.missing == 0, f"{device.name} is level and shows {status.missing} missing"


def _check_author_order(session: "Session", device: "Device", server: "ModelServer") -> None:
    """I8, for messages that no person sent a second time."""
    last: dict[str, int] = {}
    for (chat_id, message_id), text in device.committed.items():
        chat = server.state.chats.get(chat_id)
        number = chat.numbers.get(message_id) if chat else None
        if number is None or message_id in device.retried or text in ("mine", "yours"):
            continue
        assert number > last.get(chat_id, 0), f"I8: {device.name} {chat_id} {message_id} out of order"
        last[chat_id] = number
