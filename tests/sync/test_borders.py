"""The borders against the real one-machine server: sign up, push, pull, hear a poke, renew, sign out."""

import asyncio
import dataclasses
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from storage.exchange import (
    Batch,
    BatchFault,
    ChatChange,
    ChatEdit,
    ContextChange,
    Errand,
    ErrandKind,
    ErrandVerdict,
    MessageChange,
    Parcel,
    ProjectChange,
    ProjectEdit,
    SnapshotChange,
    VerdictStatus,
)
from storage.records import (
    Account,
    AccountId,
    ChatId,
    Cursor,
    Hole,
    Message,
    MessageId,
    MessageStatus,
    ProjectId,
    Role,
    SyncState,
)
from sync.errors import AccountGone, Refused, SessionOver, SignInAgain
from sync.login.session import Session, SessionKeeper
from sync.login.session_file import Sessions
from sync.login.vault import SessionStoreKind
from sync.wire import auth
from sync.wire.endpoint import endpoint
from sync.wire.realtime import Pokes
from sync.wire.remote import SupabaseRemote
from tests.fakes.served import PASSWORD, Served
from tests.fakes.tokens import ListedTokens

pytestmark = pytest.mark.xdist_group("served-borders")


def message(chat_id: ChatId, text: str) -> Message:
    return Message(
        chat_id=chat_id,
        message_id=MessageId(str(uuid.uuid4())),
        sequence_num=None,
        role=Role.USER,
        content=({"type": "text", "text": text}, {"type": "data-later", "kept": [1, None]}),
        annotations={"stars": 5},
        turn_id=None,
        status=MessageStatus.COMPLETE,
        sync_state=SyncState.PENDING,
        sync_error=None,
        created_at="2026-11-21T10:00:00.000Z",
        local_order=1,
    )


def somebody() -> str:
    return f"{uuid.uuid4().hex}@example.test"


async def signed_up(served: Served) -> Session:
    return await auth.sign_up(served.url, served.key, somebody(), PASSWORD)


def keeper(served: Served, folder: Path, session: Session) -> SessionKeeper:
    account = Account(AccountId("a"), served.url, served.key, session.email, session.user_id, signed_in=True)
    sessions = Sessions(folder, SessionStoreKind.FILE)
    sessions.of(account.account_id).save(session)
    return auth.keeper_of(account, sessions)


def test_what_one_device_pushes_another_one_pulls(served: Served) -> None:
    async def run() -> None:
        session = await signed_up(served)
        remote = SupabaseRemote(served.url, served.key, ListedTokens(session.access_token))
        chat = ChatId(str(uuid.uuid4()))
        batch = Batch(chat, (message(chat, "one"), message(chat, "two")))
        try:
            (saved,) = await remote.save_chats([ChatEdit(chat, 1, {"title": "Trains"})])
            assert saved.accepted
            first = await remote.append_messages(batch)
            assert [(verdict.status, verdict.sequence_num) for verdict in first] == [
                (VerdictStatus.INSERTED, 1),
                (VerdictStatus.INSERTED, 2),
            ]
            again = await remote.append_messages(batch)
            assert {verdict.status for verdict in again} == {VerdictStatus.DUPLICATE}
            page = await remote.pull_changes(Cursor(), 500)
            assert page.reset
            assert not page.more
            assert page.cursor == page.head
            chats = [change for change in page.changes if isinstance(change, ChatChange)]
            messages = [change for change in page.changes if isinstance(change, MessageChange)]
            assert [change.title for change in chats] == ["Trains"]
            assert [change.content for change in messages] == [sent.content for sent in batch.messages]
            assert messages[0].annotations == {"stars": 5}
            level = await remote.pull_changes(Cursor(page.epoch, page.cursor), 500)
            assert (level.changes, level.reset, level.cursor) == ((), False, page.cursor)
        finally:
            await remote.aclose()

    asyncio.run(run())


