-- Hands a device what changed since its cursor. Another epoch, or a cursor ahead of the head, says that the server was
-- rewound: then the answer starts from nothing.

create function homing.last_change_that_fits(p_owner uuid, p_after bigint, p_head bigint, p_limit integer)
returns bigint
language sql stable
set search_path = '' set enable_seqscan = off set enable_bitmapscan = off
as $$
  select max(change) filter (where place = 1 or (place <= p_limit and octets_so_far <= 4194304))
  from (
    select change, row_number() over upwards as place, sum(octets) over upwards as octets_so_far
    from (
      (select change, 512 + octet_length(title) as octets from public.chats
        where owner_id = p_owner and change > p_after and change <= p_head order by change limit p_limit)
      union all
      (select change, 512 + octets from public.messages
        where owner_id = p_owner and change > p_after and change <= p_head order by change limit p_limit)
    ) as upcoming
    window upwards as (order by change)
  ) as counted
$$;
revoke execute on function homing.last_change_that_fits(uuid, bigint, bigint, integer) from public;
comment on function homing.last_change_that_fits(uuid, bigint, bigint, integer) is
  'Where an answer of p_limit rows and about 4 MiB ends, never before its first row; null when nothing changed.';

create function homing.changes(p_owner uuid, p_after bigint, p_upto bigint) returns jsonb
language sql stable
set search_path = '' set timezone = 'UTC' set enable_seqscan = off set enable_bitmapscan = off
as $$
  select coalesce(jsonb_agg(jsonb_build_object('change', change, 'kind', kind, 'row', fields) order by change), '[]')
  from (
    select change, 'chat' as kind, jsonb_build_object(
      'chat_id', chat_id, 'title', title, 'project_id', project_id, 'model', model, 'pinned', pinned,
      'archived', archived, 'deleted', deleted, 'created_at', created_at, 'updated_at', updated_at,
      'last_sequence_num', last_sequence_num) as fields
    from public.chats where owner_id = p_owner and change > p_after and change <= p_upto
    union all
    select change, 'message', jsonb_build_object(
      'chat_id', chat_id, 'message_id', message_id, 'sequence_num', sequence_num, 'role', role, 'content', content,
      'annotations', annotations, 'turn_id', turn_id, 'status', status, 'revision', revision,
      'created_at', created_at, 'deleted_at', deleted_at)
    from public.messages where owner_id = p_owner and change > p_after and change <= p_upto
  ) as changed
$$;
revoke execute on function homing.changes(uuid, bigint, bigint) from public;
comment on function homing.changes(uuid, bigint, bigint) is 'The owner''s rows changed after p_after and up to p_upto, as they are now, in change order.';

create function public.pull_changes(p_epoch uuid, p_cursor bigint, p_limit integer default 500) returns jsonb
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
declare
  v_owner constant uuid := homing.caller();
  v_limit constant integer := least(greatest(coalesce(p_limit, 500), 1), 5000);
  v_current public.owner_heads;
  v_reset boolean;
  v_after bigint;
  v_last bigint;
begin
  select * into v_current from public.owner_heads where owner_id = v_owner;
  if not found then
    perform homing.ensure_head(v_owner);
    select * into strict v_current from public.owner_heads where owner_id = v_owner;
  end if;
  v_reset := p_epoch is distinct from v_current.epoch or coalesce(p_cursor, 0) > v_current.head;
  v_after := case when v_reset then 0 else greatest(coalesce(p_cursor, 0), 0) end;
  -- Bounded by the head read above: a later statement may see newer changes, but an answer is of one moment.
  v_last := coalesce(homing.last_change_that_fits(v_owner, v_after, v_current.head, v_limit), v_after);
  return jsonb_build_object(
    'epoch', v_current.epoch, 'cursor', v_last, 'head', v_current.head, 'reset', v_reset,
    'more', homing.last_change_that_fits(v_owner, v_last, v_current.head, 1) is not null,
    'changes', homing.changes(v_owner, v_after, v_last)
  );
end
$$;
revoke execute on function public.pull_changes(uuid, bigint, integer) from public, anon;
grant execute on function public.pull_changes(uuid, bigint, integer) to authenticated;
comment on function public.pull_changes(uuid, bigint, integer) is
  'The caller''s changes after a cursor, oldest first, at most p_limit (1 to 5000) and about 4 MiB: '
  '{epoch, cursor, head, more, reset, changes: [{change, kind, row}]}. The cursor is the last change of the answer. '
  'With reset the answer starts from nothing.';
