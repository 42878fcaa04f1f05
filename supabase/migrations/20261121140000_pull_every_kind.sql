-- pull_changes hands out projects, snapshots without their files, context and usage too, and first interrupts replies
-- whose writers fell silent. Only indexes by change are read, whatever else the tables hold.

create or replace function homing.last_change_that_fits(p_owner uuid, p_after bigint, p_head bigint, p_limit integer)
returns bigint
language sql stable
set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
  select max(change) filter (where place = 1 or (place <= p_limit and octets_so_far <= 4194304))
  from (
    select change, row_number() over upwards as place, sum(octets) over upwards as octets_so_far
    from (
      (select change, 640 + octet_length(title) + coalesce(octet_length(model), 0) as octets from public.chats
        where owner_id = p_owner and change > 0 and change > p_after and change <= p_head order by change limit p_limit)
      union all
      (select change, 512 + octet_length(name) + octet_length(description) from public.projects
        where owner_id = p_owner and change > 0 and change > p_after and change <= p_head order by change limit p_limit)
      union all
      (select change, 512 + octets from public.messages
        where owner_id = p_owner and change > 0 and change > p_after and change <= p_head order by change limit p_limit)
      union all
      (select change, 512 from public.project_snapshots
        where owner_id = p_owner and change > 0 and change > p_after and change <= p_head order by change limit p_limit)
      union all
      -- A line end or a quotation mark is two octets in JSON; no longer escape is left in a clean text.
      (select change, 640 + octet_length(source) + octet_length(name) + coalesce(octet_length(reason), 0)
          + case when status = 'ok' then 2 * octets else 0 end
        from public.chat_context
        where owner_id = p_owner and change > 0 and change > p_after and change <= p_head order by change limit p_limit)
      union all
      (select change, 512 + octets from public.message_usage
        where owner_id = p_owner and change > 0 and change > p_after and change <= p_head order by change limit p_limit)
    ) as upcoming
    window upwards as (order by change)
  ) as counted
$$;

create or replace function homing.changes(p_owner uuid, p_after bigint, p_upto bigint) returns jsonb
language sql stable
set search_path = '' set timezone = 'UTC' set enable_seqscan = off set enable_bitmapscan = off
as $$
  select coalesce(jsonb_agg(jsonb_build_object('change', change, 'kind', kind, 'row', fields) order by change), '[]')
  from (
    select change, 'chat' as kind, jsonb_build_object(
      'chat_id', chat_id, 'title', title, 'project_id', project_id, 'model', model, 'pinned', pinned,
      'archived', archived, 'deleted', deleted, 'created_at', created_at, 'updated_at', updated_at,
      'last_sequence_num', last_sequence_num, 'read_upto', read_upto, 'marked_unread', marked_unread,
      'forked_from_chat_id', forked_from_chat_id, 'forked_from_sequence_num', forked_from_sequence_num) as fields
    from public.chats where owner_id = p_owner and change > 0 and change > p_after and change <= p_upto
    union all
    select change, 'project', jsonb_build_object(
      'project_id', project_id, 'name', name, 'description', description, 'status', status, 'url_id', url_id,
      'deleted', deleted, 'created_at', created_at, 'updated_at', updated_at)
    from public.projects where owner_id = p_owner and change > 0 and change > p_after and change <= p_upto
    union all
    select change, 'message', jsonb_build_object(
      'chat_id', chat_id, 'message_id', message_id, 'sequence_num', sequence_num, 'role', role, 'content', content,
      'annotations', annotations, 'turn_id', turn_id, 'status', status, 'revision', revision,
      'created_at', created_at, 'deleted_at', deleted_at, 'copied_from', copied_from)
    from public.messages where owner_id = p_owner and change > 0 and change > p_after and change <= p_upto
    union all
    select change, 'snapshot', jsonb_build_object(
      'project_id', project_id, 'content_hash', content_hash, 'octets', octets, 'revision', revision,
      'created_at', created_at, 'updated_at', updated_at)
    from public.project_snapshots where owner_id = p_owner and change > 0 and change > p_after and change <= p_upto
    union all
    select change, 'context', jsonb_build_object(
      'chat_id', chat_id, 'source', source, 'kind', kind, 'name', name, 'status', status, 'reason', reason,
      'body', body, 'source_hash', source_hash, 'content_hash', content_hash, 'octets', octets, 'deleted', deleted,
      'created_at', created_at, 'updated_at', updated_at)
    from public.chat_context where owner_id = p_owner and change > 0 and change > p_after and change <= p_upto
    union all
    select change, 'usage', jsonb_build_object(
      'chat_id', chat_id, 'message_id', message_id, 'prompt_tokens', prompt_tokens,
      'completion_tokens', completion_tokens, 'total_tokens', total_tokens, 'cost_micros', cost_micros,
      'models', models, 'truncated', truncated, 'created_at', created_at)
    from public.message_usage where owner_id = p_owner and change > 0 and change > p_after and change <= p_upto
  ) as changed
$$;

create or replace function public.pull_changes(p_epoch uuid, p_cursor bigint, p_limit integer default 500) returns jsonb
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
  perform homing.interrupt_expired(v_owner);
  select * into v_current from public.owner_heads where owner_id = v_owner;
  if not found then
    perform homing.ensure_head(v_owner);
    select * into strict v_current from public.owner_heads where owner_id = v_owner;
  end if;
  v_reset := p_epoch is distinct from v_current.epoch or coalesce(p_cursor, 0) > v_current.head;
  v_after := case when v_reset then 0 else greatest(coalesce(p_cursor, 0), 0) end;
  -- Bounded by the head read above: a later statement may see newer changes, but an answer is of one moment.
  if v_after < v_current.head then
    v_last := homing.last_change_that_fits(v_owner, v_after, v_current.head, v_limit);
  end if;
  return jsonb_build_object(
    'epoch', v_current.epoch, 'cursor', coalesce(v_last, v_after), 'head', v_current.head, 'reset', v_reset,
    'more', coalesce(v_last < v_current.head, false)
      and homing.last_change_that_fits(v_owner, v_last, v_current.head, 1) is not null,
    'changes', case when v_last is null then '[]' else homing.changes(v_owner, v_after, v_last) end
  );
end
$$;
comment on function public.pull_changes(uuid, bigint, integer) is
  'The caller''s changes after a cursor, oldest first, at most p_limit (1 to 5000) and about 4 MiB: '
  '{epoch, cursor, head, more, reset, changes: [{change, kind, row}]}. kind is chat, project, message, snapshot (without '
  'its files), context or usage. The cursor is the last change of the answer. With reset the answer starts from nothing.';