def test_parcels_history_heads_and_errands_speak_with_the_real_server(served: Served) -> None:
    async def run() -> None:
        session = await signed_up(served)
        remote = SupabaseRemote(served.url, served.key, ListedTokens(session.access_token))
        project = ProjectId(str(uuid.uuid4()))
        chat, lost = (ChatId(str(uuid.uuid4())) for _ in range(2))
        batch = Batch(chat, tuple(message(chat, f"number {number}") for number in range(1, 6)))
        parcel = Parcel(
            (ProjectEdit(project, 1, {"name": "Rails"}),),
            (ChatEdit(chat, 1, {"title": "Trains", "project_id": project}),),
            (batch, Batch(lost, (message(lost, "nowhere"),))),
        )
        try:
            receipt = await remote.push(parcel)
            assert receipt.projects[0].accepted
            assert receipt.chats[0].accepted
            assert [verdict.sequence_num for verdict in receipt.batches[0].verdicts] == [1, 2, 3, 4, 5]
            assert receipt.batches[1].fault is BatchFault.UNKNOWN
            assert receipt.span is not None
            assert receipt.span.head - receipt.span.before == 7
            again = await remote.push(parcel)
            assert {verdict.status for verdict in again.batches[0].verdicts} == {VerdictStatus.DUPLICATE}

            summary = await remote.pull_summary(Cursor(), 500)
            assert [type(change) for change in summary.changes] == [ProjectChange, ChatChange]
            (told,) = [change for change in summary.changes if isinstance(change, ChatChange)]
            assert (told.project_id, told.last_sequence_num) == (project, 5)
            page = await remote.pull_history([Hole(chat, 2, 4), Hole(lost, 1, 1)], 2)
            assert [change.sequence_num for change in page.messages] == [4, 3]
            assert page.covered == (Hole(chat, 3, 4),)
            (head,) = await remote.pull_heads(None, 10)
            assert (head.chat_id, head.last_sequence_num, head.message_count) == (chat, 5, 5)
            assert await remote.pull_heads(chat, 10) == ()

            resource = {"source": "a.md", "kind": "document", "body": "read this"}
            ids = [batch.messages[0].message_id]
            errands: list[tuple[ErrandKind, str, dict[str, Any]]] = [
                (ErrandKind.DELETE_MESSAGES, chat, {"p_message_ids": ids}),
                (ErrandKind.PIN_CONTEXT, chat, {"p_resources": [resource]}),
                (ErrandKind.UNPIN_CONTEXT, chat, {"p_sources": ["a.md"]}),
                (ErrandKind.SAVE_SNAPSHOT, project, {"p_snapshot": {"files": {"a": "b"}}}),
                (ErrandKind.CLEAR_CHAT, chat, {"p_through": 5}),
            ]
            for number, (kind, subject, body) in enumerate(errands):
                for _ in range(2):
                    verdict = await remote.run_errand(Errand(number, kind, subject, body))
                    assert verdict == ErrandVerdict(True, None), kind
            assert receipt.span is not None
            after = await remote.pull_changes(Cursor(receipt.span.epoch, receipt.span.head), 500)
            assert {type(change) for change in after.changes} == {
                ContextChange,
                SnapshotChange,
                MessageChange,
            }
        finally:
            await remote.aclose()

    asyncio.run(run())


def test_an_unknown_chat_is_refused_by_its_code(served: Served) -> None:
    async def run() -> None:
        session = await signed_up(served)
        remote = SupabaseRemote(served.url, served.key, ListedTokens(session.access_token))
        chat = ChatId(str(uuid.uuid4()))
        try:
            with pytest.raises(Refused) as caught:
                await remote.append_messages(Batch(chat, (message(chat, "lost"),)))
            assert caught.value.code == "PT404"
        finally:
            await remote.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("token", ["no.real.token", "nonsense"])
def test_a_worthless_token_asks_to_sign_in(served: Served, token: str) -> None:
    async def run() -> None:
        remote = SupabaseRemote(served.url, served.key, ListedTokens(token))
        try:
            with pytest.raises(SignInAgain):
                await remote.pull_changes(Cursor(), 1)
        finally:
            await remote.aclose()

    asyncio.run(run())


def test_a_wrong_key_is_named_at_the_first_call(served: Served) -> None:
    with pytest.raises(Refused, match="publishable key") as caught:
        asyncio.run(auth.sign_in(served.url, "sb_publishable_wrong", somebody(), PASSWORD))
    assert caught.value.code == "bad_key"


def test_signing_up_twice_and_a_wrong_password_are_told_apart(served: Served) -> None:
    async def run() -> None:
        email = somebody()
        await auth.sign_up(served.url, served.key, email, PASSWORD)
        with pytest.raises(Refused, match="sign in instead"):
            await auth.sign_up(served.url, served.key, email, PASSWORD)
        with pytest.raises(SignInAgain, match="wrong"):
            await auth.sign_in(served.url, served.key, email, "not the password")
        assert (await auth.sign_in(served.url, served.key, email, PASSWORD)).email == email

    asyncio.run(run())


