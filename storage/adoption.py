"""Work without an account, given to one on request.

Ids stay as they are, so that a second time changes nothing, and a copy that reached a server is recognised there (I22).
"""

from collections.abc import Sequence

from storage import context, rows, snapshots
from storage.records import LOCAL_ACCOUNT, AccountId, ChatId, ProjectId
from storage.standing import edits, fields, openings
from storage.transaction import Transaction


def adopt(tx: Transaction, account_id: AccountId, chat_ids: Sequence[ChatId] | None = None) -> int:
    """Gives signed-out chats to the account, all or these, with what hangs on them. Returns how many.

    A project moves with the first of its chats; with all chats, those without a chat move too.
    """
    found = tx.db.execute(
        "select chat_id, project_id from chats where account_id = ?1 and deleted_at is null "
        "and (?2 is null or chat_id in (select value from json_each(?2)))",
        (LOCAL_ACCOUNT, None if chat_ids is None else rows.encode(chat_ids)),
    ).fetchall()
    for chat_id, project_id in found:
        if project_id is not None:
            _bring_project(tx, account_id, chat_id, project_id)
        _adopt_chat(tx, account_id, chat_id)
    moved = [] if chat_ids is not None else _own_projects(tx, LOCAL_ACCOUNT)
    for project_id in moved:
        _adopt_project(tx, account_id, project_id)
    if found or moved:
        # What the server holds of them was left out while it was nobody's: it shows what there is once more.
        passed_over = tx.db.execute(
            "update accounts set passed_over = 0 where account_id = ? and passed_over = 1", (account_id,)
        )
        if passed_over.rowcount:
            openings.ask_again(tx, account_id)
    return len(found)


def _adopt_chat(tx: Transaction, account_id: AccountId, chat_id: ChatId) -> None:
    tx.db.execute("update chats set account_id = ? where chat_id = ?", (account_id, chat_id))
    tx.db.execute("update usage set account_id = ? where chat_id = ?", (account_id, chat_id))
    edits.mark_new(tx, chat_id)
    context.send_again(tx, account_id, chat_id)
    tx.touch_messages(chat_id)


def _bring_project(tx: Transaction, account_id: AccountId, chat_id: ChatId, project_id: ProjectId) -> None:
    row = tx.db.execute("select account_id from projects where project_id = ?", (project_id,)).fetchone()
    if row is not None and row[0] == LOCAL_ACCOUNT:
        _adopt_project(tx, account_id, project_id)
    elif row is not None and row[0] != account_id:
        # Its project went with another account's chats: nothing of that account is told here (I21).
        tx.db.execute("update chats set project_id = null where chat_id = ?", (chat_id,))


def _own_projects(tx: Transaction, account_id: AccountId) -> list[ProjectId]:
    found = tx.db.execute("select project_id from projects where account_id = ?", (account_id,)).fetchall()
    return [project_id for (project_id,) in found]


def _adopt_project(tx: Transaction, account_id: AccountId, project_id: ProjectId) -> None:
    (deleted_at,) = tx.db.execute(
        "update projects set account_id = ? where project_id = ? returning deleted_at",
        (account_id, project_id),
    ).fetchone()
    edits.mark_new(tx, project_id, fields.PROJECTS)
    if deleted_at is None:
        snapshots.send_again(tx, account_id, project_id)
    tx.touch_projects()
