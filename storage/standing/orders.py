"""The rows of errands: put down by whoever has an order for the server, sent by storage.outbound.errands."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from storage import rows
from storage.exchange import Errand, ErrandKind
from storage.records import AccountId, ChatId
from storage.transaction import Reader, Transaction

COLUMNS: Final = "number, kind, subject, body"


def add(
    tx: Transaction, account_id: AccountId, kind: ErrandKind, subject: str, body: Mapping[str, Any]
) -> int:
    """Queues an errand behind those that wait. `body` holds the function's arguments by their names on the wire."""
    (number,) = tx.db.execute(
        "insert into errands (account_id, kind, subject, body) values (?, ?, ?, ?) returning number",
        (account_id, kind.value, subject, rows.encode(body)),
    ).fetchone()
    return int(number)


def replace(tx: Transaction, number: int, body: Mapping[str, Any]) -> None:
    """Gives a waiting errand another body."""
    tx.db.execute("update errands set body = ? where number = ?", (rows.encode(body), number))


def drop(tx: Transaction, number: int) -> None:
    """The errand is over, whatever came of it."""
    tx.db.execute("delete from errands where number = ?", (number,))


def of_subject(db: Reader, subject: str, *kinds: ErrandKind) -> Iterator[Errand]:
    """The subject's errands of these kinds that are not over, refused ones too, oldest first."""
    found = db.execute(
        f"select {COLUMNS} from errands where subject = ?1 "
        "and kind in (select value from json_each(?2)) order by number",
        (subject, rows.encode([kind.value for kind in kinds])),
    ).fetchall()
    return map(errand, found)


def retry(tx: Transaction, account_ids: Sequence[AccountId]) -> int:
    """Gives every refused errand another try, but for saves that a person has to choose between. Returns how many."""
    again = tx.db.execute(
        "update errands set sync_error = null where sync_error is not null "
        "and account_id in (select value from json_each(?)) and not exists (select 1 from snapshots s "
        f"where s.project_id = errands.subject and s.shadow is not null) returning {COLUMNS}",
        (rows.encode(account_ids),),
    ).fetchall()
    for each in map(errand, again):
        tx.db.execute("update snapshots set sync_error = null where project_id = ?", (each.subject,))
        touch(tx, each)
    return len(again)


def touch(tx: Transaction, errand: Errand) -> None:
    """What the errand is about changed."""
    if errand.kind is ErrandKind.SAVE_SNAPSHOT:
        tx.touch_projects()
    else:
        tx.touch_messages(ChatId(errand.subject))


def errand(row: tuple[Any, ...]) -> Errand:
    """From the columns of COLUMNS."""
    number, kind, subject, body = row
    return Errand(number, ErrandKind(kind), subject, json.loads(body))


def forget_numbers(tx: Transaction, account_id: AccountId) -> None:
    """Sequence numbers mean nothing any more: what a clear has buried here is deleted by its ids where it shows again."""
    tx.db.execute(
        "delete from errands where account_id = ? and kind = ?", (account_id, ErrandKind.CLEAR_CHAT.value)
    )
