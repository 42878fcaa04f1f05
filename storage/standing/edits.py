"""Fields of chats and projects that the server has not confirmed, and how its own values are taken over.

Per field: an edit that is not confirmed wins over what a pull brings until its receipt, else the server's order decides;
no clock takes part. Two columns beside `edited` make that hold when answers are lost or overtaken:

- `offered` names the fields that went out with a first save whose answer is not known. Such a save is repeated by the
  id alone, and the row that the server then shows tells whether the first one had arrived: what it brought is not sent
  again, for it could undo what another device changed since.
- `shadow` holds the last row from the server of which an unconfirmed edit hid a field: if it is newer than the save
  that the receipt confirms, it is the last word.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from storage import rows
from storage.exchange import ChatChange, ChatEdit, ProjectChange, ProjectEdit
from storage.records import AccountId, ChatId
from storage.standing.fields import CHATS, PROJECTS, Row, Subject, column, joined, split, stored
from storage.transaction import Reader, Transaction

Change: TypeAlias = ChatChange | ProjectChange
Edit: TypeAlias = ChatEdit | ProjectEdit

COLUMNS: Final = "chat_id, revision, edited, offered, title, project_id, model, pinned, archived, deleted_at"


def mark(tx: Transaction, key: str, fields: Iterable[str], subject: Subject = CHATS) -> None:
    """Adds the fields to the unconfirmed ones. What the server refused gets another try."""
    row = Row.read(tx.db, subject, key)
    named = frozenset(fields)
    tx.db.execute(
        f"update {subject.table} set edited = ?, offered = ?, revision = revision + 1, sync_error = null "
        f"where {subject.key} = ?",
        (joined(row.edited | named), joined(row.offered - named), key),
    )


def mark_new(tx: Transaction, key: str, subject: Subject = CHATS) -> None:
    """The server does not have the row: the next push creates it, as a deleted one if that is what it is."""
    values = Row.read(tx.db, subject, key).values
    mark(tx, key, subject.creation | ({"deleted"} if values["deleted"] else set()), subject)
    tx.db.execute(
        f"update {subject.table} set generation = null, offered = '', shadow = null, change = 0 where {subject.key} = ?",
        (key,),
    )


def saw(tx: Transaction, account_id: AccountId, change: Change | None) -> None:
    """The server's row of this change is laid in, or was overtaken: what is older comes too late."""
    if change is None:
        return
    subject, key = _of(change)
    tx.db.execute(
        f"update {subject.table} set change = max(change, ?) where {subject.key} = ? and account_id = ?",
        (change.change, key, account_id),
    )


def forget_changes(tx: Transaction, account_id: AccountId) -> None:
    """The server counts its changes anew: what was seen of its rows is neither newer nor older than what comes."""
    for subject in (CHATS, PROJECTS):
        tx.db.execute(
            f"update {subject.table} set change = 0, shadow = null where account_id = ? "
            "and (change > 0 or shadow is not null)",
            (account_id,),
        )


def edit(row: tuple[Any, ...]) -> ChatEdit:
    """From the columns of COLUMNS, with the values as the wire has them."""
    chat_id, revision, edited, offered, title, project_id, model, pinned, archived, deleted_at = row
    values = (title, project_id, model, bool(pinned), bool(archived), deleted_at is not None)
    return ChatEdit(
        chat_id, revision, to_send(split(edited), split(offered), dict(zip(CHATS.blank, values, strict=True)))
    )


