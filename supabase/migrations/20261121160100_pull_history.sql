-- Hands a device the messages that it lacks, by their numbers: what a person looks at comes first, however long the chat.

create function homing.require_holes(p_holes jsonb) returns void
language plpgsql stable set search_path = ''
as $$
begin
  perform homing.require_batch(p_holes);
  if jsonb_array_length(p_holes) > 200 then
    raise exception using errcode = 'PT413', message = 'The request is too large.', hint = 'Send at most 200 holes a call.';
  end if;
  if exists (
    select from jsonb_array_elements(p_holes) as item
    where jsonb_typeof(item) <> 'object' or not homing.is_uuid(item -> 'chat_id')
      or not homing.is_count(item -> 'first') or not homing.is_count(item -> 'last')
  ) then
    raise exception using errcode = 'PT400', message = 'A hole does not say which numbers of which chat are wanted.',
      hint = 'Send objects with chat_id, first and last.';
  end if;
end
$$;
revoke execute on function homing.require_holes(jsonb) from public;
comment on function homing.require_holes(jsonb) is
  'Raises PT400 for what are no holes, and PT413 for more than 200.';

create function homing.first_numbers_that_fit(p_owner uuid, p_holes jsonb, p_limit integer) returns bigint[]
language plpgsql stable
set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
declare
  v_hole record;
  v_fitting record;
  v_rows bigint := p_limit;
  v_octets bigint := 4194304;
  v_firsts bigint[] := '{}';
begin
  for v_hole in
    select (item ->> 'chat_id')::uuid as chat_id, (item ->> 'first')::numeric::bigint as first,
      (item ->> 'last')::numeric::bigint as last
    from jsonb_array_elements(p_holes) as item
  loop
    select count(*) as there, count(*) filter (where fits) as rows, max(octets_so_far) filter (where fits) as octets,
      min(sequence_num) filter (where fits) as first
    into v_fitting
    from (
      select sequence_num, octets_so_far,
        octets_so_far <= v_octets and place <= v_rows or (v_rows = p_limit and place = 1) as fits
      from (
        select sequence_num, sum(512 + octets) over downwards as octets_so_far, row_number() over downwards as place
        from public.messages
        where owner_id = p_owner and chat_id = v_hole.chat_id
          and sequence_num > 0 and sequence_num >= v_hole.first and sequence_num <= v_hole.last
        window downwards as (order by sequence_num desc)
        limit v_rows + 1
      ) as counted
    ) as judged;
    exit when v_fitting.there > 0 and v_fitting.rows = 0;
    v_firsts := v_firsts || case when v_fitting.rows = v_fitting.there then v_hole.first else v_fitting.first end;
    exit when v_fitting.rows < v_fitting.there;
    v_rows := v_rows - v_fitting.rows;
    v_octets := v_octets - coalesce(v_fitting.octets, 0);
  end loop;
  return v_firsts;
end
$$;
revoke execute on function homing.first_numbers_that_fit(uuid, jsonb, integer) from public;
comment on function homing.first_numbers_that_fit(uuid, jsonb, integer) is
  'From which number on each hole fits into an answer of p_limit rows and about 4 MiB: all of it but for the last of '
  'these holes; the rest do not come at all. There is one row at least, if any hole has one.';

create function homing.messages_in(p_owner uuid, p_holes jsonb, p_firsts bigint[]) returns jsonb
language sql stable
set search_path = '' set timezone = 'UTC' set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
  select coalesce(jsonb_agg(
    jsonb_build_object('change', change, 'kind', 'message', 'row', fields) order by place, sequence_num desc), '[]')
  from jsonb_array_elements(p_holes) with ordinality as hole (item, place)
  cross join lateral (
    select change, sequence_num, homing.message_row(message) as fields
    from public.messages as message
    where owner_id = p_owner and chat_id = (item ->> 'chat_id')::uuid and sequence_num > 0
      and sequence_num >= p_firsts[place] and sequence_num <= (item ->> 'last')::numeric::bigint
    order by sequence_num desc limit 1000
  ) as wanted
  where place <= cardinality(p_firsts)
$$;
revoke execute on function homing.messages_in(uuid, jsonb, bigint[]) from public;
comment on function homing.messages_in(uuid, jsonb, bigint[]) is
  'The messages in the first holes, as changes: each hole from its last number down to the given one.';

create function public.pull_history(p_holes jsonb, p_limit integer default 1000) returns jsonb
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
declare
  v_owner constant uuid := homing.caller();
  v_limit constant integer := least(greatest(coalesce(p_limit, 1000), 1), 1000);
  v_firsts bigint[];
begin
  perform homing.require_holes(p_holes);
  perform homing.interrupt_expired(v_owner);
  if not exists (select from public.owner_heads where owner_id = v_owner) then
    perform homing.ensure_head(v_owner);
  end if;
  v_firsts := homing.first_numbers_that_fit(v_owner, p_holes, v_limit);
  return jsonb_build_object(
    'epoch', (select epoch from public.owner_heads where owner_id = v_owner),
    'changes', homing.messages_in(v_owner, p_holes, v_firsts),
    'covered', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'chat_id', (item ->> 'chat_id')::uuid, 'first', v_firsts[place], 'last', (item ->> 'last')::numeric::bigint
      ) order by place), '[]')
      from jsonb_array_elements(p_holes) with ordinality as hole (item, place)
      where place <= cardinality(v_firsts)
    )
  );
end
$$;
revoke execute on function public.pull_history(jsonb, integer) from public, anon;
grant execute on function public.pull_history(jsonb, integer) to authenticated;
comment on function public.pull_history(jsonb, integer) is
  'Messages by their numbers: holes are objects with chat_id, first and last, at most 200, taken in order and each from '
  'its last number downwards, up to p_limit rows (1 to 1,000) and about 4 MiB: {epoch, changes: [{change, kind, row}], '
  'covered: [{chat_id, first, last}]}. Rows are as in pull_changes, tombstones included. What is covered came whole; '
  'numbers that the caller''s chats do not have are covered without rows.';
