"""Computers of a person, in this process: real stores and the real sync service."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from storage import chats, messages
from storage.records import AccountId, ChatId, MessageId
from storage.store import Reader, Store
from sync.login.vault import SessionStoreKind
from sync.service import SyncService
from tests.fakes.served import PASSWORD
from tests.fakes.turns import words_of


@dataclass(frozen=True)
class Device:
    """A computer of the person, with a real store and the real sync service."""

    store: Store
    service: SyncService
    account: AccountId

    def say(self, chat: str, words: str) -> str:
        """Commits a message that nobody sent yet."""
        done = self.store.write(lambda tx: messages.commit(tx, ChatId(chat), words)).result(30)
        return done.message_id

    def new_chat(self, title: str) -> str:
        made = self.store.write(lambda tx: chats.create(tx, title, account_id=self.account))
        return made.result(30).chat_id

    def sync(self) -> None:
        report = self.service.run_until_quiet(120)
        assert (report.error, report.pending, report.rejected) == (None, 0, 0)

    def shown(self) -> dict[str, list[tuple[int | None, str]]]:
        """Every chat that is not deleted: (number, words), in order."""

        def read(db: Reader) -> dict[str, list[tuple[int | None, str]]]:
            return {
                chat.chat_id: [
                    (each.sequence_num, words_of(list(each.content)))
                    for each in reversed(messages.page(db, chat.chat_id).messages)
                ]
                for chat in chats.list_chats(db, [self.account])
            }

        return self.store.read(read)

    def knows(self, chat: str, message_id: str) -> bool:
        """Whether it shows a message."""
        return self.store.read(lambda db: messages.get(db, ChatId(chat), MessageId(message_id))) is not None


class Address(Protocol):
    """Where a server is."""

    @property
    def url(self) -> str: ...

    @property
    def key(self) -> str: ...


@contextmanager
def device(folder: Path, served: Address, email: str, *, realtime: bool = False) -> Iterator[Device]:
    """A device that signed in; without realtime it hears of the others when it is told to sync."""
    store = Store.open(folder / "homing.sqlite3")
    service = SyncService(store, folder, session_store=SessionStoreKind.FILE, realtime=realtime)
    service.start()
    try:
        account = service.sign_in(served.url, served.key, email, PASSWORD, adopt=False).result(60)
        yield Device(store, service, account.account_id)
    finally:
        service.stop()
        store.close()
