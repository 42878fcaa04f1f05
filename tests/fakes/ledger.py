"""What must hold of every owner's rows after any call, crash, migration or restore, asked of the tables themselves."""

from typing import Any

import psycopg
from psycopg import sql

# Tables whose rows a repeated call may touch without changing anything that a device sees.
_BOOKKEEPING = ("append_counters", "turn_leases")

_CHATS = """
(with counted as (
  select owner_id, chat_id, count(*) as numbers, min(sequence_num) as first, max(sequence_num) as last,
    count(*) filter (where deleted_at is null) as living,
    bit_xor(homing.fingerprint(sequence_num, message_id, revision)) as digest
  from public.messages group by owner_id, chat_id
)
select format('%s of %s: counts %s, has numbers %s to %s, %s of them, %s living; the digest %s', chat_id, owner_id,
  (message_count, last_sequence_num), first, last, coalesce(numbers, 0), coalesce(living, 0),
  case when chat.digest = coalesce(counted.digest, 0) then 'fits' else 'does not fit' end)
from public.chats as chat left join counted using (owner_id, chat_id)
where (chat.last_sequence_num, chat.message_count, chat.digest, chat.last_sequence_num, 1) is distinct from
  (coalesce(last, 0), coalesce(living, 0), coalesce(counted.digest, 0), coalesce(numbers, 0), coalesce(first, 1)))
"""

_MESSAGES = """
select format('%s %s of %s: a tombstone with a body, or a size or status that is wrong', chat_id, message_id, owner_id)
from public.messages
where (deleted_at is not null and (content <> '[]' or annotations is not null or status = 'streaming'))
  or octets <> octet_length(content::text) + coalesce(octet_length(annotations::text), 0)
  or status not in ('complete', 'streaming', 'interrupted', 'error')
"""


_TURNS = """
select format('%s %s of %s: streams without a lease', chat_id, message_id, owner_id) from public.messages as message
where status = 'streaming' and not exists (
  select from public.turn_leases as lease
  where (lease.owner_id, lease.chat_id, lease.message_id) = (message.owner_id, message.chat_id, message.message_id)
    and ended_at is null)
union all
select format('%s %s of %s: a lease of what does not stream', chat_id, turn_id, owner_id) from public.turn_leases as lease
where ended_at is null and not exists (
  select from public.messages as message
  where (lease.owner_id, lease.chat_id, lease.message_id) = (message.owner_id, message.chat_id, message.message_id)
    and status = 'streaming')
"""

_BODIES = """
select format('snapshot of %s of %s: the hash is of other files', project_id, owner_id) from public.project_snapshots
where content_hash <> encode(sha256(convert_to(jsonb_build_array(files, summary)::text, 'UTF8')), 'hex')
union all
select format('%s in %s of %s: the hash is of another text', source, chat_id, owner_id) from public.chat_context
where content_hash <> encode(sha256(convert_to(body, 'UTF8')), 'hex')
union all
select format('%s of %s: read beyond its end, or not as clear as it says', chat_id, owner_id) from public.chats as chat
where read_upto > last_sequence_num or exists (
  select from public.messages as message
  where (message.owner_id, message.chat_id) = (chat.owner_id, chat.chat_id)
    and sequence_num <= clear_upto and deleted_at is null)
"""


class Ledger:
    """Asks by an admin's connection, since policies hide rows. The queries are made once, from the catalogue."""

    def __init__(self, admin: psycopg.Connection) -> None:
        self._admin = admin
        self._faults = sql.SQL(" union all ").join(
            [*map(sql.SQL, (_CHATS, _MESSAGES, _TURNS, _BODIES)), _changes(admin)]
        )
        self._state = sql.SQL(" union all ").join(
            sql.SQL("select {}, to_jsonb(held) from public.{} as held where owner_id = %(owner)s").format(
                sql.Literal(table), sql.Identifier(table)
            )
            for table in sorted(_tables(admin, "owner_id") - set(_BOOKKEEPING))
        )

    def faults(self) -> list[str]:
        """Every broken promise in the database as a line of text."""
        return [row[0] for row in self._admin.execute(self._faults).fetchall()]

    def state(self, owner: str) -> list[tuple[str, dict[str, Any]]]:
        """All rows of an owner in every table but the bookkeeping, to be compared with later ones."""
        rows = self._admin.execute(self._state, {"owner": owner}).fetchall()
        return sorted(rows, key=repr)


def faults(admin: psycopg.Connection) -> list[str]:
    """Every broken promise in the database as a line of text."""
    return Ledger(admin).faults()


def _changes(admin: psycopg.Connection) -> sql.Composed:
    """Each change number belongs to one row of one table and is not beyond the owner's head."""
    rows = sql.SQL(" union all ").join(
        sql.SQL("select owner_id, change, {} as place from public.{}").format(
            sql.Literal(table), sql.Identifier(table)
        )
        for table in sorted(_tables(admin, "change"))
    )
    return sql.SQL("""
        select format('change %s of %s: %s times, in %s; the head is %s', change, owner_id, count(*),
          string_agg(distinct place, ', '), max(head))
        from ({}) as changed left join public.owner_heads using (owner_id)
        group by owner_id, change having change is null or count(*) > 1 or change > coalesce(max(head), 0)
    """).format(rows)


def _tables(admin: psycopg.Connection, column: str) -> set[str]:
    rows = admin.execute(
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = %s "
        "where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and not a.attisdropped",
        [column],
    )
    return {row[0] for row in rows}
