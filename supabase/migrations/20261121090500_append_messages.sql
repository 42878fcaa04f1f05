-- Appends messages with numbers from the chat's own counter. A retry finds its ids and answers with the same numbers.
-- A row loop on purpose: its cost stays flat, while a set-based body fell over on large chats with stale statistics.

create function homing.parts(p_content jsonb) returns jsonb
language sql stable
return case jsonb_typeof(p_content)
  when 'string' then jsonb_build_array(jsonb_build_object('type', 'text', 'text', p_content))
  else p_content
end;
revoke execute on function homing.parts(jsonb) from public;
comment on function homing.parts(jsonb) is 'The content as a list of parts: a plain string is one text part.';

create function homing.message_refusal(p_message jsonb, p_created_at timestamptz) returns text
language sql immutable
return case
  when jsonb_typeof(p_message) <> 'object' then 'This is not a message.'
  when coalesce(jsonb_typeof(p_message -> 'message_id'), 'null') <> 'string'
    or length(p_message ->> 'message_id') not between 1 and 128
    then 'The message has no usable id (1 to 128 characters).'
  when coalesce(p_message ->> 'role', '') not in ('user', 'assistant', 'system')
    then 'The role must be user, assistant or system.'
  when coalesce(jsonb_typeof(p_message -> 'content'), 'null') not in ('array', 'string')
    or p_message -> 'content' in ('[]', '""')
    then 'The message is empty.'
  when homing.larger_than_mebibyte(p_message -> 'content')
    then 'The message is larger than 1 MiB: shorten it or split it in two.'
  when jsonb_typeof(p_message -> 'content') = 'array'
    and jsonb_path_exists(p_message -> 'content', 'strict $[*] ? (@.type() != "object")')
    then 'Every part of a message must be an object.'
  when homing.too_deep(p_message -> 'content') then 'The message is nested more than 64 levels deep.'
  when homing.larger_than_mebibyte(p_message -> 'annotations') then 'The annotations are larger than 1 MiB.'
  when homing.too_deep(p_message -> 'annotations') then 'The annotations are nested more than 64 levels deep.'
  when coalesce(jsonb_typeof(p_message -> 'turn_id'), 'null') not in ('string', 'null')
    or length(p_message ->> 'turn_id') not between 1 and 128
    then 'The turn has no usable id (1 to 128 characters).'
  when p_message ->> 'created_at' is not null and p_created_at is null
    then 'The time of the message is not a date and time with an offset.'
end;
revoke execute on function homing.message_refusal(jsonb, timestamptz) from public;
comment on function homing.message_refusal(jsonb, timestamptz) is
  'Why a message cannot be stored, for people; null when it can. The time is what homing.moment read.';

create function homing.require_open_chat(p_owner uuid, p_chat_id uuid) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_deleted boolean;
begin
  if p_chat_id is null then
    raise exception using errcode = 'PT400', message = 'The request names no chat.', hint = 'Send p_chat_id.';
  end if;
  select deleted into v_deleted from public.chats where owner_id = p_owner and chat_id = p_chat_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'There is no such chat.', hint = 'Save the chat first.';
  end if;
  if v_deleted then
    raise exception using errcode = 'PT410', message = 'The chat was deleted.', hint = 'Restore the chat first.';
  end if;
end
$$;
revoke execute on function homing.require_open_chat(uuid, uuid) from public;
comment on function homing.require_open_chat(uuid, uuid) is
  'Raises PT404 when the owner has no such chat, somebody else''s included, and PT410 when it is deleted.';

create function homing.lock_chat(p_owner uuid, p_chat_id uuid) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  -- Seeded with the owner: another owner of the same id neither waits for this lock nor can hold it up.
  perform pg_advisory_xact_lock(hashtextextended(p_chat_id::text, hashtextextended(p_owner::text, 0)));
end
$$;
revoke execute on function homing.lock_chat(uuid, uuid) from public;
comment on function homing.lock_chat(uuid, uuid) is
  'Serialises what appends to a chat, until the end of the transaction. What is read under the lock is read by a later '
  'statement: in the same one the snapshot would be older than the lock.';

