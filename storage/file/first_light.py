"""The schema of the first release: accounts, chats, messages, drafts and settings. Released, so never edited."""

from typing import Final

_TABLES = (
    """
    create table accounts (
        account_id text primary key,
        url text not null,
        publishable_key text not null,
        email text not null,
        user_id text not null,
        signed_in integer not null check (signed_in in (0, 1)),
        active integer not null default 0 check (active in (0, 1)),
        epoch text,
        change integer not null default 0,
        generation integer not null default 0,
        recovering integer not null default 0 check (recovering in (0, 1)),
        passed_over integer not null default 0 check (passed_over in (0, 1)),
        pushed integer not null default 0,
        pulled integer not null default 0,
        last_success_at text,
        last_error text
    ) strict
    """,
    """
    insert into accounts (account_id, url, publishable_key, email, user_id, signed_in)
    values ('local', '', '', '', '', 0)
    """,
    """
    create table projects (
        project_id text primary key,
        account_id text not null references accounts (account_id),
        name text not null default '',
        description text not null default '',
        status text not null default '',
        deleted_at text,
        created_at text not null,
        updated_at text not null
    ) strict
    """,
    """
    create table chats (
        chat_id text primary key,
        account_id text not null references accounts (account_id),
        title text not null default '',
        project_id text,
        model text,
        pinned integer not null default 0 check (pinned in (0, 1)),
        archived integer not null default 0 check (archived in (0, 1)),
        deleted_at text,
        created_at text not null,
        updated_at text not null,
        activity integer not null,
        edited text not null default '',
        revision integer not null default 0,
        sync_error text,
        generation integer,
        pending integer not null default 0 check (pending >= 0),
        rejected integer not null default 0 check (rejected >= 0),
        oldest_pending integer
    ) strict
    """,
    """
    create table drafts (
        chat_id text primary key references chats (chat_id) on delete cascade,
        text text not null
    ) strict, without rowid
    """,
    # local_order is the rowid: every index ends in it, and a deleted row's number is never used again.
    """
    create table messages (
        local_order integer primary key autoincrement,
        chat_id text not null references chats (chat_id) on delete cascade,
        message_id text not null,
        sequence_num integer,
        role text not null check (role in ('user', 'assistant', 'system')),
        content text not null,
        annotations text,
        turn_id text,
        status text not null check (status in ('complete', 'streaming', 'interrupted', 'error')),
        sync_state text not null check (sync_state in ('pending', 'synced', 'rejected')),
        sync_error text,
        created_at text not null,
        deleted_at text,  -- on a message that is not confirmed: the server has a tombstone of this id
        revision integer not null default 0,
        generation integer not null default 0,
        unique (chat_id, message_id),
        check ((sync_state = 'synced') = (sequence_num is not null))
    ) strict
    """,
    "create table settings (key text primary key, value text not null) strict, without rowid",
)

_INDEXES = (
    "create unique index accounts_active on accounts (active) where active = 1",
    "create index chats_by_activity on chats (activity)",
    # A deleted chat stays in the list while it holds words that are nowhere else.
    """
    create index chats_by_account on chats (account_id, archived, activity)
    where deleted_at is null or pending > 0 or rejected > 0
    """,
    "create index chats_by_oldest_pending on chats (account_id, oldest_pending) where oldest_pending is not null",
    """
    create index chats_unsynced on chats (account_id, pending, rejected, oldest_pending)
    where pending > 0 or rejected > 0
    """,
    "create index chats_edited on chats (account_id) where edited <> '' and sync_error is null",
    """
    create index messages_by_chat on messages (chat_id, sequence_num)
    where sequence_num is not null and deleted_at is null
    """,
    "create index messages_pending on messages (chat_id) where sync_state = 'pending'",
    "create index messages_rejected on messages (chat_id) where sync_state = 'rejected'",
)

_OLDEST = (
    "(select m.local_order from messages m where m.chat_id = {row}.chat_id and m.sync_state = 'pending' "
    "order by m.local_order limit 1)"
)

_TRIGGERS = (
    """
    create trigger messages_counted_in after insert on messages when new.sync_state <> 'synced'
    begin
        update chats set
            pending = pending + (new.sync_state = 'pending'),
            rejected = rejected + (new.sync_state = 'rejected'),
            oldest_pending = case new.sync_state when 'pending'
                then coalesce(min(oldest_pending, new.local_order), new.local_order) else oldest_pending end
        where chat_id = new.chat_id;
    end
    """,
    f"""
    create trigger messages_recounted after update of sync_state, local_order on messages
    when old.sync_state <> 'synced' or new.sync_state <> 'synced'
    begin
        update chats set
            pending = pending - (old.sync_state = 'pending') + (new.sync_state = 'pending'),
            rejected = rejected - (old.sync_state = 'rejected') + (new.sync_state = 'rejected'),
            oldest_pending = {_OLDEST.format(row="new")}
        where chat_id = new.chat_id;
    end
    """,
    f"""
    create trigger messages_counted_out after delete on messages when old.sync_state <> 'synced'
    begin
        update chats set
            pending = pending - (old.sync_state = 'pending'),
            rejected = rejected - (old.sync_state = 'rejected'),
            oldest_pending = {_OLDEST.format(row="old")}
        where chat_id = old.chat_id;
    end
    """,
)

STATEMENTS: Final = (*_TABLES, *_INDEXES, *_TRIGGERS)
