"""Whatever two accounts and signed-out work do on one computer: nothing of one leaves with another's token (I21)."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import accounts, adoption, aside, chats, context, messages, projects, removal, snapshots
from storage.errors import StorageError
from storage.exchange import (
    BatchVerdict,
    ChatVerdict,
    ErrandVerdict,
    ProjectVerdict,
    Receipt,
    Verdict,
    VerdictStatus,
)
from storage.inbound import inbox
from storage.outbound import errands, outbox
from storage.records import LOCAL_ACCOUNT, Account, AccountId, ChatId, MessageId, ProjectId
from storage.resources import Resource
from storage.store import Store
from storage.transaction import Transaction
from tests.fakes.changes import change_page, chat_change, message_change
from tests.fakes.kinds import context_change, project_change, snapshot_change

OWNERS: Final = (AccountId("<a>"), AccountId("<b>"), LOCAL_ACCOUNT)
ACCOUNTS: Final = OWNERS[:2]
Step: TypeAlias = tuple[int, int, int]


class _Enough(Exception):
    """Rolls the example back, so that the next one finds the store empty."""


class Computer:
    """Every id and text carries the mark of who wrote it."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.count = 0
        for account_id in ACCOUNTS:
            accounts.remember(tx, Account(account_id, "http://127.0.0.1:1", "key", "", account_id, True))
            assert inbox.apply(tx, account_id, change_page([], reset=True, cursor=0))

    def mark(self, owner: AccountId) -> str:
        self.count += 1
        return f"{owner} {self.count}"

    def chat(self, place: int) -> tuple[ChatId, AccountId]:
        found = self.tx.db.execute("select chat_id, account_id from chats order by rowid").fetchall()
        return found[place % len(found)] if found else self.create_chat(place, 0)

    def create_chat(self, who: int, _: int) -> tuple[ChatId, AccountId]:
        owner = OWNERS[who % 3]
        made = chats.create(self.tx, self.mark(owner), account_id=owner, chat_id=ChatId(self.mark(owner)))
        return made.chat_id, owner

    def create_project(self, who: int, _: int) -> None:
        owner = OWNERS[who % 3]
        project_id = ProjectId(self.mark(owner))
        projects.create(self.tx, self.mark(owner), account_id=owner, project_id=project_id)
        snapshots.save(self.tx, project_id, {"a": self.mark(owner)})

    def say(self, place: int, _: int) -> None:
        chat_id, owner = self.chat(place)
        messages.commit(self.tx, chat_id, self.mark(owner), message_id=MessageId(self.mark(owner)))

    def pin(self, place: int, _: int) -> None:
        chat_id, owner = self.chat(place)
        context.pin(self.tx, chat_id, [Resource(self.mark(owner), "document", self.mark(owner))])

    def change(self, place: int, other: int) -> None:
        chat_id, owner = self.chat(place)
        match other % 4:
            case 0:
                chats.rename(self.tx, chat_id, self.mark(owner))
            case 1:
                chats.delete(self.tx, chat_id)
            case 2:
                chats.restore(self.tx, chat_id)
            case _:
                chats.pin(self.tx, chat_id)

    def set_project(self, place: int, other: int) -> None:
        if (project_id := self.project(other)) is not None:
            chats.set_project(self.tx, self.chat(place)[0], project_id)

    def project(self, place: int) -> ProjectId | None:
        found = self.tx.db.execute("select project_id from projects order by rowid").fetchall()
        return found[place % len(found)][0] if found else None

    def remove(self, place: int, other: int) -> None:
        chat_id, _ = self.chat(place)
        if other % 3 == 0:
            removal.clear(self.tx, chat_id)
        elif shown := messages.page(self.tx.db, chat_id).messages:
            removal.delete(self.tx, chat_id, [shown[other % len(shown)].message_id])

    def adopt(self, who: int, place: int) -> None:
        adoption.adopt(self.tx, ACCOUNTS[who % 2], None if place % 5 == 0 else [self.chat(place)[0]])

    def retry(self, who: int, _: int) -> None:
        aside.retry_all(self.tx, [ACCOUNTS[who % 2], LOCAL_ACCOUNT])

    def push(self, who: int, refused: int) -> None:
        account_id = ACCOUNTS[who % 2]
        parcel = outbox.load_parcel(self.tx.db, account_id).parcel
        taken = refused % 3 > 0
        status = VerdictStatus.INSERTED if taken else VerdictStatus.REJECTED
        receipt = Receipt(
            tuple(ProjectVerdict(edit.project_id, taken, None) for edit in parcel.projects),
            tuple(ChatVerdict(edit.chat_id, taken, None) for edit in parcel.edits),
            tuple(
                BatchVerdict(
                    batch.chat_id,
                    None,
                    tuple(
                        Verdict(each.message_id, status, each.local_order if taken else None, None)
                        for each in batch.messages
                    ),
                )
                for batch in parcel.batches
            ),
            (),
            None,
        )
        # The other account's device hears this word too: it is not its own.
        for each in ACCOUNTS[:: 1 if who % 2 == 0 else -1]:
            outbox.record_receipt(self.tx, each, "epoch-1", parcel, receipt)
        if (errand := errands.next(self.tx.db, account_id)) is not None:
            for each in ACCOUNTS:
                errands.record(self.tx, each, errand.number, ErrandVerdict(taken, None))

    def pull(self, who: int, place: int) -> None:
        """A server may hold what is somebody else's here."""
        account_id = ACCOUNTS[who % 2]
        chat_id, _ = self.chat(place)
        change = inbox.cursor(self.tx.db, account_id).change
        project_id = self.project(place) or self.mark(account_id)
        page = change_page(
            [
                chat_change(change + 1, chat_id, self.mark(account_id)),
                message_change(
                    change + 2, chat_id, self.mark(account_id), change + 1000, self.mark(account_id)
                ),
                context_change(change + 3, chat_id, self.mark(account_id)),
                snapshot_change(change + 4, project_id, self.mark(account_id)),
                project_change(change + 5, project_id, self.mark(account_id)),
            ]
        )
        inbox.apply(self.tx, account_id, page)

    def check(self) -> None:
        for mine, other in (ACCOUNTS, ACCOUNTS[::-1]):
            parcel = outbox.load_parcel(self.tx.db, mine).parcel
            assert other not in str((parcel, errands.next(self.tx.db, mine)))
            for project_id in filter(None, (edit.fields.get("project_id") for edit in parcel.edits)):
                assert projects.get(self.tx.db, project_id).account_id == mine
            for table in ("messages", "context", "errands", "snapshots", "projects", "chats"):
                owned = (
                    "chat_id in (select chat_id from chats where account_id = ?)"
                    if table == "messages"
                    else "account_id = ?"
                )
                assert other not in str(
                    self.tx.db.execute(f"select * from {table} where {owned}", (mine,)).fetchall()
                )
        assert self.tx.db.execute("select count(*) from errands where account_id = 'local'").fetchone() == (
            0,
        )


ACTIONS: Final[tuple[Callable[[Computer, int, int], object], ...]] = (
    Computer.create_chat, Computer.create_project, Computer.say, Computer.say, Computer.pin, Computer.change,
    Computer.set_project, Computer.remove, Computer.adopt, Computer.retry, Computer.push, Computer.push, Computer.pull,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.integers(0, len(ACTIONS) - 1), st.integers(0, 11), st.integers(0, 11)),
        min_size=5,
        max_size=40,
    )
)
def test_nothing_of_one_account_leaves_with_another(store: Store, steps: list[Step]) -> None:
    def live(tx: Transaction) -> None:
        computer = Computer(tx)
        for action, one, other in steps:
            with suppress(StorageError):
                ACTIONS[action](computer, one, other)
            computer.check()
        raise _Enough

    with pytest.raises(_Enough):
        store.write(live).result()
