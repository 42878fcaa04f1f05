"""The schema of the second release: history as ranges of numbers, every kind, conflicts and errands."""

from typing import Final

_OLDEST = (
    "(select m.local_order from messages m where m.chat_id = {row}.chat_id and m.sync_state = 'pending' "
    "order by m.local_order limit 1)"
)

_COLUMNS = (
    "alter table accounts add column opened integer not null default 0 check (opened in (-1, 0, 1))",
    "alter table accounts add column gone integer not null default 0 check (gone in (0, 1))",
    "alter table accounts add column heads_checked_at text",
    # Pulls that reached the head: between two looks at the heads one must lie.
    "alter table accounts add column completed integer not null default 0",
    "alter table accounts add column missing integer not null default 0",
    "alter table accounts add column known integer not null default 0",
    # The change at which the server's fields were seen: a late answer never undoes a newer one.
    "alter table chats add column change integer not null default 0",
    "alter table chats add column last_num integer not null default 0",
    "alter table chats add column missing integer not null default 0",
    "alter table chats add column top_missing integer not null default 0 check (top_missing in (0, 1))",
    "alter table chats add column verified text",
    "alter table chats add column doubted text",
    "alter table chats add column suspect integer not null default 0 check (suspect in (0, 1))",
    "alter table chats add column offered text not null default ''",
    "alter table chats add column shadow text",
    # The person deleted it here: it stays out of the list, whatever it holds.
    "alter table chats add column discarded integer not null default 0 check (discarded in (0, 1))",
    "alter table messages add column checksum integer",
    # On a message that is not confirmed: the number of the tombstone that the server has of this id.
    "alter table messages add column noted integer",
    "alter table messages add column withdrawn integer not null default 0 check (withdrawn in (0, 1))",
)

_KINDS = (
    """
    create table held (
        chat_id text not null references chats (chat_id) on delete cascade,
        first integer not null,
        last integer not null check (last >= first),
        primary key (chat_id, first)
    ) strict, without rowid
    """,
    "drop table projects",
    """
    create table projects (
        project_id text primary key,
        account_id text not null references accounts (account_id),
        name text not null default '',
        description text not null default '',
        status text not null default 'draft',
        url_id text,
        deleted_at text,
        created_at text not null,
        updated_at text not null,
        edited text not null default '',
        revision integer not null default 0,
        offered text not null default '',
        shadow text,
        generation integer,
        change integer not null default 0,
        sync_error text
    ) strict
    """,
    """
    create table context (
        chat_id text not null references chats (chat_id) on delete cascade,
        source text not null,
        account_id text not null references accounts (account_id),
        kind text not null,
        name text not null,
        status text not null,
        reason text,
        body text not null,
        source_hash text,
        content_hash text not null,
        octets integer not null,
        deleted_at text,
        created_at text not null,
        updated_at text not null,
        pending integer not null default 0 check (pending in (0, 1)),
        generation integer,
        shadow text,
        primary key (chat_id, source)
    ) strict
    """,
    """
    create table usage (
        chat_id text not null references chats (chat_id) on delete cascade,
        message_id text not null,
        account_id text not null references accounts (account_id),
        prompt_tokens integer not null,
        completion_tokens integer not null,
        total_tokens integer not null,
        cost_micros integer,
        models text not null,
        truncated integer not null check (truncated in (0, 1)),
        created_at text not null,
        primary key (chat_id, message_id)
    ) strict
    """,
    """
    create table snapshots (
        project_id text primary key,
        account_id text not null references accounts (account_id),
        content_hash text not null,
        octets integer not null,
        revision integer not null,
        files text,
        summary text,
        updated_at text not null,
        pending integer not null default 0 check (pending in (0, 1)),
        generation integer,
        shadow text,
        sync_error text
    ) strict
    """,
    # The server's words under an id whose words here are others.
    """
    create table conflicts (
        chat_id text not null references chats (chat_id) on delete cascade,
        message_id text not null,
        sequence_num integer not null,
        role text not null,
        content text not null,
        annotations text,
        turn_id text,
        status text not null,
        revision integer not null,
        generation integer not null,
        created_at text not null,
        primary key (chat_id, message_id)
    ) strict
    """,
    """
    create table errands (
        number integer primary key autoincrement,
        account_id text not null references accounts (account_id),
        kind text not null,
        subject text not null,
        body text not null,
        sync_error text
    ) strict
    """,
    "drop index chats_unsynced",
    """
    create index chats_unsynced on chats (account_id, pending, rejected, oldest_pending, deleted_at, discarded)
    where (pending > 0 or rejected > 0) and (deleted_at is null or discarded = 0)
    """,
    "create index messages_withdrawn on messages (chat_id) where withdrawn = 1",
    # What has no sum is kept twice: SQLite's own check notices when the two differ.
    "create index drafts_twice on drafts (text)",
    "create index chats_titles on chats (title)",
    "create index chats_missing on chats (account_id, top_missing, activity) where missing > 0",
    "create index chats_suspect on chats (account_id) where suspect = 1",
    "create index projects_by_account on projects (account_id, created_at)",
    "create index projects_edited on projects (account_id) where edited <> '' and sync_error is null",
    "create index usage_by_account on usage (account_id)",
    "create index errands_by_account on errands (account_id, number) where sync_error is null",
)

_COUNTING = (
    "drop trigger messages_recounted",
    # Whoever confirms messages counts them himself, a chat at a time: a thousand verdicts cost half as much.
    f"""
    create trigger messages_recounted after update of sync_state, local_order on messages
    when new.sync_state <> 'synced'
    begin
        update chats set
            pending = pending - (old.sync_state = 'pending') + (new.sync_state = 'pending'),
            rejected = rejected - (old.sync_state = 'rejected') + (new.sync_state = 'rejected'),
            oldest_pending = {_OLDEST.format(row="new")}
        where chat_id = new.chat_id;
    end
    """,
    """
    create trigger chats_summed after update of account_id, last_num, missing on chats
    when new.account_id <> old.account_id or new.last_num <> old.last_num or new.missing <> old.missing
    begin
        update accounts set missing = missing - old.missing, known = known - old.last_num
        where account_id = old.account_id;
        update accounts set missing = missing + new.missing, known = known + new.last_num
        where account_id = new.account_id;
    end
    """,
    """
    create trigger chats_summed_out after delete on chats when old.last_num > 0
    begin
        update accounts set missing = missing - old.missing, known = known - old.last_num
        where account_id = old.account_id;
    end
    """,
)

# A row of an older generation tells of a server that was wound back since; one without a revision, of a number
# whose words the server may have changed.
_RANGES = (
    """
    insert into held (chat_id, first, last)
    select chat_id, min(number), max(number) from (
        select m.chat_id, m.sequence_num as number,
            m.sequence_num - row_number() over (partition by m.chat_id order by m.sequence_num) as island
        from accounts a join chats c using (account_id) join messages m using (chat_id)
        where m.sequence_num is not null and m.generation = a.generation and m.revision > 0
    ) group by chat_id, island
    """,
    """
    update chats set last_num = known.last, missing = known.last - known.numbers
    from (select chat_id, max(last) as last, sum(last - first + 1) as numbers from held group by chat_id) as known
    where chats.chat_id = known.chat_id
    """,
    """
    update chats set top_missing = 1 where missing > 0 and not exists (
        select 1 from held where held.chat_id = chats.chat_id
        and first <= max(1, chats.last_num - 49) and last = chats.last_num)
    """,
)

STATEMENTS: Final = (*_COLUMNS, *_KINDS, *_COUNTING, *_RANGES)
