"""What a device over dictionaries takes in: pages of changes, history, heads, and the server's words on its own."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from storage.exchange import (
    BatchFault,
    Change,
    ChangePage,
    ChatChange,
    ContextChange,
    Errand,
    ErrandKind,
    ErrandVerdict,
    Head,
    HistoryPage,
    MessageChange,
    Parcel,
    ProjectChange,
    Receipt,
    SnapshotChange,
    Span,
    UsageChange,
    Verdict,
    VerdictStatus,
)
from storage.records import AccountId, ChatId, Cursor, MessageId, SyncState
from tests.simulation.rows import (
    NEW_CHAT,
    NEW_PROJECT,
    Edited,
    LocalChat,
    LocalMessage,
    Side,
)
from tests.simulation.server import digest_of

GONE = "This chat was deleted on another device."
CONFIRMED = (VerdictStatus.INSERTED, VerdictStatus.DUPLICATE)


@dataclass(slots=True)
class Intake:
    """One device's durable state, and how it follows the server. Every method is one transaction."""

    held: dict[ChatId, LocalChat] = field(default_factory=dict)
    sides: dict[AccountId, Side] = field(default_factory=dict)
    pending: dict[tuple[ChatId, MessageId], int] = field(default_factory=dict)
    orders: int = 0
    errands: int = 0

    def side(self, account: AccountId) -> Side:
        if (side := self.sides.get(account)) is None:
            side = self.sides[account] = Side()
        return side

    def apply(self, account: AccountId, page: ChangePage) -> bool:
        side = self.side(account)
        if not page.reset:
            if page.epoch != side.cursor.epoch or page.cursor < side.cursor.change:
                return False
            if self._contradicts(account, side, page.changes):
                return False
        if page.reset:
            self._begin(account, side)
        self._take_all(account, side, page.changes)
        side.cursor = Cursor(page.epoch, page.cursor)
        self._clear_suspicions(account, side)
        if not page.more:
            side.pulls += 1
            if side.recovering:
                side.recovering = False
                self._requeue_lost(account, side)
        return True

    def open_with(self, account: AccountId, page: ChangePage) -> None:
        side = self.side(account)
        if page.reset and side.cursor.epoch != page.epoch:
            self._begin(account, side)
            side.recovering = False
            for chat in self.held.values():
                chat.suspect = chat.suspect or chat.owner == account
        self._take_all(account, side, page.changes)

    def opened(self, account: AccountId, cursor: Cursor | None) -> None:
        side = self.side(account)
        side.opened = True
        if cursor is not None:
            side.cursor = cursor
            self._requeue_unseen(account, side)
            self._clear_suspicions(account, side)

    def apply_history(self, account: AccountId, page: HistoryPage) -> bool:
        side = self.side(account)
        if page.epoch != side.cursor.epoch or self._contradicts(account, side, page.messages):
            return False
        self._take_all(account, side, page.messages)
        self._clear_suspicions(account, side)
        return True

    def compare(self, account: AccountId, heads: Iterable[Head]) -> int:
        side, suspects = self.side(account), 0
        for head in heads:
            chat = self._chat(account, head.chat_id)
            if chat is None:
                continue
            chat.last = max(chat.last, head.last_sequence_num)
            if chat.missing or chat.suspect:
                continue
            if digest(chat) == head.digest:
                chat.differed = None
            elif chat.differed is None or chat.differed == side.pulls:
                chat.differed = side.pulls
            else:
                suspects += 1
                self._suspect(chat)
        return suspects

    def advance(self, account: AccountId, span: Span) -> bool:
        side = self.side(account)
        if side.cursor != Cursor(span.epoch, span.before):
            return False
        side.cursor = Cursor(span.epoch, span.head)
        return True

    def record_receipt(self, account: AccountId, epoch: str, parcel: Parcel, receipt: Receipt) -> None:
        side = self.side(account)
        if side.cursor.epoch != epoch:
            return
        saved = {_subject(change): change.change for change in receipt.changes}
        for project_edit, project_verdict in zip(parcel.projects, receipt.projects, strict=True):
            refusal = None if project_verdict.accepted else project_verdict.reason or "refused"
            project = side.projects[project_edit.project_id]
            project.confirm(project_edit, refusal, side.generation, saved.get(project_edit.project_id))
        for edit, verdict in zip(parcel.edits, receipt.chats, strict=True):
            refusal = None if verdict.accepted else verdict.reason or "refused"
            self.held[edit.chat_id].row.confirm(edit, refusal, side.generation, saved.get(edit.chat_id))
        for batch, answer in zip(parcel.batches, receipt.batches, strict=True):
            chat = self.held[batch.chat_id]
            for message_verdict in answer.verdicts:
                self._record(side, chat, message_verdict)
            if answer.fault is not None:
                self._record_fault(chat, answer.fault, [message.message_id for message in batch.messages])
        # What a pull has told already may be newer than this answer.
        news = [change for change in receipt.changes if change.change > side.cursor.change]
        self._take_all(account, side, news)

    def record_errand(self, account: AccountId, number: int, verdict: ErrandVerdict) -> None:
        side = self.side(account)
        for errand in side.errands:
            if errand.number == number and not (verdict.accepted and verdict.more):
                side.errands.remove(errand)
                if not verdict.accepted:
                    side.refused_errands.append((errand, verdict.reason or ""))
                return

    def set_aside(self, chat_id: ChatId, message_ids: Iterable[MessageId], reason: str) -> None:
        for message_id in message_ids:
            local = self.held[chat_id].messages.get(message_id)
            if local is not None and local.state is SyncState.PENDING:
                self._reject(local, reason)

    def add_errand(self, account: AccountId, kind: ErrandKind, subject: str, body: dict[str, object]) -> None:
        self.errands += 1
        self.side(account).errands.append(Errand(self.errands, kind, subject, body))

    def _record_fault(self, chat: LocalChat, fault: BatchFault, message_ids: list[MessageId]) -> None:
        """Left to the engine: it has the chat saved anew, or the messages set aside."""

    def _record(self, side: Side, chat: LocalChat, verdict: Verdict) -> None:
        local = chat.messages.get(verdict.message_id)
        if local is None or local.state is SyncState.SYNCED:
            return
        if verdict.status not in CONFIRMED:
            if local.state is SyncState.PENDING:
                self._reject(local, verdict.reason or "refused")
            return
        assert verdict.sequence_num is not None
        seen = local.theirs
        local.number, local.reason, local.generation = verdict.sequence_num, None, side.generation
        local.revision = int(verdict.status is VerdictStatus.INSERTED)
        local.state = SyncState.SYNCED
        chat.hold(verdict.sequence_num, local.message_id)
        if seen is not None:
            local.take(seen, side.generation)
        self._settle(chat, local)

    def _settle(self, chat: LocalChat, local: LocalMessage) -> None:
        self.pending.pop((local.chat_id, local.message_id), None)
        if local.withdrawn:
            local.withdrawn = False
            local.deleted, local.content = True, ()
            self._delete_there(chat.owner, local.chat_id, local.message_id)

    def _delete_there(self, account: AccountId, chat_id: ChatId, message_id: MessageId) -> None:
        """Also when the server was wound back: what was deleted never returns by itself."""
        body: dict[str, object] = {"p_message_ids": [message_id]}
        if all(errand.body != body for errand in self.side(account).errands):
            self.add_errand(account, ErrandKind.DELETE_MESSAGES, chat_id, body)

    def _reject(self, local: LocalMessage, reason: str) -> None:
        chat = self.held[local.chat_id]
        local.state, local.reason = SyncState.REJECTED, reason
        self.pending.pop((local.chat_id, local.message_id), None)
        if local.withdrawn and local.theirs is not None:
            local.withdrawn = False
            local.take(local.theirs, self.side(chat.owner).generation)
        elif local.withdrawn:
            del chat.messages[local.message_id]

    def _queue(self, local: LocalMessage) -> None:
        local.state, local.reason, local.number = SyncState.PENDING, None, None
        self.pending[local.chat_id, local.message_id] = local.order

    def _contradicts(self, account: AccountId, side: Side, changes: Iterable[Change]) -> bool:
        for change in changes:
            if type(change) is not MessageChange:
                continue
            chat = self.held.get(change.chat_id)
            if chat is None or chat.owner != account:
                continue
            if chat.held.get(change.sequence_num, change.message_id) != change.message_id:
                return True
            local = chat.messages.get(change.message_id)
            if (
                local is not None
                and local.number not in (None, change.sequence_num)
                and local.generation == side.generation
            ):
                return True
        return False

    def _begin(self, account: AccountId, side: Side) -> None:
        side.generation += 1
        for project in side.projects.values():
            project.change, project.shadow = 0, None
        for chat in self.held.values():
            if chat.owner != account:
                continue
            shown = chat.row.generation is not None or any(
                local.state is SyncState.SYNCED and not local.deleted for local in chat.messages.values()
            )
            side.recovering = side.recovering or (shown and not chat.deleted)
            chat.held.clear()
            chat.last, chat.suspect, chat.differed = 0, False, None
            chat.row.change, chat.row.shadow = 0, None
            chat.context = {source: (0, text) for source, (_, text) in chat.context.items()}
            for local in chat.messages.values():
                local.theirs = None

    def _take_all(self, account: AccountId, side: Side, changes: Iterable[Change]) -> None:
        doomed = []
        for change in changes:
            kind = type(change)
            if kind is MessageChange:
                assert isinstance(change, MessageChange)
                self._take_message(account, side, change)
            elif isinstance(change, ChatChange):
                if (chat := self._chat(account, change.chat_id)) is not None:
                    self._take_chat(side, chat, change)
                    doomed += [change.chat_id] if change.deleted and chat.deleted else []
            elif isinstance(change, ProjectChange):
                held = side.projects.setdefault(change.project_id, Edited(dict(NEW_PROJECT), set()))
                held.take(change, side.generation)
            elif isinstance(change, ContextChange):
                self._take_context(account, change)
            elif isinstance(change, UsageChange):
                side.usage.add((change.chat_id, change.message_id))
            elif isinstance(change, SnapshotChange):
                side.snapshots[change.project_id] = change.content_hash
        for chat_id in doomed:
            self.set_aside(chat_id, [each for chat, each in self.pending if chat == chat_id], GONE)

    def _take_context(self, account: AccountId, change: ContextChange) -> None:
        chat = self._chat(account, change.chat_id)
        if chat is not None and chat.context.get(change.source, (0, None))[0] < change.change:
            chat.context[change.source] = (change.change, None if change.deleted else change.body)

    def _take_chat(self, side: Side, chat: LocalChat, change: ChatChange) -> None:
        chat.row.take(change, side.generation)
        chat.last = max(chat.last, change.last_sequence_num)

    def _take_message(self, account: AccountId, side: Side, change: MessageChange) -> None:
        chat = self._chat(account, change.chat_id)
        if chat is None:
            return
        chat.hold(change.sequence_num, change.message_id)
        local = chat.messages.get(change.message_id)
        if local is None:
            self.orders += 1
            local = LocalMessage(
                change.chat_id, change.message_id, self.orders, change.created_at, change.content, change.role
            )
            chat.messages[change.message_id] = local
            local.take(change, side.generation)
        elif local.state is SyncState.SYNCED:
            if local.generation < side.generation or local.revision <= change.revision:
                local.take(change, side.generation)
                if local.deleted and not change.deleted:
                    self._delete_there(account, change.chat_id, change.message_id)
        else:
            local.theirs = change
            if not change.deleted and (local.role, local.content) == (change.role, change.content):
                local.take(change, side.generation)
                self._settle(chat, local)

    def _chat(self, account: AccountId, chat_id: ChatId) -> LocalChat | None:
        """The account's chat, made when it is new; another owner's is not touched (I21)."""
        chat = self.held.get(chat_id)
        if chat is None:
            row = Edited(dict(NEW_CHAT), set(), generation=self.side(account).generation)
            chat = self.held[chat_id] = LocalChat(account, row)
        return chat if chat.owner == account else None

    def _requeue_lost(self, account: AccountId, side: Side) -> None:
        for chat in self.held.values():
            if chat.owner == account and not chat.deleted:
                self._requeue_old(chat, side)
        self._requeue_unseen(account, side)

    def _requeue_unseen(self, account: AccountId, side: Side) -> None:
        rows = [chat.row for chat in self.held.values() if chat.owner == account]
        for row in (*rows, *side.projects.values()):
            if row.generation is not None and row.generation < side.generation and not row.fields["deleted"]:
                row.generation = None
                row.mark(set(row.fields) - {"deleted"})
        for chat_id, chat in self.held.items():
            for source, (change, text) in chat.context.items():
                if chat.owner == account and not change and text is not None:
                    self.add_errand(account, ErrandKind.PIN_CONTEXT, chat_id, pinning(source, text))

    def _requeue_old(self, chat: LocalChat, side: Side) -> None:
        for local in chat.messages.values():
            lost = local.state is SyncState.SYNCED and not local.deleted
            if lost and local.generation < side.generation:
                self._queue(local)

    def _suspect(self, chat: LocalChat) -> None:
        chat.suspect, chat.differed = True, None
        chat.held.clear()
        for local in chat.messages.values():
            if local.state is SyncState.SYNCED:
                local.generation = -1

    def _clear_suspicions(self, account: AccountId, side: Side) -> None:
        """What the server does not hold after all, of a chat that is whole again, it gets once more."""
        for chat in self.held.values():
            if chat.suspect and chat.owner == account and side.opened and not chat.missing:
                chat.suspect = False
                if not chat.deleted:
                    self._requeue_old(chat, side)


def _subject(change: ChatChange | ProjectChange) -> str:
    return change.chat_id if isinstance(change, ChatChange) else change.project_id


def pinning(source: str, text: str) -> dict[str, object]:
    """The body of an errand that pins one resource."""
    return {"p_resources": [{"source": source, "kind": "document", "body": text}]}


def digest(chat: LocalChat) -> str:
    """As the server's, over what is held; of words that it has not confirmed, what it holds under their id."""
    rows = []
    for local in chat.messages.values():
        if local.state is SyncState.SYNCED:
            if chat.held.get(local.number or 0) == local.message_id:
                rows.append((local.number, local.message_id, local.revision))
        elif local.theirs is not None:
            rows.append((local.theirs.sequence_num, local.message_id, local.theirs.revision))
    return digest_of(rows)
