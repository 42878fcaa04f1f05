"""The changes of a pull that are no messages and no chats."""

from typing import assert_never

from storage import chats, context, snapshots, usage
from storage.exchange import ContextChange, ProjectChange, SnapshotChange, UsageChange
from storage.records import LOCAL_ACCOUNT, AccountId
from storage.standing import edits, fields
from storage.transaction import Transaction


def apply(
    tx: Transaction,
    account_id: AccountId,
    generation: int,
    change: ProjectChange | SnapshotChange | ContextChange | UsageChange,
) -> None:
    """Takes over what the server has; what waits here for an answer stays as it is, until then.

    Twice is as good as once. What another account of this computer holds under the same id is not touched (I21).
    """
    match change:
        case ProjectChange():
            if _claim_project(tx, account_id, change) and not _is_overtaken(tx, generation, change):
                edits.take(tx, account_id, generation, change)
                edits.saw(tx, account_id, change)
                tx.touch_projects()
        case SnapshotChange():
            snapshots.apply(tx, account_id, generation, change)
        case ContextChange(chat_id=chat_id, created_at=at):
            if chats.claim(tx, account_id, chat_id, at):
                context.apply(tx, account_id, generation, change)
        case UsageChange(chat_id=chat_id, created_at=at):
            if chats.claim(tx, account_id, chat_id, at):
                usage.apply(tx, account_id, change)
        case _:
            assert_never(change)


def requeue_lost(tx: Transaction, account_id: AccountId, generation: int) -> None:
    """After a reset: sends again what the server did not show of projects, context and snapshots (I12).

    Usage is the server's alone, and what is deleted here is not made anew.
    """
    older = "where account_id = ? and generation < ?"
    lost = tx.db.execute(
        f"select project_id from projects {older} and deleted_at is null", (account_id, generation)
    ).fetchall()
    for (project_id,) in lost:
        edits.mark_new(tx, project_id, fields.PROJECTS)
    files = tx.db.execute(f"select project_id from snapshots {older}", (account_id, generation)).fetchall()
    for (project_id,) in files:
        snapshots.send_again(tx, account_id, project_id)
    tx.db.execute(f"delete from context {older} and deleted_at is not null", (account_id, generation))
    pinned = tx.db.execute(
        f"select distinct chat_id from context {older}", (account_id, generation)
    ).fetchall()
    for (chat_id,) in pinned:
        context.send_again(tx, account_id, chat_id, generation)
    if lost or files:
        tx.touch_projects()


def _claim_project(tx: Transaction, account_id: AccountId, change: ProjectChange) -> bool:
    row = tx.db.execute(
        "select account_id from projects where project_id = ?", (change.project_id,)
    ).fetchone()
    if row is None:
        tx.db.execute(
            "insert into projects (project_id, account_id, created_at, updated_at) values (?, ?, ?, ?)",
            (change.project_id, account_id, change.created_at, change.updated_at),
        )
    elif row[0] == LOCAL_ACCOUNT:
        chats.pass_over(tx, account_id)
    return row is None or row[0] == account_id


def _is_overtaken(tx: Transaction, generation: int, change: ProjectChange) -> bool:
    """A page that was on its way while this device saved the project may hold it as it was before."""
    return (
        tx.db.execute(
            "select 1 from projects where project_id = ? and generation = ? and change > ?",
            (change.project_id, generation, change.change),
        ).fetchone()
        is not None
    )
