-- Deletes a chat's messages up to a number, in calls of bounded length. What was appended behind that number meanwhile
-- stays. The chat remembers how far it is clear, so that no call reads the tombstones of the ones before.

alter table public.chats add column clear_upto bigint not null default 0;
comment on column public.chats.clear_upto is 'All messages up to this number are deleted; a place to start from, not a limit.';

create function public.clear_chat(p_chat_id uuid, p_through bigint) returns jsonb
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
declare
  v_owner constant uuid := homing.caller();
  v_chat public.chats;
  v_through bigint;
  v_ids text[];
begin
  if p_through is null then
    raise exception using errcode = 'PT400', message = 'The request names no last message.',
      hint = 'Send p_through, the number up to which messages are deleted.';
  end if;
  v_chat := homing.hold_open_chat(v_owner, p_chat_id);
  v_through := least(p_through, v_chat.clear_upto + 5000, v_chat.last_sequence_num);
  -- Before a body is erased, all of it is read once more, for its digest.
  select
    coalesce(array_agg(message_id order by sequence_num) filter (where fits), '{}'),
    coalesce(min(sequence_num) filter (where not fits) - 1, v_through)
  into v_ids, v_through
  from (
    select message_id, sequence_num, sum(octets) over upwards <= 67108864 or row_number() over upwards = 1 as fits
    from public.messages
    where owner_id = v_owner and chat_id = p_chat_id and sequence_num > 0 and sequence_num > v_chat.clear_upto
      and sequence_num <= v_through and deleted_at is null
    window upwards as (order by sequence_num)
  ) as living;
  perform homing.erase_messages(v_owner, p_chat_id, v_ids);
  if v_through > v_chat.clear_upto then
    update public.chats set clear_upto = v_through where owner_id = v_owner and chat_id = p_chat_id;
  end if;
  return jsonb_build_object(
    'deleted', cardinality(v_ids), 'more', v_through < least(p_through, v_chat.last_sequence_num));
end
$$;
revoke execute on function public.clear_chat(uuid, bigint) from public, anon;
grant execute on function public.clear_chat(uuid, bigint) to authenticated;
comment on function public.clear_chat(uuid, bigint) is
  'Deletes the messages of a chat of the caller up to number p_through, at most 5,000 and about 64 MiB a call: '
  '{deleted, more}. Call it again while there is more. PT404 for a chat that the caller does not have, PT410 for a deleted one.';
