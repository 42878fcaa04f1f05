-- Copies a chat's messages up to a number into a new chat, which remembers where it came from. The new ids follow from
-- the new chat's id and the old ones, and the new chat says what it is a fork of: a retry finds it and copies nothing.

create function homing.copy_messages(
  p_owner uuid, p_chat_id uuid, p_new_chat_id uuid, p_after bigint, p_through bigint, p_head bigint
) returns table (copied bigint, digest bigint)
language plpgsql volatile
set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
begin
  return query
    with original as (
      select message.*, row_number() over (order by sequence_num) as nth
      from public.messages as message
      where owner_id = p_owner and chat_id = p_chat_id and sequence_num > 0 and sequence_num > p_after
        and sequence_num <= p_through and deleted_at is null
    ), copy as (
      insert into public.messages (
        owner_id, chat_id, message_id, sequence_num, role, content, annotations, status, created_at, octets,
        copied_from, change
      )
      select
        p_owner, p_new_chat_id, md5(p_new_chat_id || ':' || message_id)::uuid::text, nth, role, content, annotations,
        case status when 'streaming' then 'interrupted' else status end, created_at, octets, message_id, p_head + nth
      from original
      returning homing.fingerprint(sequence_num, message_id, revision) as fingerprint
    )
    select count(*), coalesce(bit_xor(fingerprint), 0) from copy;
end
$$;
revoke execute on function homing.copy_messages(uuid, uuid, uuid, bigint, bigint, bigint) from public;
comment on function homing.copy_messages(uuid, uuid, uuid, bigint, bigint, bigint) is
  'Copies live messages after and up to a number, numbered from 1, without their turns. How many, and their digest.';

create function homing.require_forkable(p_chat public.chats, p_through bigint) returns void
language plpgsql stable
set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
declare
  v_messages bigint;
  v_octets bigint;
begin
  if p_through not between 0 and p_chat.last_sequence_num then
    raise exception using errcode = 'PT400', message = 'The chat has no message with that number.',
      hint = 'Pull the chat and fork it at a message that it has.';
  end if;
  select count(*), sum(octets) into v_messages, v_octets from (
    select octets from public.messages
    where owner_id = p_chat.owner_id and chat_id = p_chat.chat_id and sequence_num > 0
      and sequence_num > p_chat.clear_upto and sequence_num <= p_through and deleted_at is null
    order by sequence_num limit 50001
  ) as original;
  if v_messages > 50000 or v_octets > 67108864 then
    raise exception using errcode = 'PT413', message = 'The chat is too large to be forked there.',
      hint = 'Fork it at an earlier message: at most 50,000 messages and 64 MiB are copied.';
  end if;
end
$$;
revoke execute on function homing.require_forkable(public.chats, bigint) from public;
comment on function homing.require_forkable(public.chats, bigint) is 'Raises PT400 for a number that is not there and PT413 for too much.';

create function homing.hold_both_chats(p_owner uuid, p_chat_id uuid, p_new_chat_id uuid) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform homing.lock_chat(p_owner, least(p_chat_id, p_new_chat_id));
  perform homing.lock_chat(p_owner, greatest(p_chat_id, p_new_chat_id));
  perform homing.lock_chats(p_owner, jsonb_build_array(
    jsonb_build_object('chat_id', p_chat_id), jsonb_build_object('chat_id', p_new_chat_id)));
end
$$;
revoke execute on function homing.hold_both_chats(uuid, uuid, uuid) from public;
comment on function homing.hold_both_chats(uuid, uuid, uuid) is 'Locks two chats in the order of their ids, and makes the new one if it is.';

create function homing.earlier_fork(p_fork public.chats, p_chat_id uuid, p_through bigint) returns jsonb
language sql stable
set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
  select jsonb_build_object(
    'status', case when p_fork.forked_from_chat_id = p_chat_id
      and coalesce(p_through, p_fork.forked_from_sequence_num) = p_fork.forked_from_sequence_num
      then 'duplicate' else 'conflict' end,
    'chat_id', p_fork.chat_id, 'last_sequence_num', p_fork.last_sequence_num,
    'copied', (
      select count(copied_from) from (
        select copied_from from public.messages
        where owner_id = p_fork.owner_id and chat_id = p_fork.chat_id and sequence_num > 0
        order by sequence_num limit 50000
      ) as first_messages
    ))
