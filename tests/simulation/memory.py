"""The store's semantics over dictionaries: fast, and a second opinion on what storage has to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from storage.errors import UnknownChat
from storage.exchange import Batch, ChatEdit, Errand, ErrandKind, Parcel, ParcelWork, ProjectEdit
from storage.records import (
    LOCAL_ACCOUNT,
    AccountId,
    ChatId,
    Counts,
    Hole,
    MessageId,
    ProjectId,
    SyncState,
)
from sync.engine.interface import (
    AdvanceCursor,
    ApplyChanges,
    ApplyHistory,
    ApplySummary,
    ChangesApplied,
    CompareHeads,
    CountWork,
    FinishOpening,
    HeadsCompared,
    HistoryApplied,
    HolesLoaded,
    LoadHoles,
    LoadWork,
    RecordErrand,
    RecordReceipt,
    RequeueChat,
    SetAside,
    StoreAnswer,
    Stored,
    StoreEffect,
    WorkCounted,
    WorkLoaded,
)
from tests.simulation.intake import Intake, digest, pinning
from tests.simulation.port import Facts, Row
from tests.simulation.rows import CREATION, NEW_CHAT, NEW_PROJECT, Edited, LocalChat, LocalMessage

MOST_EDITS = 3
CHUNKS, CHUNK_ROWS = 2, 4


@dataclass(slots=True)
class MemoryStore(Intake):
    """One device's durable state: what people do to it, and what its engine asks of it."""

    def create_chat(self, owner: AccountId, chat_id: ChatId, title: str) -> None:
        row = Edited(NEW_CHAT | {"title": title}, set(CREATION))
        self.held[chat_id] = LocalChat(owner, row)

    def edit_chat(self, chat_id: ChatId, name: str, value: Any) -> None:
        self.held[chat_id].row.edit(name, value)

    def save_project(self, owner: AccountId, project_id: ProjectId, name: str, value: Any) -> None:
        projects = self.side(owner).projects
        if project_id not in projects:
            projects[project_id] = Edited(dict(NEW_PROJECT), {"name", "description", "status"})
        projects[project_id].edit(name, value)

    def commit(self, chat_id: ChatId, message_id: MessageId, text: str, wall: float) -> None:
        chat = self.held.get(chat_id)
        if chat is None:
            raise UnknownChat("There is no such chat here.")
        if message_id not in chat.messages:
            self.orders += 1
            content = ({"type": "text", "text": text},)
            chat.messages[message_id] = LocalMessage(chat_id, message_id, self.orders, f"{wall:.3f}", content)
            self.pending[chat_id, message_id] = self.orders

    def delete_message(self, chat_id: ChatId, message_id: MessageId) -> None:
        chat = self.held[chat_id]
        local = chat.messages[message_id]
        if local.state is SyncState.SYNCED:
            local.deleted, local.content = True, ()
            body: dict[str, object] = {"p_message_ids": [message_id]}
            self.add_errand(chat.owner, ErrandKind.DELETE_MESSAGES, chat_id, body)
        else:
            local.withdrawn = True

    def clear_chat(self, chat_id: ChatId) -> None:
        chat = self.held[chat_id]
        through = chat.last
        for local in chat.messages.values():
            if local.state is SyncState.SYNCED:
                local.deleted, local.content = True, ()
            else:
                local.withdrawn = True
        if through:
            self.add_errand(chat.owner, ErrandKind.CLEAR_CHAT, chat_id, {"p_through": through})

    def pin(self, chat_id: ChatId, source: str, text: str) -> None:
        chat = self.held[chat_id]
        chat.context[source] = (chat.context.get(source, (0, None))[0], text)
        self.add_errand(chat.owner, ErrandKind.PIN_CONTEXT, chat_id, pinning(source, text))

    def unpin(self, chat_id: ChatId, source: str) -> None:
        chat = self.held[chat_id]
        chat.context[source] = (chat.context.get(source, (0, None))[0], None)
        self.add_errand(chat.owner, ErrandKind.UNPIN_CONTEXT, chat_id, {"p_sources": [source]})

    def retry(self, chat_id: ChatId, message_id: MessageId) -> None:
        chat = self.held[chat_id]
        local = chat.messages[message_id]
        if local.state is SyncState.REJECTED and (local.theirs is None or local.theirs.deleted):
            chat.row.refused = None
            self._queue(local)

    def keep_mine(self, chat_id: ChatId, message_id: MessageId) -> MessageId | None:
        """The new id; None while the server's side of the conflict is not known here."""
        chat = self.held[chat_id]
        mine = chat.messages[message_id]
        if mine.state is not SyncState.REJECTED or mine.theirs is None:
            return None
        self.orders += 1
        new_id = MessageId(f"{message_id}-kept")
        copy = LocalMessage(chat_id, new_id, self.orders, mine.created_at, mine.content)
        chat.messages[new_id] = copy
        self._queue(copy)
        mine.take(mine.theirs, self.side(chat.owner).generation)
        return new_id

    def keep_theirs(self, chat_id: ChatId, message_id: MessageId) -> bool:
        chat = self.held[chat_id]
        mine = chat.messages[message_id]
        if mine.state is not SyncState.REJECTED or mine.theirs is None:
            return False
        mine.take(mine.theirs, self.side(chat.owner).generation)
        return True

    def adopt(self, account: AccountId, chat_ids: Sequence[ChatId] | None) -> None:
        for chat_id, chat in self.held.items():
            wanted = chat_ids is None or chat_id in chat_ids
            if chat.owner == LOCAL_ACCOUNT and wanted and not chat.deleted:
                chat.owner = account
                chat.row.mark(CREATION)
                local = self.side(LOCAL_ACCOUNT).errands
                self.side(account).errands += [errand for errand in local if errand.subject == chat_id]
                local[:] = [errand for errand in local if errand.subject != chat_id]

    def forget_kinds(self, account: AccountId) -> None:
        side = self.side(account)
        side.opened = False
        side.usage.clear()
        side.snapshots.clear()
        side.projects = {key: project for key, project in side.projects.items() if project.marked}
        waiting = {errand.subject for errand in side.errands}
        for chat_id, chat in self.held.items():
            if chat.owner == account and chat_id not in waiting:
                chat.context.clear()

    def corrupt(self, random: Random) -> ChatId | None:
        """A row that the disk lost without a word."""
        found = [
            local
            for chat in self.held.values()
            for local in chat.messages.values()
            if local.state is SyncState.SYNCED and not chat.deleted
        ]
        if not found:
            return None
        lost = random.choice(found)
        del self.held[lost.chat_id].messages[lost.message_id]
        return lost.chat_id

    def chats(self, owners: Sequence[AccountId]) -> list[ChatId]:
        return [chat_id for chat_id, chat in self.held.items() if not chat.deleted and chat.owner in owners]

    def rows(self) -> list[Row]:
        return [
            Row(
                chat.owner,
                local.chat_id,
                local.message_id,
                local.number,
                local.state,
                local.text,
                local.reason,
                local.deleted or local.withdrawn,
            )
            for chat in self.held.values()
            for local in chat.messages.values()
        ]

    def waiting(self, account: AccountId) -> frozenset[ChatId]:
        return frozenset(chat_id for chat_id, _ in self.pending if self.held[chat_id].owner == account)

    def facts(self, account: AccountId) -> Facts:
        side = self.side(account)
        chats = {chat_id: chat for chat_id, chat in self.held.items() if chat.owner == account}
        return Facts(
            side.cursor,
            side.opened,
            {chat_id: dict(chat.row.fields) for chat_id, chat in chats.items()},
            {project_id: dict(project.fields) for project_id, project in side.projects.items()},
            {chat_id: chat.missing for chat_id, chat in chats.items() if chat.missing},
            {chat_id: frozenset(chat.held) for chat_id, chat in chats.items()},
            {chat_id: digest(chat) for chat_id, chat in chats.items()},
            {
                (chat_id, source): text
                for chat_id, chat in chats.items()
                for source, (_, text) in chat.context.items()
                if text is not None
            },
            frozenset(side.usage),
            frozenset(errand.subject for errand in side.errands),
        )

    def close(self) -> None:
        """Nothing is open."""

    def perform(self, effect: StoreEffect) -> StoreAnswer:
        match effect:
            case LoadWork(request, account, after, blocked, limit):
                return WorkLoaded(request, self.load_work(account, after, blocked, limit))
            case CountWork():
                return self._count(effect)
            case LoadHoles(request, account, chat_id, before):
                return HolesLoaded(request, self.holes(account, chat_id, before))
            case ApplyChanges(request, account, page):
                return ChangesApplied(request, self.apply(account, page))
            case AdvanceCursor(request, account, span):
                return ChangesApplied(request, self.advance(account, span))
            case ApplyHistory(request, account, past):
                return HistoryApplied(request, self.apply_history(account, past))
            case CompareHeads(request, account, heads):
                return HeadsCompared(request, self.compare(account, heads))
            case _:
                self._note(effect)
                return Stored(effect.request)

    def _note(self, effect: StoreEffect) -> None:
        match effect:
            case RecordReceipt(_, account, epoch, parcel, receipt):
                self.record_receipt(account, epoch, parcel, receipt)
            case ApplySummary(_, account, page):
                self.open_with(account, page)
            case FinishOpening(_, account, cursor):
                self.opened(account, cursor)
            case RecordErrand(_, account, number, verdict):
                self.record_errand(account, number, verdict)
            case SetAside(_, chat_id, message_ids, reason):
                self.set_aside(chat_id, message_ids, reason)
            case RequeueChat(_, chat_id):
                self.held[chat_id].row.generation = None
                self.held[chat_id].row.mark(CREATION)

    def load_work(
        self, account: AccountId, after: Mapping[ChatId, int], blocked: frozenset[str], limit: int
    ) -> ParcelWork:
        side = self.side(account)
        projects = tuple(
            ProjectEdit(project_id, project.revision, project.unsent())
            for project_id, project in side.projects.items()
            if project.marked and not project.refused
        )
        edits = [
            ChatEdit(chat_id, chat.row.revision, chat.row.unsent())
            for chat_id, chat in self.held.items()
            if chat.row.marked and not chat.row.refused and chat.owner == account
        ][:MOST_EDITS]
        saved = {edit.chat_id for edit in edits}
        batches: dict[ChatId, list[LocalMessage]] = {}
        room = limit
        for chat_id, message_id in sorted(self.pending, key=self.pending.__getitem__):
            chat = self.held[chat_id]
            if not room:
                break
            if chat.owner != account or chat_id in blocked:
                continue
            if chat.row.generation is None and chat_id not in saved:
                continue
            if self.pending[chat_id, message_id] > after.get(chat_id, 0):
                batches.setdefault(chat_id, []).append(chat.messages[message_id])
                room -= 1
        parcel = Parcel(
            projects,
            tuple(edits),
            tuple(
                Batch(chat_id, tuple(local.message() for local in found))
                for chat_id, found in batches.items()
            ),
        )
        return ParcelWork(parcel, self._errand(account), side.cursor, side.opened)

    def _errand(self, account: AccountId) -> Errand | None:
        for errand in self.side(account).errands:
            chat = self.held.get(ChatId(errand.subject))
            if chat is None or chat.row.generation is not None:
                return errand
        return None

    def holes(
        self, account: AccountId, chat_id: ChatId | None, before: int | None
    ) -> tuple[tuple[Hole, ...], ...]:
        chats = [chat_id] if chat_id is not None else list(reversed(self.held))
        chunks: list[tuple[Hole, ...]] = []
        chunk: list[Hole] = []
        room = CHUNK_ROWS
        for each in chats:
            chat = self.held[each]
            if chat.owner != account or not chat.missing:
                continue
            for hole in _holes(each, chat, before if chat_id is not None else None):
                first, last = hole
                while last >= first:
                    start = max(first, last - room + 1)
                    chunk.append(Hole(each, start, last))
                    room -= last - start + 1
                    last = start - 1
                    if not room:
                        chunks.append(tuple(chunk))
                        chunk, room = [], CHUNK_ROWS
                        if len(chunks) == CHUNKS:
                            return tuple(chunks)
        if chunk:
            chunks.append(tuple(chunk))
        return tuple(chunks)

    def _count(self, effect: CountWork) -> WorkCounted:
        account = effect.account_id or LOCAL_ACCOUNT
        pending = sum(self.held[chat_id].owner == account for chat_id, _ in self.pending)
        mine = [chat for chat in self.held.values() if chat.owner == account]
        missing, known = sum(chat.missing for chat in mine), sum(chat.last for chat in mine)
        return WorkCounted(effect.request, Counts(pending, 0, None), None, None, missing, known)


def _holes(chat_id: ChatId, chat: LocalChat, before: int | None) -> list[tuple[int, int]]:
    """Newest first."""
    found: list[tuple[int, int]] = []
    last = None
    for number in range(chat.last if before is None else min(chat.last, before - 1), -1, -1):
        absent = number > 0 and number not in chat.held
        if absent and last is None:
            last = number
        elif not absent and last is not None:
            found.append((number + 1, last))
            last = None
    return found
