-- Appends a batch of new messages with one statement, and one by one only when an id or a turn is there already: a lost
-- answer sent again, mostly. The statement reads no message, so no statistics can spoil its plan.

create type homing.sent_message as (
  place bigint, message_id text, role text, content jsonb, annotations jsonb, turn_id text, created_at timestamptz,
  octets bigint, refusal text
);
comment on type homing.sent_message is 'A message of a request, at its place from 1, and why it cannot be stored, if so.';
create type homing.verdict as (message_id text, sequence_num bigint, status text, reason text);
comment on type homing.verdict is 'What became of one item of a request.';

create function homing.read_messages(p_messages jsonb) returns setof homing.sent_message
language plpgsql stable set search_path = ''
as $$
begin
  return query
    select
      place, case when jsonb_typeof(item -> 'message_id') = 'string' then item ->> 'message_id' end,
      item ->> 'role', parts, notes, item ->> 'turn_id', coalesce(moment, now()),
      (octet_length(parts::text) + coalesce(octet_length(notes::text), 0))::bigint,
      homing.message_refusal(item, moment)
    from jsonb_array_elements(p_messages) with ordinality as sent (item, place)
    cross join lateral (
      select
        homing.parts(item -> 'content') as parts, nullif(item -> 'annotations', 'null') as notes,
        case when item ->> 'created_at' is not null then homing.moment(item ->> 'created_at') end as moment
      offset 0
    ) as read;
end
$$;
revoke execute on function homing.read_messages(jsonb) from public;
comment on function homing.read_messages(jsonb) is 'The messages of a request as rows.';

create function homing.append_new(p_owner uuid, p_chat_id uuid, p_messages jsonb, p_last bigint, p_head bigint)
returns setof homing.verdict
language plpgsql volatile set search_path = ''
as $$
begin
  return query
    with sent as materialized (
      select *, count(*) filter (where refusal is null) over (order by place) as nth
      from homing.read_messages(p_messages)
    ), stored as (
      insert into public.messages (
        owner_id, chat_id, message_id, sequence_num, role, content, annotations, turn_id, created_at, octets, change
      )
      select
        p_owner, p_chat_id, message_id, p_last + nth, role, content, annotations, turn_id, created_at, octets, p_head + nth
      from sent where refusal is null
    )
    select
      message_id, case when refusal is null then p_last + nth end,
      case when refusal is null then 'inserted' else 'rejected' end, refusal
    from sent order by place;
end
$$;
revoke execute on function homing.append_new(uuid, uuid, jsonb, bigint, bigint) from public;
comment on function homing.append_new(uuid, uuid, jsonb, bigint, bigint) is
  'Stores messages after number p_last and change p_head. A unique violation when one of them is there already.';

create function homing.holder_of_turn(p_owner uuid, p_chat_id uuid, p_turn_id text, p_role text) returns text
language plpgsql stable
set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
begin
  -- A range and an order that only messages_by_turn gives: the primary key, as good by its first columns alone when
  -- statistics are wrong, would read the whole chat.
  return (
    select message_id from public.messages
    where owner_id = p_owner and chat_id = p_chat_id and turn_id between p_turn_id and p_turn_id and role = p_role
    order by turn_id limit 1
  );
end
$$;
revoke execute on function homing.holder_of_turn(uuid, uuid, text, text) from public;
comment on function homing.holder_of_turn(uuid, uuid, text, text) is 'The message that has this role in the turn, deleted or not.';

create function homing.verdict_on_known(p_owner uuid, p_chat_id uuid, p_sent homing.sent_message) returns homing.verdict
language plpgsql stable set search_path = ''
as $$
declare
  v_stored public.messages;
  v_same boolean;
begin
  select * into v_stored from public.messages
    where owner_id = p_owner and chat_id = p_chat_id and message_id = p_sent.message_id;
  if found then
    v_same := case when v_stored.erased_digest is null
      then (v_stored.role, v_stored.content, v_stored.annotations, v_stored.turn_id) is not distinct from
        (p_sent.role, p_sent.content, p_sent.annotations, p_sent.turn_id)
      else v_stored.erased_digest = homing.body_digest(p_sent.role, p_sent.content, p_sent.annotations, p_sent.turn_id)
    end;
    return case when v_same then row(p_sent.message_id, v_stored.sequence_num, 'duplicate', null)::homing.verdict
      else row(p_sent.message_id, v_stored.sequence_num, 'conflict',
        'Another text was sent before under the same id; that one was kept.')::homing.verdict end;
  end if;
  if p_sent.turn_id is not null
    and homing.holder_of_turn(p_owner, p_chat_id, p_sent.turn_id, p_sent.role) is not null then
    return row(p_sent.message_id, null, 'rejected', 'The turn has another message of this role already.')::homing.verdict;
  end if;
  return null;
end
$$;
revoke execute on function homing.verdict_on_known(uuid, uuid, homing.sent_message) from public;
comment on function homing.verdict_on_known(uuid, uuid, homing.sent_message) is
  'The verdict on a message whose id or place in its turn is taken; null when both are free. A tombstone is taken.';

create function homing.append_each(p_owner uuid, p_chat_id uuid, p_messages jsonb, p_last bigint, p_head bigint)
returns setof homing.verdict
language plpgsql volatile set search_path = ''
as $$
declare
  v_sent homing.sent_message;
  v_verdict homing.verdict;
  v_nth bigint := 0;
