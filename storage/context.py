"""Resources pinned to a chat: rows here at once, and errands to the server.

A pin or an unpin that waits for its answer is not overwritten by a pull: what the server shows meanwhile is kept beside
it, and is the last word once the errand is answered. Signed-out chats have no errands: adoption makes them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from storage import rows
from storage.errors import UnknownChat
from storage.exchange import ContextChange, ErrandKind
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId
from storage.resources import SECRETIVE, Resource, checked, digest
from storage.standing import orders
from storage.transaction import Reader, Transaction

_MAX_PARCEL: Final = 500_000

_ROW: Final = (
    "source, kind, name, status, reason, body, source_hash, content_hash, octets, pending, deleted_at"
)


@dataclass(frozen=True, slots=True)
class Pinned:
    """A pinned resource. `octets` is the size of the text as it is kept; `pending` until the server has it."""

    source: str
    kind: str
    name: str
    status: str
    reason: str | None
    body: str
    source_hash: str | None
    content_hash: str
    octets: int
    pending: bool


def pin(tx: Transaction, chat_id: ChatId, resources: Sequence[Resource]) -> list[Pinned]:
    """Pins them, in place of what had their sources. Raises UnknownChat or InvalidResource; nothing is changed then."""
    owner = _owner(tx.db, chat_id)
    pins = {resource.source: resource for resource in map(checked, resources)}
    now = tx.now()
    for resource in pins.values():
        body = resource.body or ""
        tx.db.execute(
            "insert into context (chat_id, source, account_id, kind, name, status, reason, body, source_hash, "
            "content_hash, octets, created_at, updated_at, pending) "
            "values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13) "
            "on conflict (chat_id, source) do update set kind = ?4, name = ?5, status = ?6, reason = ?7, body = ?8, "
            "source_hash = ?9, content_hash = ?10, octets = ?11, updated_at = ?12, deleted_at = null, pending = ?13",
            (
                chat_id, resource.source, owner, resource.kind, resource.name, resource.status, resource.reason,
                body, resource.source_hash, digest(body), len(body.encode()), now, int(owner != LOCAL_ACCOUNT),
            ),
        )  # fmt: skip
    if owner != LOCAL_ACCOUNT:
        _order_pins(tx, owner, chat_id, pins.values())
    tx.touch_chat(chat_id)
    return [pinned for pinned in list_pinned(tx.db, chat_id) if pinned.source in pins]


def unpin(tx: Transaction, chat_id: ChatId, sources: Sequence[str]) -> None:
    """Unpins what has these sources; no message changes. Raises UnknownChat."""
    owner = _owner(tx.db, chat_id)
    held = [pinned.source for pinned in list_pinned(tx.db, chat_id) if pinned.source in set(sources)]
    if owner == LOCAL_ACCOUNT:
        for source in held:
            tx.db.execute("delete from context where chat_id = ? and source = ?", (chat_id, source))
    elif held:
        tx.db.execute(
            "update context set deleted_at = ?1, updated_at = ?1, body = '', content_hash = ?2, octets = 0, pending = 1 "
            "where chat_id = ?3 and source in (select value from json_each(?4))",
            (tx.now(), digest(""), chat_id, rows.encode(held)),
        )
        orders.add(tx, owner, ErrandKind.UNPIN_CONTEXT, chat_id, {"p_sources": held})
    tx.touch_chat(chat_id)


def list_pinned(db: Reader, chat_id: ChatId) -> list[Pinned]:
    """The chat's pinned resources by source."""
    found = db.execute(
        f"select {_ROW} from context where chat_id = ? and deleted_at is null order by source", (chat_id,)
    )
    return [_pinned(row) for row in found]


def apply(tx: Transaction, account_id: AccountId, generation: int, change: ContextChange) -> None:
    """Takes over the server's row, unless it is hidden by a pin or an unpin that waits. The chat is the account's."""
    held = tx.db.execute(
        f"select {_ROW} from context where chat_id = ? and source = ?", (change.chat_id, change.source)
    ).fetchone()
    if held and held[-2] and not _answers(held, change):
        tx.db.execute(
            "update context set shadow = ?, generation = ? where chat_id = ? and source = ?",
            (rows.encode(asdict(change)), generation, change.chat_id, change.source),
        )
        return
    tx.db.execute(
        "insert into context (chat_id, source, account_id, kind, name, status, reason, body, source_hash, "
        "content_hash, octets, deleted_at, created_at, updated_at, generation) "
        "values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) "
        "on conflict (chat_id, source) do update set kind = ?4, name = ?5, status = ?6, reason = ?7, body = ?8, "
        "source_hash = ?9, content_hash = ?10, octets = ?11, deleted_at = ?12, created_at = ?13, updated_at = ?14, "
        "generation = ?15, shadow = null",
        (
            change.chat_id, change.source, account_id, change.kind, change.name, change.status, change.reason,
            change.body, change.source_hash, change.content_hash, change.octets,
            change.updated_at if change.deleted else None, change.created_at, change.updated_at, generation,
        ),
    )  # fmt: skip
    tx.touch_chat(change.chat_id)


