-- pull_summary is pull_changes without the messages: a new device shows every chat before it has read one message.
-- Both are one page of changes; what a row looks like to a device is said once for each kind that more than one asks for.

create function homing.chat_row(p_chat public.chats) returns jsonb
language sql stable
return jsonb_build_object(
  'chat_id', p_chat.chat_id, 'title', p_chat.title, 'project_id', p_chat.project_id, 'model', p_chat.model,
  'pinned', p_chat.pinned, 'archived', p_chat.archived, 'deleted', p_chat.deleted, 'created_at', p_chat.created_at,
  'updated_at', p_chat.updated_at, 'last_sequence_num', p_chat.last_sequence_num, 'read_upto', p_chat.read_upto,
  'marked_unread', p_chat.marked_unread, 'forked_from_chat_id', p_chat.forked_from_chat_id,
  'forked_from_sequence_num', p_chat.forked_from_sequence_num);
revoke execute on function homing.chat_row(public.chats) from public;
comment on function homing.chat_row(public.chats) is 'A chat as devices pull it.';

create function homing.project_row(p_project public.projects) returns jsonb
language sql stable
return jsonb_build_object(
  'project_id', p_project.project_id, 'name', p_project.name, 'description', p_project.description,
  'status', p_project.status, 'url_id', p_project.url_id, 'deleted', p_project.deleted,
  'created_at', p_project.created_at, 'updated_at', p_project.updated_at);
revoke execute on function homing.project_row(public.projects) from public;
comment on function homing.project_row(public.projects) is 'A project as devices pull it.';

create function homing.message_row(p_message public.messages) returns jsonb
language sql stable
return jsonb_build_object(
  'chat_id', p_message.chat_id, 'message_id', p_message.message_id, 'sequence_num', p_message.sequence_num,
  'role', p_message.role, 'content', p_message.content, 'annotations', p_message.annotations,
  'turn_id', p_message.turn_id, 'status', p_message.status, 'revision', p_message.revision,
  'created_at', p_message.created_at, 'deleted_at', p_message.deleted_at, 'copied_from', p_message.copied_from);
revoke execute on function homing.message_row(public.messages) from public;
comment on function homing.message_row(public.messages) is 'A message as devices pull it.';

drop function homing.last_change_that_fits(uuid, bigint, bigint, integer);
create function homing.last_change_that_fits(
  p_owner uuid, p_after bigint, p_head bigint, p_limit integer, p_with_messages boolean
) returns bigint
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
        where p_with_messages and owner_id = p_owner and change > 0 and change > p_after and change <= p_head
        order by change limit p_limit)
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
revoke execute on function homing.last_change_that_fits(uuid, bigint, bigint, integer, boolean) from public;
comment on function homing.last_change_that_fits(uuid, bigint, bigint, integer, boolean) is
  'Where an answer of p_limit rows and about 4 MiB ends, never before its first row; null when nothing changed.';

drop function homing.changes(uuid, bigint, bigint);
create function homing.changes(p_owner uuid, p_after bigint, p_upto bigint, p_with_messages boolean) returns jsonb
language sql stable
set search_path = '' set timezone = 'UTC' set enable_seqscan = off set enable_bitmapscan = off
as $$
  select coalesce(jsonb_agg(jsonb_build_object('change', change, 'kind', kind, 'row', fields) order by change), '[]')
  from (
    select change, 'chat' as kind, homing.chat_row(chat) as fields
    from public.chats as chat where owner_id = p_owner and change > 0 and change > p_after and change <= p_upto
    union all
    select change, 'project', homing.project_row(project)
    from public.projects as project where owner_id = p_owner and change > 0 and change > p_after and change <= p_upto
    union all
    select change, 'message', homing.message_row(message)
    from public.messages as message
    where p_with_messages and owner_id = p_owner and change > 0 and change > p_after and change <= p_upto
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
revoke execute on function homing.changes(uuid, bigint, bigint, boolean) from public;
comment on function homing.changes(uuid, bigint, bigint, boolean) is
  'The owner''s rows changed after p_after and up to p_upto, as they are now, in change order; with messages or without.';

create function homing.page_of_changes(
  p_owner uuid, p_epoch uuid, p_cursor bigint, p_limit integer, p_with_messages boolean
) returns jsonb
language plpgsql volatile set search_path = '' set enable_seqscan = off
as $$
declare
  v_limit constant integer := least(greatest(coalesce(p_limit, 500), 1), 5000);
  v_current public.owner_heads;
  v_reset boolean;
  v_after bigint;
  v_last bigint;
begin
  perform homing.interrupt_expired(p_owner);
  select * into v_current from public.owner_heads where owner_id = p_owner;
  if not found then
    perform homing.ensure_head(p_owner);
    select * into strict v_current from public.owner_heads where owner_id = p_owner;
  end if;
  v_reset := p_epoch is distinct from v_current.epoch or coalesce(p_cursor, 0) > v_current.head;
  v_after := case when v_reset then 0 else greatest(coalesce(p_cursor, 0), 0) end;
  -- Bounded by the head read above: a later statement may see newer changes, but an answer is of one moment.
  if v_after < v_current.head then
    v_last := homing.last_change_that_fits(p_owner, v_after, v_current.head, v_limit, p_with_messages);
  end if;
  return jsonb_build_object(
    'epoch', v_current.epoch, 'cursor', coalesce(v_last, v_after), 'head', v_current.head, 'reset', v_reset,
    'more', coalesce(v_last < v_current.head, false)
      and homing.last_change_that_fits(p_owner, v_last, v_current.head, 1, p_with_messages) is not null,
    'changes', case when v_last is null then '[]' else homing.changes(p_owner, v_after, v_last, p_with_messages) end
  );
end
$$;
revoke execute on function homing.page_of_changes(uuid, uuid, bigint, integer, boolean) from public;
comment on function homing.page_of_changes(uuid, uuid, bigint, integer, boolean) is
  'The answer of pull_changes, or without messages that of pull_summary.';

create or replace function public.pull_changes(p_epoch uuid, p_cursor bigint, p_limit integer default 500) returns jsonb
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s'
as $$
begin
  return homing.page_of_changes(homing.caller(), p_epoch, p_cursor, p_limit, true);
end
$$;

create function public.pull_summary(p_epoch uuid, p_cursor bigint, p_limit integer default 500) returns jsonb
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s'
as $$
begin
  return homing.page_of_changes(homing.caller(), p_epoch, p_cursor, p_limit, false);
end
$$;
revoke execute on function public.pull_summary(uuid, bigint, integer) from public, anon;
grant execute on function public.pull_summary(uuid, bigint, integer) to authenticated;
comment on function public.pull_summary(uuid, bigint, integer) is
  'As pull_changes, without messages: each chat tells its last_sequence_num, and pull_history brings what is wanted. '
  'A device that has all pages goes on with pull_changes from the head of the first.';