def test_renewals_follow_each_other_and_the_parent_of_the_active_one_is_forgiven(served: Served) -> None:
    async def run() -> None:
        server = endpoint(served.url, served.key)
        first = await signed_up(served)
        second = await auth.refresh(server, first)
        assert second.user_id == first.user_id
        assert second.refresh_token != first.refresh_token
        again = await auth.refresh(server, first)
        assert again.refresh_token == second.refresh_token
        assert (await auth.refresh(server, second)).refresh_token != second.refresh_token

    asyncio.run(run())


def test_an_expired_session_is_renewed_on_the_way_to_the_server(served: Served, tmp_path: Path) -> None:
    async def run() -> None:
        session = await signed_up(served)
        expired = dataclasses.replace(session, access_token="worthless", expires_at=time.time() - 5)
        tokens = keeper(served, tmp_path, expired)
        remote = SupabaseRemote(served.url, served.key, tokens)
        try:
            assert (await remote.pull_changes(Cursor(), 1)).head == 0
            stored = await tokens.session()
            assert stored is not None
            assert stored.refresh_token != session.refresh_token
        finally:
            await remote.aclose()

    asyncio.run(run())


def test_a_token_refused_before_its_time_is_renewed_once(served: Served, tmp_path: Path) -> None:
    async def run() -> None:
        session = await signed_up(served)
        remote = SupabaseRemote(
            served.url,
            served.key,
            keeper(served, tmp_path, dataclasses.replace(session, access_token="a.b.c")),
        )
        try:
            pages = await asyncio.gather(*(remote.pull_changes(Cursor(), 1) for _ in range(4)))
            assert {page.head for page in pages} == {0}
        finally:
            await remote.aclose()

    asyncio.run(run())


def test_after_signing_out_the_login_is_over_for_good(served: Served, tmp_path: Path) -> None:
    async def run() -> None:
        session = await signed_up(served)
        await auth.sign_out(served.url, served.key, session.access_token)
        await auth.sign_out(served.url, served.key, session.access_token)
        tokens = keeper(served, tmp_path, session)
        with pytest.raises(SessionOver):
            await tokens.renewed(session.access_token)
        assert await tokens.session() is None

    asyncio.run(run())


def test_a_deleted_account_is_told_from_a_session_that_is_over(served: Served, tmp_path: Path) -> None:
    async def run() -> None:
        session = await signed_up(served)
        tokens = keeper(served, tmp_path, session)
        remote = SupabaseRemote(served.url, served.key, tokens)
        try:
            await remote.pull_changes(Cursor(), 1)
            with served.database() as database:
                database.execute("delete from auth.users where id = %s", (session.user_id,))
            with pytest.raises(AccountGone, match="deleted"):
                await remote.pull_changes(Cursor(), 1)
            assert await tokens.session() is None
        finally:
            await remote.aclose()

    asyncio.run(run())


def test_a_poke_comes_for_what_another_device_pushed(served: Served, tmp_path: Path) -> None:
    async def run() -> None:
        session = await signed_up(served)
        up, poked = asyncio.Event(), asyncio.Event()
        heads: list[int | None] = []

        def hear(head: int | None) -> None:
            heads.append(head)
            poked.set()

        pokes = Pokes(
            served.url,
            served.key,
            keeper(served, tmp_path, session),
            session.user_id,
            hear,
            lambda link: up.set() if link else up.clear(),
            heartbeat=0.2,
        )
        listening = asyncio.create_task(pokes.run())
        remote = SupabaseRemote(served.url, served.key, ListedTokens(session.access_token))
        try:
            async with asyncio.timeout(20):
                await up.wait()
                await remote.save_chats([ChatEdit(ChatId(str(uuid.uuid4())), 1, {"title": "Trains"})])
                await poked.wait()
            assert up.is_set()
            assert heads == [1]
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await remote.aclose()

    asyncio.run(run())


def test_nobody_joins_the_topic_of_somebody_else(served: Served, tmp_path: Path) -> None:
    async def run() -> None:
        session, stranger = await signed_up(served), await signed_up(served)
        tries = asyncio.Event()
        links: list[bool] = []

        def pause(failures: int) -> float:
            if failures == 2:
                tries.set()
            return 0.0

        pokes = Pokes(
            served.url,
            served.key,
            keeper(served, tmp_path, session),
            stranger.user_id,
            lambda _: None,
            links.append,
            pause=pause,
        )
        listening = asyncio.create_task(pokes.run())
        async with asyncio.timeout(20):
            await tries.wait()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        assert links == []

    asyncio.run(run())