def settle(tx: Transaction, chat_id: ChatId, sources: Iterable[str]) -> None:
    """An errand about these was answered: those that no other errand is about now show what the server has."""
    waiting = set(_waiting(tx.db, chat_id))
    for source in sources:
        if source in waiting:
            continue
        row = tx.db.execute(
            "update context set pending = 0, "
            "generation = (select a.generation from accounts a where a.account_id = context.account_id) "
            "where chat_id = ? and source = ? returning account_id, generation, shadow",
            (chat_id, source),
        ).fetchone()
        if row is not None and row[2] is not None:
            apply(tx, row[0], row[1], ContextChange(**json.loads(row[2])))


def send_again(
    tx: Transaction, account_id: AccountId, chat_id: ChatId, generation: int | None = None
) -> None:
    """Queues every pinned resource of the chat that does not wait already, or those shown before a generation."""
    found = tx.db.execute(
        "update context set pending = 1, account_id = ?2, shadow = null where chat_id = ?1 and deleted_at is null "
        "and pending = 0 and (?3 is null or generation < ?3) "
        "returning source, kind, name, status, reason, body, source_hash",
        (chat_id, account_id, generation),
    ).fetchall()
    _order_pins(tx, account_id, chat_id, [_resource(row) for row in sorted(found)])


def sources_of(body: Mapping[str, Any]) -> list[str]:
    """Which resources the body of a pin or an unpin is about."""
    return [*body.get("p_sources", ()), *(each["source"] for each in body.get("p_resources", ()))]


def _pinned(row: tuple[Any, ...]) -> Pinned:
    source, kind, name, status, reason, body, source_hash, content_hash, octets, pending, _ = row
    return Pinned(source, kind, name, status, reason, body, source_hash, content_hash, octets, bool(pending))


def _waiting(db: Reader, chat_id: ChatId) -> Iterator[str]:
    for errand in orders.of_subject(db, chat_id, ErrandKind.PIN_CONTEXT, ErrandKind.UNPIN_CONTEXT):
        yield from sources_of(errand.body)


def _order_pins(
    tx: Transaction, account_id: AccountId, chat_id: ChatId, resources: Iterable[Resource]
) -> None:
    parcel: list[dict[str, Any]] = []
    size = 0
    for resource in resources:
        octets = len((resource.body or "").encode()) * 2 + 4096
        if parcel and (size + octets > _MAX_PARCEL or len(parcel) == 500):
            orders.add(tx, account_id, ErrandKind.PIN_CONTEXT, chat_id, {"p_resources": parcel})
            parcel, size = [], 0
        parcel.append(_json(resource))
        size += octets
    if parcel:
        orders.add(tx, account_id, ErrandKind.PIN_CONTEXT, chat_id, {"p_resources": parcel})


def _json(resource: Resource) -> dict[str, Any]:
    return {name: value for name, value in asdict(resource).items() if value is not None}


def _resource(row: tuple[Any, ...]) -> Resource:
    source, kind, name, status, reason, body, source_hash = row
    bodied = status == "ok" and kind != SECRETIVE
    return Resource(source, kind, body if bodied else None, name, status, reason, source_hash)


def _answers(held: tuple[Any, ...], change: ContextChange) -> bool:
    _, kind, name, _, _, _, source_hash, _, _, _, deleted_at = held
    if change.deleted or deleted_at is not None:
        return change.deleted and deleted_at is not None
    return (kind, name, source_hash) == (change.kind, change.name, change.source_hash)


def _owner(db: Reader, chat_id: ChatId) -> AccountId:
    row = db.execute(
        "select account_id from chats where chat_id = ? and deleted_at is null", (chat_id,)
    ).fetchone()
    if row is None:
        raise UnknownChat(f"There is no chat {chat_id} here: choose one from the list, or sync first")
    return AccountId(row[0])
