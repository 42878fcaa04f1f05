-- Appends the messages of many chats as homing.append_new and homing.append_each do those of one. A batch without a last
-- number is of a chat that takes no messages: it is left out.

create type homing.batch_verdict as (batch bigint, message_id text, sequence_num bigint, status text, reason text);
comment on type homing.batch_verdict is 'What became of a message in the batch at this place of a request, from 1.';

create function homing.append_new_to_all(
  p_owner uuid, p_batches jsonb, p_chat_ids uuid[], p_lasts bigint[], p_head bigint
) returns setof homing.batch_verdict
language plpgsql volatile set search_path = ''
as $$
begin
  return query
    with sent as materialized (
      select
        batch, message.*,
        p_lasts[batch] + count(*) filter (where refusal is null) over (partition by batch order by place) as number,
        p_head + count(*) filter (where refusal is null) over (order by batch, place) as next
      from jsonb_array_elements(p_batches) with ordinality as request (item, batch)
      cross join lateral homing.read_messages(item -> 'messages') as message
      where p_lasts[batch] is not null
    ), stored as (
      insert into public.messages (
        owner_id, chat_id, message_id, sequence_num, role, content, annotations, turn_id, created_at, octets, change
      )
      select p_owner, p_chat_ids[batch], message_id, number, role, content, annotations, turn_id, created_at, octets, next
      from sent where refusal is null
    )
    select
      batch, message_id, case when refusal is null then number end,
      case when refusal is null then 'inserted' else 'rejected' end, refusal
    from sent order by batch, place;
end
$$;
revoke execute on function homing.append_new_to_all(uuid, jsonb, uuid[], bigint[], bigint) from public;
comment on function homing.append_new_to_all(uuid, jsonb, uuid[], bigint[], bigint) is
  'Stores messages after the last number of each chat and change p_head. A unique violation when one is there already.';

create function homing.append_each_to_all(
  p_owner uuid, p_batches jsonb, p_chat_ids uuid[], p_lasts bigint[], p_head bigint
) returns setof homing.batch_verdict
language plpgsql volatile set search_path = ''
as $$
declare
  v_batch record;
  v_verdict homing.verdict;
  v_head bigint := p_head;
begin
  for v_batch in
    select place, item -> 'messages' as messages
    from jsonb_array_elements(p_batches) with ordinality as request (item, place)
    where p_lasts[place] is not null
  loop
    for v_verdict in
      select * from homing.append_each(
        p_owner, p_chat_ids[v_batch.place], v_batch.messages, p_lasts[v_batch.place], v_head)
    loop
      v_head := v_head + (v_verdict.status = 'inserted')::integer;
      return next row(v_batch.place, v_verdict.*)::homing.batch_verdict;
    end loop;
  end loop;
end
$$;
revoke execute on function homing.append_each_to_all(uuid, jsonb, uuid[], bigint[], bigint) from public;
comment on function homing.append_each_to_all(uuid, jsonb, uuid[], bigint[], bigint) is
  'As homing.append_new_to_all, one by one, for requests with messages that are there already or come twice.';

create function homing.append_to_all(
  p_owner uuid, p_batches jsonb, p_chat_ids uuid[], p_lasts bigint[], p_head bigint
) returns homing.batch_verdict[]
language plpgsql volatile set search_path = ''
as $$
declare
  v_verdicts homing.batch_verdict[];
begin
  begin
    v_verdicts := array(
      select verdict from homing.append_new_to_all(p_owner, p_batches, p_chat_ids, p_lasts, p_head) as verdict);
  exception when unique_violation then
    v_verdicts := array(
      select verdict from homing.append_each_to_all(p_owner, p_batches, p_chat_ids, p_lasts, p_head) as verdict);
  end;
  -- Every chat is there: this updates all of them, each found by its key.
  insert into public.chats as chat (owner_id, chat_id, last_sequence_num, message_count, digest)
    select
      p_owner, p_chat_ids[batch], count(*), count(*), bit_xor(homing.fingerprint(sequence_num, message_id, 1))
    from unnest(v_verdicts) where status = 'inserted' group by batch
    on conflict (owner_id, chat_id) do update set
      last_sequence_num = chat.last_sequence_num + excluded.last_sequence_num,
      message_count = chat.message_count + excluded.message_count,
      digest = chat.digest # excluded.digest, updated_at = now();
  return v_verdicts;
end
$$;
revoke execute on function homing.append_to_all(uuid, jsonb, uuid[], bigint[], bigint) from public;
comment on function homing.append_to_all(uuid, jsonb, uuid[], bigint[], bigint) is
  'Appends to chats that are locked and moves their counters. One verdict a message, in request order.';
