from dataclasses import replace

import pytest

from storage import chats, context
from storage.context import Pinned
from storage.errors import InvalidResource, UnknownChat
from storage.exchange import ContextChange, ErrandKind
from storage.inbound import kinds
from storage.outbound import errands
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId
from storage.resources import Resource
from storage.store import Store
from tests.fakes.kinds import DONE, answer, context_change, digest, share_chat

CHAT = ChatId("chat")


def test_a_pin_is_there_at_once_and_goes_out_once_the_server_has_the_chat(
    store: Store, account: AccountId
) -> None:
    store.write(lambda tx: chats.create(tx, "Trip", account_id=account, chat_id=CHAT)).result()
    pin(store, "a.md", "hello")
    assert [(each.source, each.body, each.pending) for each in pinned(store)] == [("a.md", "hello", True)]
    assert store.read(lambda db: errands.next(db, account)) is None
    share_chat(store, account, CHAT)
    errand = store.read(lambda db: errands.next(db, account))
    assert errand is not None
    assert (errand.kind, errand.subject) == (ErrandKind.PIN_CONTEXT, CHAT)
    (sent,) = errand.body["p_resources"]
    assert (sent["source"], sent["body"], sent["status"]) == ("a.md", "hello", "ok")
    answer(store, account)
    assert [each.pending for each in pinned(store)] == [False]


@pytest.mark.parametrize("unpinned", [False, True])
def test_what_waits_is_not_overwritten_and_the_server_has_the_last_word(
    store: Store, account: AccountId, unpinned: bool
) -> None:
    share_chat(store, account, CHAT)
    if unpinned:
        take(store, account, context_change(2, CHAT, "a.md", "theirs"))
        store.write(lambda tx: context.unpin(tx, CHAT, ["a.md", "unknown"])).result()
    else:
        pin(store, "a.md", "mine")
    before = pinned(store)
    take(store, account, context_change(3, CHAT, "a.md", "newer"))
    assert pinned(store) == before
    answer(store, account)
    assert [each.body for each in pinned(store)] == ["newer"]


def test_the_servers_answer_to_a_pin_is_taken_over_while_it_waits(store: Store, account: AccountId) -> None:
    share_chat(store, account, CHAT)
    pin(store, "a.md", "mine <!-- hidden -->")
    take(store, account, context_change(3, CHAT, "a.md", "other"))
    change = context_change(4, CHAT, "a.md", "mine <!-- hidden -->")
    take(store, account, replace(change, body="mine "))
    assert [each.body for each in pinned(store)] == ["mine "]
    answer(store, account)
    assert [(each.body, each.pending) for each in pinned(store)] == [("mine ", False)]


def test_pins_and_unpins_of_a_chat_go_in_their_order(store: Store, account: AccountId) -> None:
    share_chat(store, account, CHAT)
    pin(store, "a.md", "one")
    store.write(lambda tx: context.unpin(tx, CHAT, ["a.md"])).result()
    pin(store, "a.md", "two")
    sent = []
    while (errand := store.read(lambda db: errands.next(db, account))) is not None:
        sent.append(errand.kind)
        record(store, account, errand.number)
        assert [each.pending for each in pinned(store)] in ([len(sent) < 3], [])
    assert sent == [ErrandKind.PIN_CONTEXT, ErrandKind.UNPIN_CONTEXT, ErrandKind.PIN_CONTEXT]


def test_a_large_pin_goes_in_parts(store: Store, account: AccountId) -> None:
    share_chat(store, account, CHAT)
    resources = [Resource(f"{number:02}.md", "document", "x" * 60_000) for number in range(12)]
    store.write(lambda tx: context.pin(tx, CHAT, resources)).result()
    assert answer(store, account) == 3
    assert not any(each.pending for each in pinned(store))


def test_a_resource_without_its_text_says_why(store: Store, account: AccountId) -> None:
    share_chat(store, account, CHAT)
    resources = [
        Resource("big", "document", "x" * 65_537),
        Resource("secret", "mcp_config", "password"),
        Resource("gone", "skill", status="unreadable", reason="No such file."),
    ]
    store.write(lambda tx: context.pin(tx, CHAT, resources)).result()
    assert [(each.source, each.status, each.body) for each in pinned(store)] == [
        ("big", "oversize", ""),
        ("gone", "unreadable", ""),
        ("secret", "ok", ""),
    ]
    errand = store.read(lambda db: errands.next(db, account))
    assert errand is not None
    assert "password" not in str(errand.body)
    assert digest("password") in str(errand.body)


@pytest.mark.parametrize(
    "resource",
    [
        Resource("", "document", "x"),
        Resource("a\0", "document", "x"),
        Resource("a" * 1025, "document", "x"),
        Resource("a", "plugin", "x"),
        Resource("a", "document"),
        Resource("a", "document", status="invalid"),
        Resource("a", "document", "x", status="lost"),
    ],
)
def test_what_cannot_be_pinned_is_refused_and_nothing_is_changed(
    store: Store, account: AccountId, resource: Resource
) -> None:
    share_chat(store, account, CHAT)
    with pytest.raises(InvalidResource):
        store.write(lambda tx: context.pin(tx, CHAT, [Resource("good", "document", "x"), resource])).result()
    assert pinned(store) == []


def test_there_is_nothing_to_pin_to_a_chat_that_is_not_here(store: Store) -> None:
    with pytest.raises(UnknownChat):
        store.write(lambda tx: context.pin(tx, CHAT, [Resource("a", "document", "x")])).result()


def test_signed_out_pins_need_no_errand(store: Store) -> None:
    store.write(lambda tx: chats.create(tx, "Trip", chat_id=CHAT)).result()
    pin(store, "a.md", "one")
    pin(store, "b.md", "two")
    store.write(lambda tx: context.unpin(tx, CHAT, ["a.md"])).result()
    assert [(each.source, each.pending) for each in pinned(store)] == [("b.md", False)]
    assert store.read(lambda db: db.execute("select count(*) from errands").fetchone()) == (0,)


def test_context_that_comes_before_its_chat_makes_it(store: Store, account: AccountId) -> None:
    take(store, account, context_change(1, CHAT, "a.md"))
    assert store.read(lambda db: chats.get(db, CHAT)).account_id == account
    assert [each.source for each in pinned(store)] == ["a.md"]


def test_what_another_account_pulls_touches_nothing(store: Store, account: AccountId) -> None:
    store.write(lambda tx: chats.create(tx, "Trip", account_id=LOCAL_ACCOUNT, chat_id=CHAT)).result()
    take(store, account, context_change(1, CHAT, "a.md"))
    assert pinned(store) == []


def pin(store: Store, source: str, body: str) -> list[Pinned]:
    return store.write(lambda tx: context.pin(tx, CHAT, [Resource(source, "document", body)])).result()


def pinned(store: Store) -> list[Pinned]:
    return store.read(lambda db: context.list_pinned(db, CHAT))


def take(store: Store, account: AccountId, change: ContextChange) -> None:
    store.write(lambda tx: kinds.apply(tx, account, 0, change)).result()


def record(store: Store, account: AccountId, number: int) -> None:
    store.write(lambda tx: errands.record(tx, account, number, DONE)).result()
