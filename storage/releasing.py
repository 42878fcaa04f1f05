"""Makes signed-out work of what an account held that is gone from its server."""

from typing import Final

from storage.records import LOCAL_ACCOUNT, AccountId
from storage.standing import fields, held
from storage.transaction import Transaction

_MINE: Final = "chat_id in (select chat_id from chats where account_id = :account_id)"

_DELETED: Final = f"""
delete from errands where account_id = :account_id;
delete from chats where account_id = :account_id and deleted_at is not null
    and (discarded = 1 or (pending = 0 and rejected = 0));
delete from messages where {_MINE} and (withdrawn = 1 or (sync_state = 'synced' and (deleted_at is not null or chat_id in
    (select chat_id from chats where account_id = :account_id and deleted_at is not null))));
delete from projects where account_id = :account_id and deleted_at is not null;
delete from context where account_id = :account_id and deleted_at is not null;
delete from snapshots where account_id = :account_id
    and (files is null or project_id not in (select project_id from projects))
"""

# Of two texts with one id both stay, the server's as a message of its own in its place. Then all get new places at the
# end, the only ones that are surely free.
_MESSAGES: Final = f"""
insert into messages
    (chat_id, message_id, sequence_num, role, content, annotations, status, sync_state, created_at)
    select chat_id, 'kept-' || lower(hex(randomblob(16))), sequence_num, role, content, annotations, status, 'synced',
        created_at
    from conflicts where {_MINE};
delete from conflicts where {_MINE};
with moved as (
    select local_order as place, (select max(local_order) from messages)
        + row_number() over (order by chat_id, sequence_num is null, sequence_num, local_order) as new_place
    from messages where {_MINE}
) update messages set local_order = new_place, sequence_num = null, deleted_at = null, revision = 0, generation = 0,
    status = iif(status = 'streaming', 'interrupted', status),
    sync_state = iif(sync_state = 'synced', 'pending', sync_state)
    from moved where local_order = moved.place
"""

_UNKNOWN: Final = """
update chats set edited = :creation, offered = '', shadow = null, generation = null, sync_error = null
    where account_id = :account_id;
update projects set offered = '', shadow = null, generation = null, sync_error = null where account_id = :account_id;
update context set pending = 0, shadow = null, generation = null where account_id = :account_id;
update snapshots set pending = 0, shadow = null, generation = null, sync_error = null where account_id = :account_id
"""


def release(tx: Transaction, account_id: AccountId) -> int:
    """Makes signed-out work of all that the account holds here, and forgets the account. Returns how many chats.

    What its server had confirmed waits for another account, under its old ids and in its old order; what was deleted
    stays deleted. A second time there is nothing.
    """
    if account_id == LOCAL_ACCOUNT:
        return 0
    values = {"account_id": account_id, "creation": fields.joined(fields.CHATS.creation)}
    for statement in f"{_DELETED};{_MESSAGES};{_UNKNOWN}".split(";"):
        tx.db.execute(statement, values)
    held.forget(tx, account_id)
    moved = tx.db.execute(
        "update chats set account_id = ? where account_id = ? returning chat_id", (LOCAL_ACCOUNT, account_id)
    ).fetchall()
    for (chat_id,) in moved:
        tx.touch_messages(chat_id)
    for table in ("projects", "context", "snapshots", "usage"):
        tx.db.execute(f"update {table} set account_id = ? where account_id = ?", (LOCAL_ACCOUNT, account_id))
    tx.db.execute("delete from accounts where account_id = ?", (account_id,))
    tx.touch_projects()
    tx.touch_accounts()
    return len(moved)