def to_send(edited: frozenset[str], offered: frozenset[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the next save names: all that are unconfirmed, or none to ask whether the first one arrived."""
    # A chat that is deleted is never made alive for that moment.
    names = edited & {"deleted"} if offered else edited
    return {name: value for name, value in values.items() if name in names}


def offer(tx: Transaction, edits: Sequence[Edit]) -> None:
    """Remembers that first saves are about to go out; to be durable before they do."""
    first = [each for each in edits if creates([each])]
    for subject in (CHATS, PROJECTS):
        versions = [(key, each.revision) for each in first for of, key in [_subject(each)] if of is subject]
        # A row that was edited since it was read is sent once more anyway.
        tx.db.execute(
            f"update {subject.table} as s set offered = s.edited from (select json_extract(value, '$[0]') as key, "
            f"json_extract(value, '$[1]') as revision from json_each(?)) as sent "
            f"where s.{subject.key} = sent.key and s.revision = sent.revision and s.generation is null",
            (rows.encode(versions),),
        )


def doubt(db: Reader) -> None:
    """For a copy of an earlier day: any first save that waits in it may have arrived since."""
    for subject in (CHATS, PROJECTS):
        db.execute(
            f"update {subject.table} set offered = edited where generation is null and account_id <> 'local'"
        )


def creates(edits: Sequence[Edit]) -> bool:
    """Whether `offer` has anything to remember."""
    return any(_subject(each)[0].creation.issubset(each.fields) for each in edits)


def confirm(
    tx: Transaction, account_id: AccountId, edit: Edit, change: Change | None, *, cursor: int = 0
) -> None:
    """The server took the edit, and `change` is its row right after, where it says so.

    Fields that changed here since stay unconfirmed. A change up to `cursor` was pulled before its receipt came, or is
    older than what was pulled.
    """
    subject, key = _subject(edit)
    row = Row.find(tx.db, subject, key, account_id)
    if row is None:
        return
    left = row.edited - {name for name, value in edit.fields.items() if row.values[name] == value}
    probed = row.offered and not subject.creation.issubset(edit.fields)
    tx.db.execute(
        f"update {subject.table} set edited = ?, offered = ?, sync_error = null, shadow = null, "
        "generation = (select generation from accounts a where a.account_id = ?) "
        f"where {subject.key} = ?",
        (joined(left), joined(row.offered) if probed and change else "", account_id, key),
    )
    generation = row.account_generation
    if change is not None and change.change > cursor:
        take(tx, account_id, generation, change)
    if row.shadow is not None and (change is None or row.shadow["change"] > change.change):
        _take(tx, subject, key, generation, row.shadow["change"], row.shadow["values"])


def confirm_plain(
    tx: Transaction, account_id: AccountId, saved: Sequence[tuple[ChatEdit, ChatChange]]
) -> set[ChatId]:
    """As `confirm` for chats whose row on the server is what is here, all in one statement. Returns which they were."""
    plain = [(edit.chat_id, edit.revision, change.change) for edit, change in saved if _shows(edit, change)]
    found = tx.db.execute(
        "update chats as c set edited = '', offered = '', sync_error = null, change = max(c.change, told.change), "
        "generation = a.generation from (select json_extract(value, '$[0]') as chat_id, "
        "json_extract(value, '$[1]') as revision, json_extract(value, '$[2]') as change from json_each(?1)) as told, "
        "accounts as a where c.chat_id = told.chat_id and c.revision = told.revision and c.shadow is null "
        "and c.account_id = ?2 and a.account_id = ?2 returning chat_id",
        (rows.encode(plain), account_id),
    ).fetchall()
    return {chat_id for (chat_id,) in found}


def refuse(tx: Transaction, account_id: AccountId, edit: Edit, reason: str | None) -> None:
    """The server refused the edit: the reason is shown until the next edit, unless one came meanwhile."""
    subject, key = _subject(edit)
    tx.db.execute(
        f"update {subject.table} set sync_error = ?, offered = '' "
        f"where {subject.key} = ? and account_id = ? and revision = ?",
        (
            reason or f"The server refused this {subject.table[:-1]}: change it, then sync again.",
            key,
            account_id,
            edit.revision,
        ),
    )


def take(tx: Transaction, account_id: AccountId, generation: int, change: Change) -> None:
    """Takes over every field of the server's row that has no unconfirmed edit here. The row is the account's."""
    subject, key = _of(change)
    values = {name: getattr(change, name) for name in subject.blank}
    _take(tx, subject, key, generation, change.change, values)


def _take(
    tx: Transaction, subject: Subject, key: str, generation: int, change: int, values: Mapping[str, Any]
) -> None:
    row = Row.read(tx.db, subject, key)
    edited = row.edited - _arrived(subject, row, values)
    if row.values["deleted"] and not values["deleted"] and row.is_older_than(generation):
        # The server was wound back behind the deletion, which is said again.
        edited |= {"deleted"}
    hidden = any(row.values[name] != values[name] for name in edited)
    taken = {column(name): stored(tx, name, value) for name, value in values.items() if name not in edited}
    if row.values["deleted"] and values["deleted"]:
        taken.pop("deleted_at", None)
    if subject is CHATS and not values["deleted"] and "deleted" not in edited:
        taken["discarded"] = 0
    taken |= {
        "edited": joined(edited),
        "offered": "",
        "generation": generation,
        "shadow": rows.encode({"change": change, "values": values}) if hidden else None,
    }
    tx.db.execute(
        f"update {subject.table} set {', '.join(f'{name} = ?' for name in taken)} where {subject.key} = ?",
        (*taken.values(), key),
    )


def _arrived(subject: Subject, row: Row, values: Mapping[str, Any]) -> frozenset[str]:
    """Of a first save with an unknown answer: the fields that the server's row shows to have reached it."""
    if any(values[name] != subject.blank[name] for name in row.offered):
        return row.offered
    return frozenset(name for name in row.offered if row.values[name] == subject.blank[name])


def _shows(edit: ChatEdit, change: ChatChange) -> bool:
    return CHATS.creation.issubset(edit.fields) and all(
        getattr(change, name) == edit.fields.get(name, blank) for name, blank in CHATS.blank.items()
    )


def _subject(edit: Edit) -> tuple[Subject, str]:
    return (CHATS, edit.chat_id) if isinstance(edit, ChatEdit) else (PROJECTS, edit.project_id)


def _of(change: Change) -> tuple[Subject, str]:
    return (CHATS, change.chat_id) if isinstance(change, ChatChange) else (PROJECTS, change.project_id)