begin
  for v_sent in select * from homing.read_messages(p_messages) loop
    v_verdict := case when v_sent.refusal is null then homing.verdict_on_known(p_owner, p_chat_id, v_sent)
      else row(v_sent.message_id, null, 'rejected', v_sent.refusal)::homing.verdict end;
    if v_verdict is null then
      v_nth := v_nth + 1;
      insert into public.messages (
        owner_id, chat_id, message_id, sequence_num, role, content, annotations, turn_id, created_at, octets, change
      ) values (
        p_owner, p_chat_id, v_sent.message_id, p_last + v_nth, v_sent.role, v_sent.content, v_sent.annotations,
        v_sent.turn_id, v_sent.created_at, v_sent.octets, p_head + v_nth
      );
      v_verdict := row(v_sent.message_id, p_last + v_nth, 'inserted', null)::homing.verdict;
    end if;
    return next v_verdict;
  end loop;
end
$$;
revoke execute on function homing.append_each(uuid, uuid, jsonb, bigint, bigint) from public;
comment on function homing.append_each(uuid, uuid, jsonb, bigint, bigint) is
  'As homing.append_new, one by one, for requests with messages that are there already or come twice.';

create function homing.count_append(
  p_owner uuid, p_verdicts homing.verdict[], p_started timestamptz, p_held timestamptz
) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_size constant bigint := cardinality(p_verdicts);
  v_waited constant bigint := extract(epoch from p_held - p_started) * 1000000;
  v_lasted constant bigint := extract(epoch from clock_timestamp() - p_started) * 1000000;
begin
  insert into public.append_counters as counters (
    owner_id, calls, inserted, duplicates, conflicts, rejected, messages, largest_batch,
    batches_upto_1, batches_upto_10, batches_upto_100,
    lock_wait_micros, longest_lock_wait_micros, duration_micros, longest_duration_micros
  )
  select
    p_owner, 1, count(*) filter (where status = 'inserted'), count(*) filter (where status = 'duplicate'),
    count(*) filter (where status = 'conflict'), count(*) filter (where status = 'rejected'), v_size, v_size,
    (v_size <= 1)::integer, (v_size <= 10)::integer, (v_size <= 100)::integer, v_waited, v_waited, v_lasted, v_lasted
  from unnest(p_verdicts)
  on conflict (owner_id) do update set
    calls = counters.calls + 1,
    inserted = counters.inserted + excluded.inserted,
    duplicates = counters.duplicates + excluded.duplicates,
    conflicts = counters.conflicts + excluded.conflicts,
    rejected = counters.rejected + excluded.rejected,
    messages = counters.messages + excluded.messages,
    largest_batch = greatest(counters.largest_batch, excluded.largest_batch),
    batches_upto_1 = counters.batches_upto_1 + excluded.batches_upto_1,
    batches_upto_10 = counters.batches_upto_10 + excluded.batches_upto_10,
    batches_upto_100 = counters.batches_upto_100 + excluded.batches_upto_100,
    lock_wait_micros = counters.lock_wait_micros + excluded.lock_wait_micros,
    longest_lock_wait_micros = greatest(counters.longest_lock_wait_micros, excluded.longest_lock_wait_micros),
    duration_micros = counters.duration_micros + excluded.duration_micros,
    longest_duration_micros = greatest(counters.longest_duration_micros, excluded.longest_duration_micros);
end
$$;
revoke execute on function homing.count_append(uuid, homing.verdict[], timestamptz, timestamptz) from public;
comment on function homing.count_append(uuid, homing.verdict[], timestamptz, timestamptz) is
  'Counts one append for the operator, under the owner''s head.';

create or replace function public.append_messages(p_chat_id uuid, p_messages jsonb)
returns table (message_id text, sequence_num bigint, status text, reason text)
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_owner constant uuid := homing.caller();
  v_started constant timestamptz := clock_timestamp();
  v_held timestamptz;
  v_last bigint;
  v_head bigint;
  v_verdicts homing.verdict[];
  v_inserted bigint;
  v_digest bigint;
begin
  perform homing.require_batch(p_messages);
  v_last := (homing.hold_open_chat(v_owner, p_chat_id)).last_sequence_num;
  v_head := homing.lock_head(v_owner);
  v_held := clock_timestamp();
  begin
    v_verdicts := array(select verdict from homing.append_new(v_owner, p_chat_id, p_messages, v_last, v_head) as verdict);
  exception when unique_violation then
    v_verdicts := array(select verdict from homing.append_each(v_owner, p_chat_id, p_messages, v_last, v_head) as verdict);
  end;
  select count(*), bit_xor(homing.fingerprint(sequence_num, message_id, 1)) into v_inserted, v_digest
    from unnest(v_verdicts) where status = 'inserted';
  if v_inserted > 0 then
    update public.chats set
      last_sequence_num = v_last + v_inserted, message_count = message_count + v_inserted, digest = digest # v_digest,
      updated_at = now()
    where owner_id = v_owner and chat_id = p_chat_id;
    update public.owner_heads set head = v_head + v_inserted where owner_id = v_owner;
  end if;
  perform homing.count_append(v_owner, v_verdicts, v_started, v_held);
  return query select * from unnest(v_verdicts);
end
$$;
