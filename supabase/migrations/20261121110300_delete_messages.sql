-- Deletes messages by naming them: each becomes a tombstone that keeps its number and its id, and every device hears of
-- it. Never by leaving them out of a list.

create function homing.erase_messages(p_owner uuid, p_chat_id uuid, p_message_ids text[]) returns bigint
language plpgsql volatile set search_path = ''
as $$
declare
  v_id text;
  v_erased text[] := '{}';
begin
  foreach v_id in array p_message_ids loop
    update public.messages set
      erased_digest = coalesce(erased_digest, homing.body_digest(role, content, annotations, turn_id)),
      content = '[]', annotations = null, octets = 2, deleted_at = now(),
      status = case status when 'streaming' then 'interrupted' else status end
      where owner_id = p_owner and chat_id = p_chat_id and message_id = v_id and deleted_at is null;
    if found then
      v_erased := v_erased || v_id;
    end if;
  end loop;
  perform homing.restamp_messages(p_owner, p_chat_id, v_erased);
  update public.chats set message_count = message_count - cardinality(v_erased)
    where owner_id = p_owner and chat_id = p_chat_id and cardinality(v_erased) > 0;
  return cardinality(v_erased);
end
$$;
revoke execute on function homing.erase_messages(uuid, uuid, text[]) from public;
comment on function homing.erase_messages(uuid, uuid, text[]) is
  'Makes tombstones of those messages that are none yet, and tells how many. The caller holds the chat.';

create function homing.require_erasable(p_owner uuid, p_chat_id uuid, p_message_ids text[]) returns void
language plpgsql stable set search_path = ''
as $$
begin
  if 134217728 < (
    select sum((
      select octets from public.messages
      where owner_id = p_owner and chat_id = p_chat_id and message_id = wanted.message_id
    ))
    from (select distinct message_id from unnest(p_message_ids) as message_id) as wanted
  ) then
    raise exception using errcode = 'PT413', message = 'The messages are too large to be deleted at once.',
      hint = 'Delete fewer of them a call.';
  end if;
end
$$;
revoke execute on function homing.require_erasable(uuid, uuid, text[]) from public;
comment on function homing.require_erasable(uuid, uuid, text[]) is
  'Raises PT413 for more than 128 MiB: before a body is erased, all of it is read once more, for its digest.';

create function public.delete_messages(p_chat_id uuid, p_message_ids jsonb)
returns table (message_id text, sequence_num bigint, status text, reason text)
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_owner constant uuid := homing.caller();
  v_ids text[];
begin
  perform homing.require_batch(p_message_ids);
  perform homing.hold_open_chat(v_owner, p_chat_id);
  v_ids := array(
    select item #>> '{}' from jsonb_array_elements(p_message_ids) as item where jsonb_typeof(item) = 'string'
  );
  perform homing.require_erasable(v_owner, p_chat_id, v_ids);
  perform homing.erase_messages(v_owner, p_chat_id, v_ids);
  for message_id, sequence_num in
    select wanted.message_id, (
      select sequence_num from public.messages as message
      where message.owner_id = v_owner and message.chat_id = p_chat_id and message.message_id = wanted.message_id
    )
    from (
      select place, case when jsonb_typeof(item) = 'string' then item #>> '{}' end as message_id
      from jsonb_array_elements(p_message_ids) with ordinality as sent (item, place)
    ) as wanted
    order by place
  loop
    status := case when delete_messages.sequence_num is null then 'rejected' else 'deleted' end;
    reason := case when delete_messages.sequence_num is null then 'There is no such message.' end;
    return next;
  end loop;
end
$$;
revoke execute on function public.delete_messages(uuid, jsonb) from public, anon;
grant execute on function public.delete_messages(uuid, jsonb) to authenticated;
comment on function public.delete_messages(uuid, jsonb) is
  'Deletes messages of a chat of the caller, a list of at most 500 ids. One row each, in request order: deleted, also '
  'when it was before; or rejected with the reason. Numbers are not given again. PT404 for a chat that the caller does '
  'not have, PT410 for a deleted one, PT413 for more than 500 ids or 128 MiB of messages.';