$$;
revoke execute on function homing.earlier_fork(public.chats, uuid, bigint) from public;
comment on function homing.earlier_fork(public.chats, uuid, bigint) is 'The answer to fork_chat when its new chat is there already.';

create function homing.fill_fork(p_chat public.chats, p_new_chat_id uuid, p_through bigint, p_title text) returns bigint
language plpgsql volatile set search_path = ''
as $$
declare
  v_head constant bigint := homing.lock_head(p_chat.owner_id);
  v_copied bigint;
  v_digest bigint;
begin
  select copied, digest into v_copied, v_digest from homing.copy_messages(
    p_chat.owner_id, p_chat.chat_id, p_new_chat_id, p_chat.clear_upto, p_through, v_head + 1);
  update public.chats set
    title = coalesce(p_title, p_chat.title), project_id = p_chat.project_id, model = p_chat.model,
    forked_from_chat_id = p_chat.chat_id, forked_from_sequence_num = p_through,
    last_sequence_num = v_copied, message_count = v_copied, digest = v_digest, read_upto = v_copied, change = v_head + 1
  where owner_id = p_chat.owner_id and chat_id = p_new_chat_id;
  update public.owner_heads set head = v_head + 1 + v_copied where owner_id = p_chat.owner_id;
  return v_copied;
end
$$;
revoke execute on function homing.fill_fork(public.chats, uuid, bigint, text) from public;
comment on function homing.fill_fork(public.chats, uuid, bigint, text) is 'Makes a new, empty chat a fork, and tells how many messages it got.';

create function public.fork_chat(
  p_chat_id uuid, p_new_chat_id uuid, p_through bigint default null, p_title text default null
) returns jsonb
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
declare
  v_owner constant uuid := homing.caller();
  v_chat public.chats;
  v_fork public.chats;
  v_through bigint;
  v_copied bigint;
begin
  perform homing.require_read_committed();
  if p_new_chat_id is null or length(p_title) > 1000 then
    raise exception using errcode = 'PT400', message = 'The new chat has no id, or a title of more than 1,000 characters.',
      hint = 'Send p_new_chat_id, a new UUID, and a shorter title or none.';
  end if;
  -- A deleted chat is refused only after a retry was answered, an unknown one before a row is made for it.
  if not exists (select from public.chats where owner_id = v_owner and chat_id = p_chat_id) then
    perform homing.require_open_chat(v_owner, p_chat_id);
  end if;
  perform homing.hold_both_chats(v_owner, p_chat_id, p_new_chat_id);
  select * into v_fork from public.chats where owner_id = v_owner and chat_id = p_new_chat_id;
  if v_fork.change is not null then
    return homing.earlier_fork(v_fork, p_chat_id, p_through);
  end if;
  perform homing.require_open_chat(v_owner, p_chat_id);
  select * into v_chat from public.chats where owner_id = v_owner and chat_id = p_chat_id;
  v_through := coalesce(p_through, v_chat.last_sequence_num);
  perform homing.require_forkable(v_chat, v_through);
  v_copied := homing.fill_fork(v_chat, p_new_chat_id, v_through, p_title);
  return jsonb_build_object(
    'status', 'forked', 'chat_id', p_new_chat_id, 'last_sequence_num', v_copied, 'copied', v_copied);
end
$$;
revoke execute on function public.fork_chat(uuid, uuid, bigint, text) from public, anon;
grant execute on function public.fork_chat(uuid, uuid, bigint, text) to authenticated;
comment on function public.fork_chat(uuid, uuid, bigint, text) is
  'Copies the messages of a chat of the caller up to number p_through (else all) into the new chat p_new_chat_id: '
  '{status, chat_id, copied, last_sequence_num}. Status: forked; duplicate (forked before); conflict (that id is another '
  'chat; nothing changed). Numbers start at 1, deleted messages and turns are left out. PT404 for a chat that the caller '
  'does not have, PT410 for a deleted one, PT400 for a number it does not have, PT413 for more than 50,000 messages or '
  '64 MiB.';
