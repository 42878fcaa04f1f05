"""What each act of a script does: to a device, to its person's words, or to the server behind everybody's back."""

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

from storage.errors import InvalidMessage, StorageError
from storage.exchange import Batch, ChatEdit
from storage.records import (
    LOCAL_ACCOUNT,
    AccountId,
    ChatId,
    Message,
    MessageId,
    MessageStatus,
    ProjectId,
    Role,
    SyncState,
)
from sync.engine.interface import HistoryWanted, NetworkChanged
from tests.simulation.port import Row
from tests.simulation.script import Act, Kind
from tests.simulation.server import POISON_CALL, POISON_CHAT, POISON_ITEM, ModelServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.device import Device
    from tests.simulation.world import Session


class People:
    """Performs acts. Each draws its particulars from its own salt."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._clockwork = session.clockwork
        self._ids = 0
        self._tickets = 0
        self._random = Random(0)
        self._do: dict[Kind, Callable[[Device], None]] = {
            Kind.WRITE: self._write,
            Kind.NEW_CHAT: self._begin_chat,
            Kind.CRASH: self._crash,
            Kind.AWAY: self._away,
            Kind.FLAP: self._flap,
            Kind.SIGN_OUT: self._sign_out,
            Kind.SWITCH: self._switch,
            Kind.ADOPT: self._adopt,
            Kind.RENAME: self._rename,
            Kind.DELETE_CHAT: self._delete_chat,
            Kind.ERASE: self._erase,
            Kind.CLEAR: self._clear,
            Kind.SAME_ID: self._same_id,
            Kind.RESOLVE: self._resolve,
            Kind.RETRY: self._retry,
            Kind.LOOK: self._look,
            Kind.ROUND: self.ask_for_round,
            Kind.PROJECT: self._project,
            Kind.PIN: self._pin,
            Kind.SLEEP: self._sleep,
            Kind.FULL: self._fill_disk,
            Kind.CORRUPT: self._corrupt,
            Kind.BACK_UP: self._back_up,
            Kind.RESTORE: self._restore,
            Kind.TOMBSTONE: self._tombstone,
            Kind.FOREIGN: self._foreign,
            Kind.USAGE: self._usage,
            Kind.UPGRADE: self._upgrade,
            Kind.EARLIER: self._come_from_earlier,
        }

    def act(self, act: Act) -> None:
        """Do it; what the disk refuses stays in the composer."""
        self._random = Random(act.salt)
        device = self._session.devices[act.device]
        self._clockwork.note(device.name, "acts", act.kind.value)
        try:
            self._do[act.kind](device)
        except StorageError as error:
            self._clockwork.note(device.name, "cannot", error)
        if self._happens(0.25):
            self._session.look(device)

    def new_id(self, kind: str) -> str:
        self._ids += 1
        return f"{kind}-{self._ids}"

    def trickle(self, account: AccountId) -> None:
        """Somebody else, at another program, writes a message."""
        server = self._session.servers[account]
        open_chats = [chat_id for chat_id, chat in server.state.chats.items() if not chat.row.deleted]
        if open_chats:
            self._append(server, open_chats[self._ids % len(open_chats)])

    def ask_for_round(self, device: "Device") -> None:
        """Somebody waits until everything is level."""
        if device.alive:
            self._tickets += 1
            self._session.expect(device, self._tickets)
            device.ask(self._tickets)

    def _write(self, device: "Device") -> None:
        chats = device.store.chats(device.shown)
        if not chats:
            self._begin_chat(device)
            return
        self._type(device, self._random.choice(chats))

    def _type(self, device: "Device", chat_id: ChatId) -> None:
        for _ in range(self._random.choice((1, 1, 1, 2, 4, 9))):
            text = self.new_id("text")
            if self._happens(self._session.script.faults.poison):
                text = self._random.choice((POISON_CALL, POISON_ITEM))
            device.commit(chat_id, MessageId(self.new_id("message")), text)
        device.written()

    def _begin_chat(self, device: "Device") -> None:
        self._type(device, self._make_chat(device, device.owner))

    def _make_chat(self, device: "Device", owner: AccountId) -> ChatId:
        chat_id = ChatId(self.new_id("chat"))
        poisoned = self._happens(self._session.script.faults.poison / 3)
        device.refuse_when_full()
        self._session.owners[chat_id] = owner
        device.store.create_chat(owner, chat_id, POISON_CHAT if poisoned else chat_id)
        self._session.doomed.update({chat_id} if poisoned else ())
        return chat_id

    def _crash(self, device: "Device") -> None:
        self._stop(device, 10)

    def _away(self, device: "Device") -> None:
        self._stop(device, 200)

    def _stop(self, device: "Device", longest: float) -> None:
        if device.alive:
            device.crash()
            self._session.look(device)
            self._clockwork.after(self._random.random() * longest, device.start)

    def _flap(self, device: "Device") -> None:
        device.hear(NetworkChanged(False))
        self._clockwork.after(self._random.random() * 10, device.hear, NetworkChanged(True))

    def _sign_out(self, device: "Device") -> None:
        account = device.account
        device.sign(None)
        self._clockwork.after(self._random.random() * 10, device.sign, account)

    def _switch(self, device: "Device") -> None:
        others = [account for account in self._session.servers if account != device.account]
        if others:
            if self._happens(0.3):
                device.sign(None)
            self._clockwork.after(self._random.random() * 3, device.sign, self._random.choice(others))

    def _adopt(self, device: "Device") -> None:
        """Work signed out for a moment, then take it into the account, perhaps dying over it."""
        account = device.account or next(iter(self._session.servers))
        device.sign(None)
        self._type(device, self._make_chat(device, LOCAL_ACCOUNT))
        self._clockwork.after(self._random.random() * 3, self._bring, device, account, self._random.random())

    def _bring(self, device: "Device", account: AccountId, luck: float) -> None:
        device.sign(account)
        found = device.store.chats((LOCAL_ACCOUNT,))
        wanted = None if luck < 0.6 else found[:1]
        if device.full or not found:
            return
        for _ in range(1 + (luck < 0.3)):
            device.store.adopt(account, wanted)
        for chat_id in found if wanted is None else wanted:
            self._session.owners[chat_id] = account
        if luck < 0.15:
            device.crash()
            self._clockwork.after(1, device.start)
        device.written()

    def _rename(self, device: "Device") -> None:
        if (chat_id := self._any_chat(device)) is not None:
            name, value = self._random.choice(
                (("title", self.new_id("title")), ("pinned", True), ("pinned", False), ("archived", True))
            )
            device.refuse_when_full()
            device.store.edit_chat(chat_id, name, value)
            device.edited[chat_id, name] = value
            device.written()

    def _delete_chat(self, device: "Device") -> None:
        if (chat_id := self._any_chat(device)) is not None:
            device.refuse_when_full()
            self._session.doomed.add(chat_id)
            device.store.edit_chat(chat_id, "deleted", True)
            device.edited[chat_id, "deleted"] = True
            device.written()

    def _erase(self, device: "Device") -> None:
        open_chats = device.store.chats(device.shown)
        rows = [row for row in device.store.rows() if row.chat_id in open_chats and not row.deleted]
        if rows:
            row = self._random.choice(rows)
            device.refuse_when_full()
            device.store.delete_message(row.chat_id, row.message_id)
            self._gone(device, row)
            device.written()

    def _clear(self, device: "Device") -> None:
        if (chat_id := self._any_chat(device)) is not None:
            rows = [row for row in device.store.rows() if row.chat_id == chat_id]
            device.refuse_when_full()
            device.store.clear_chat(chat_id)
            for row in rows:
                self._gone(device, row)
            device.written()

    def _gone(self, device: "Device", row: Row) -> None:
        key = (row.chat_id, row.message_id)
        device.erased.add(key)
        # Of what was set aside the server may have other words under the same id.
        if row.state is not SyncState.REJECTED:
            self._session.erased.add(key)

    def _same_id(self, device: "Device") -> None:
        """Two devices use one id for different words, as a broken import would."""
        other = self._random.choice(self._session.devices)
        if other is device or device.account is None or other.account != device.account:
            return
        both = sorted(set(device.store.chats((device.account,))) & set(other.store.chats((device.account,))))
        if both:
            message_id = MessageId(self.new_id("same"))
            for writer, text in ((device, "mine"), (other, "yours")):
                writer.commit(both[0], message_id, text)
                writer.written()

    def _resolve(self, device: "Device") -> None:
        for row in device.store.rows():
            if row.state is not SyncState.REJECTED or row.owner not in device.shown or row.deleted:
                continue
            device.refuse_when_full()
            key = (row.chat_id, row.message_id)
            if self._happens(0.5):
                new_id = device.store.keep_mine(row.chat_id, row.message_id)
                if new_id is not None:
                    device.committed.pop(key, None)
                    device.committed[row.chat_id, new_id] = row.text
                    device.retried.add(new_id)
            elif device.store.keep_theirs(row.chat_id, row.message_id):
                device.committed.pop(key, None)
        device.written()

    def _retry(self, device: "Device") -> None:
        device.refuse_when_full()
        for row in device.store.rows():
            if row.state is SyncState.REJECTED and row.owner in device.shown and not row.deleted:
                with suppress(InvalidMessage):
                    device.store.retry(row.chat_id, row.message_id)
                    device.retried.add(row.message_id)
        device.written()

    def _look(self, device: "Device") -> None:
        if (chat_id := self._any_chat(device)) is not None:
            device.hear(HistoryWanted(chat_id, self._random.choice((None, None, 3, 8))))

    def _project(self, device: "Device") -> None:
        if device.account is None:
            return
        known = sorted(device.store.facts(device.account).projects)
        if known and self._happens(0.6):
            project_id = self._random.choice(known)
        else:
            project_id = ProjectId(self.new_id("project"))
            self._session.owners[project_id] = device.account
        name = self._random.choice(("name", "description"))
        value = self.new_id("name")
        device.refuse_when_full()
        device.store.save_project(device.account, project_id, name, value)
        device.edited[project_id, name] = value
        chats = device.store.chats((device.account,))
        if chats and self._happens(0.5):
            device.store.edit_chat(chats[0], "project_id", project_id)
            device.edited[chats[0], "project_id"] = project_id
        device.written()

    def _pin(self, device: "Device") -> None:
        if (chat_id := self._any_chat(device)) is not None:
            source = self._random.choice(("one", "two"))
            device.refuse_when_full()
            if self._happens(0.7):
                device.store.pin(chat_id, source, self.new_id("body"))
            else:
                device.store.unpin(chat_id, source)
            device.written()

    def _sleep(self, device: "Device") -> None:
        device.sleep(self._random.choice((60.0, 3600.0, 1e6)))

    def _fill_disk(self, device: "Device") -> None:
        device.full = True
        self._clockwork.after(self._random.random() * 20, self._free_disk, device)

    def _free_disk(self, device: "Device") -> None:
        device.full = False

    def _corrupt(self, device: "Device") -> None:
        if (chat_id := device.store.corrupt(self._random)) is not None:
            self._clockwork.note(device.name, "loses a row of", chat_id)
            device.corrupted.add(chat_id)

    def _back_up(self, device: "Device") -> None:
        account = device.account or next(iter(self._session.servers))
        self._session.backups.append((account, self._session.servers[account].snapshot()))

    def _restore(self, device: "Device") -> None:
        if self._session.backups:
            account, state = self._random.choice(self._session.backups)
            self._clockwork.note("server", "restored", account)
            self._session.restored.add(account)
            self._session.servers[account].restore(state)
            self._session.poke(account)

    def _tombstone(self, device: "Device") -> None:
        server = self._server_of(device)
        if rows := list(server.live()):
            row = self._random.choice(rows)
            if not server.state.chats[row.chat_id].row.deleted:
                server.delete_messages(row.chat_id, [row.message_id])
                self._session.erased.add((row.chat_id, row.message_id))
                self._poke_owner(device)

    def _foreign(self, device: "Device") -> None:
        server = self._server_of(device)
        open_chats = [chat_id for chat_id, chat in server.state.chats.items() if not chat.row.deleted]
        if not open_chats or self._happens(0.3):
            chat_id = ChatId(self.new_id("foreign"))
            self._session.owners[chat_id] = self._account_of(device)
            server.save_chats((ChatEdit(chat_id, 1, {"title": chat_id}),))
            open_chats = [chat_id]
        chosen = self._random.choice(open_chats)
        for _ in range(self._random.choice((1, 3, 8, 14))):
            self._append(server, chosen)
        if self._happens(0.3):
            server.save_chats((ChatEdit(chosen, 1, {"title": self.new_id("theirs")}),))
        self._poke_owner(device)

    def _usage(self, device: "Device") -> None:
        server = self._server_of(device)
        if rows := list(server.live()):
            row = self._random.choice(rows)
            server.add_usage(row.chat_id, row.message_id)
            self._poke_owner(device)

    def _upgrade(self, device: "Device") -> None:
        for server in self._session.servers.values():
            server.modern = True

    def _come_from_earlier(self, device: "Device") -> None:
        """The program ends, and what starts again finds the store of the first release, which knew few kinds.

        Of the others an older server tells only what changes from then on.
        """
        if device.account is None or not self._session.servers[device.account].modern:
            return
        device.crash()
        device.store.forget_kinds(device.account)
        self._clockwork.after(self._random.random() * 3, device.start)

    def _append(self, server: ModelServer, chat_id: ChatId) -> None:
        message = Message(
            chat_id,
            MessageId(self.new_id("message")),
            None,
            Role.ASSISTANT,
            ({"type": "text", "text": self.new_id("reply")},),
            None,
            None,
            MessageStatus.COMPLETE,
            SyncState.PENDING,
            None,
            "2026-01-01T00:00:00Z",
            0,
        )
        server.append_messages(Batch(chat_id, (message,)))

    def _any_chat(self, device: "Device") -> ChatId | None:
        chats = device.store.chats(device.shown)
        return self._random.choice(chats) if chats else None

    def _account_of(self, device: "Device") -> AccountId:
        return device.account or next(iter(self._session.servers))

    def _server_of(self, device: "Device") -> ModelServer:
        return self._session.servers[self._account_of(device)]

    def _poke_owner(self, device: "Device") -> None:
        self._session.poke(self._account_of(device))

    def _happens(self, probability: float) -> bool:
        return probability > 0.0 and self._random.random() < probability