create function public.append_messages(p_chat_id uuid, p_messages jsonb)
returns table (message_id text, sequence_num bigint, status text, reason text)
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_owner constant uuid := homing.caller();
  v_deleted boolean;
  v_before bigint;
  v_last bigint;
  v_digest bigint;
  v_head bigint;
  v_sent record;
  v_same boolean;
begin
  perform homing.require_read_committed();
  perform homing.require_batch(p_messages);
  perform homing.require_open_chat(v_owner, p_chat_id);
  perform homing.lock_chat(v_owner, p_chat_id);
  select deleted, last_sequence_num, digest into v_deleted, v_before, v_digest
    from public.chats where owner_id = v_owner and chat_id = p_chat_id for no key update;
  if v_deleted is not false then
    perform homing.require_open_chat(v_owner, p_chat_id);
  end if;
  v_last := v_before;
  v_head := homing.lock_head(v_owner);

  for v_sent in
    select
      case when jsonb_typeof(item -> 'message_id') = 'string' then item ->> 'message_id' end as id,
      item ->> 'role' as role, homing.parts(item -> 'content') as content,
      nullif(item -> 'annotations', 'null') as annotations, item ->> 'turn_id' as turn_id,
      moment as created_at, homing.message_refusal(item, moment) as refusal
    from jsonb_array_elements(p_messages) as item
    cross join lateral (
      select case when item ->> 'created_at' is not null then homing.moment(item ->> 'created_at') end as moment offset 0
    ) as read
  loop
    message_id := v_sent.id;
    sequence_num := null;
    status := 'rejected';
    reason := v_sent.refusal;
    if v_sent.refusal is not null then
      return next;
      continue;
    end if;

    insert into public.messages (
      owner_id, chat_id, message_id, sequence_num, role, content, annotations, turn_id, created_at, change, octets
    ) values (
      v_owner, p_chat_id, v_sent.id, v_last + 1, v_sent.role, v_sent.content, v_sent.annotations, v_sent.turn_id,
      coalesce(v_sent.created_at, now()), v_head + 1,
      octet_length(v_sent.content::text) + coalesce(octet_length(v_sent.annotations::text), 0)
    ) on conflict (owner_id, chat_id, message_id) do nothing;

    if found then
      v_head := v_head + 1;
      v_last := v_last + 1;
      v_digest := v_digest # homing.fingerprint(v_last, v_sent.id, 1);
      sequence_num := v_last;
      status := 'inserted';
    else
      select
        stored.sequence_num,
        (stored.role, stored.content, stored.annotations, stored.turn_id) is not distinct from
          (v_sent.role, v_sent.content, v_sent.annotations, v_sent.turn_id)
        into strict sequence_num, v_same
        from public.messages as stored
        where stored.owner_id = v_owner and stored.chat_id = p_chat_id and stored.message_id = v_sent.id;
      status := 'duplicate';
      if not v_same then
        status := 'conflict';
        reason := 'Another text was sent before under the same id; that one was kept.';
      end if;
    end if;
    return next;
  end loop;

  if v_last > v_before then
    update public.chats set
      last_sequence_num = v_last, digest = v_digest, message_count = message_count + v_last - v_before,
      updated_at = now()
    where owner_id = v_owner and chat_id = p_chat_id;
    update public.owner_heads set head = v_head where owner_id = v_owner;
  end if;
end
$$;
revoke execute on function public.append_messages(uuid, jsonb) from public, anon;
grant execute on function public.append_messages(uuid, jsonb) to authenticated;
comment on function public.append_messages(uuid, jsonb) is
  'Appends messages to a chat of the caller: objects with message_id, role, content and, if wanted, annotations, '
  'turn_id, created_at. One row each, in request order: inserted; duplicate (same id, same body); conflict (same id, '
  'other body; nothing changed); rejected with the reason, without a number. At most 500 messages and 4 MiB a call. '
  'PT404 for a chat that the caller does not have, PT410 for a deleted one.';
