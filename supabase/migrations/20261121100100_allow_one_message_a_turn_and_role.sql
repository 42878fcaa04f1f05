-- A turn has one question and one reply. Earlier versions did not say so: all but the first message of a turn and role
-- lose their place in the turn and nothing else, and every device hears of it.

do $$
begin
  create unique index messages_by_turn on public.messages (owner_id, chat_id, turn_id, role) where turn_id is not null;
exception when unique_violation then
  -- An owner of the tables whom row level security binds would see nobody's messages and repair none.
  alter table public.messages no force row level security;
  alter table public.chats no force row level security;
  alter table public.owner_heads no force row level security;

  with ranked as (
    select owner_id, chat_id, message_id,
      row_number() over (partition by owner_id, chat_id, turn_id, role order by sequence_num) as place
    from public.messages where turn_id is not null
  ), extra as (
    select owner_id, chat_id, message_id, row_number() over (partition by owner_id order by chat_id, message_id) as place
    from ranked where place > 1
  ), repaired as (
    update public.messages as message set
      turn_id = null, revision = message.revision + 1, change = head.head + extra.place,
      erased_digest = homing.body_digest(message.role, message.content, message.annotations, message.turn_id)
    from extra join public.owner_heads as head using (owner_id)
    where message.owner_id = extra.owner_id and message.chat_id = extra.chat_id
      and message.message_id = extra.message_id
    returning message.owner_id, message.chat_id,
      homing.fingerprint(message.sequence_num, message.message_id, message.revision - 1)
        # homing.fingerprint(message.sequence_num, message.message_id, message.revision) as difference
  ), mended as (
    update public.chats as chat set digest = chat.digest # repaired_chat.difference
    from (
      select owner_id, chat_id, bit_xor(difference) as difference from repaired group by owner_id, chat_id
    ) as repaired_chat
    where chat.owner_id = repaired_chat.owner_id and chat.chat_id = repaired_chat.chat_id
  )
  update public.owner_heads as head set head = head.head + repaired_owner.messages
  from (select owner_id, count(*) as messages from repaired group by owner_id) as repaired_owner
  where head.owner_id = repaired_owner.owner_id;

  alter table public.messages force row level security;
  alter table public.chats force row level security;
  alter table public.owner_heads force row level security;
  create unique index messages_by_turn on public.messages (owner_id, chat_id, turn_id, role) where turn_id is not null;
end
$$;
comment on index public.messages_by_turn is 'One message of each role in a turn, deleted ones included.';
