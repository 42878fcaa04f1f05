-- One call for all that a device has to send: projects, then chats, then messages of many chats, in one transaction.
-- Locks chats in the order of their ids, then projects in the order of theirs, then the owner's head, as everything that
-- writes does. The row of a chat is lock enough: whoever takes a chat's advisory lock takes its row next and reads it
-- then, and five hundred advisory locks in each of many calls would fill a table that all people share.

create function homing.require_each_once(p_items jsonb, p_key text) returns void
language plpgsql stable set search_path = ''
as $$
begin
  if exists (
    select from jsonb_array_elements(p_items) as item where homing.is_uuid(item -> p_key)
    group by lower(item ->> p_key) having count(*) > 1
  ) then
    raise exception using errcode = 'PT400', message = 'The request names the same chat or project twice in one list.',
      hint = 'Send each chat and project once.';
  end if;
end
$$;
revoke execute on function homing.require_each_once(jsonb, text) from public;
comment on function homing.require_each_once(jsonb, text) is 'Raises PT400 when two items have the same id.';

create function homing.require_push(p_projects jsonb, p_chats jsonb, p_batches jsonb) returns void
language plpgsql stable set search_path = ''
as $$
begin
  perform homing.require_batch(p_projects);
  perform homing.require_batch(p_chats);
  perform homing.require_batch(p_batches);
  perform homing.require_each_once(p_projects, 'project_id');
  perform homing.require_each_once(p_chats, 'chat_id');
  perform homing.require_each_once(p_batches, 'chat_id');
  if exists (
    select from jsonb_array_elements(p_batches) as item
    where jsonb_typeof(item) <> 'object' or not homing.is_uuid(item -> 'chat_id')
      or coalesce(jsonb_typeof(item -> 'messages'), 'null') <> 'array'
  ) then
    raise exception using errcode = 'PT400', message = 'A batch does not say which messages are for which chat.',
      hint = 'Send objects with chat_id and messages, a list.';
  end if;
  if (select sum(jsonb_array_length(item -> 'messages')) from jsonb_array_elements(p_batches) as item) > 1000
    or octet_length(p_projects::text) + octet_length(p_chats::text) + octet_length(p_batches::text) > 4194304 then
    raise exception using errcode = 'PT413', message = 'The request is too large.',
      hint = 'Send at most 500 projects, 500 chats and 500 batches with 1,000 messages, and 4 MiB a call.';
  end if;
end
$$;
revoke execute on function homing.require_push(jsonb, jsonb, jsonb) from public;
comment on function homing.require_push(jsonb, jsonb, jsonb) is
  'Raises PT400 for what are no lists of things named once, and PT413 for too much.';

create function homing.hold_chats(p_owner uuid, p_chats jsonb, p_batches jsonb) returns uuid[]
language plpgsql volatile set search_path = ''
as $$
declare
  v_chat_ids constant uuid[] := array(
    select (item ->> 'chat_id')::uuid from jsonb_array_elements(p_chats) as item where homing.chat_refusal(item) is null
    union
    select known.chat_id from jsonb_array_elements(p_batches) as item
    cross join lateral (
      select chat_id from public.chats where owner_id = p_owner and chat_id = (item ->> 'chat_id')::uuid offset 0
    ) as known
  );
begin
  -- One pass in the order of the ids: a chat that is there is locked, and not changed, by an update that never applies.
  insert into public.chats as chat (owner_id, chat_id)
    select p_owner, chat_id from unnest(v_chat_ids) as chat_id order by chat_id
    on conflict (owner_id, chat_id) do update set title = chat.title where false;
  return v_chat_ids;
end
$$;
revoke execute on function homing.hold_chats(uuid, jsonb, jsonb) from public;
comment on function homing.hold_chats(uuid, jsonb, jsonb) is
  'Locks the chats of a push and makes those that are new and can be saved. Which it has: a chat that another call makes '
  'meanwhile is not one of them.';

create function homing.batch_faults(
  p_owner uuid, p_batches jsonb, p_held uuid[], out faults text[], out lasts bigint[]
)
language plpgsql stable set search_path = ''
as $$
begin
  select
    array_agg(case when chat.deleted is null then 'unknown' when chat.deleted then 'deleted' end order by place),
    array_agg(case when not chat.deleted then chat.last_sequence_num end order by place)
  into faults, lasts
  from jsonb_array_elements(p_batches) with ordinality as request (item, place)
  left join lateral (
    select deleted, last_sequence_num from public.chats
    where owner_id = p_owner and chat_id = (item ->> 'chat_id')::uuid and chat_id = any (p_held) offset 0
  ) as chat on true;
end
$$;
revoke execute on function homing.batch_faults(uuid, jsonb, uuid[]) from public;
comment on function homing.batch_faults(uuid, jsonb, uuid[]) is
  'Why each batch cannot be appended, null when it can; and the last number of its chat, null when it cannot.';

create function homing.saved_rows(p_owner uuid, p_projects homing.save_verdict[], p_chats homing.save_verdict[]) returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('change', change, 'kind', kind, 'row', fields) order by kind desc, place), '[]')
    from (
      select 'project' as kind, place, stored.*
      from unnest(p_projects) with ordinality as verdict (id, status, reason, place)
      cross join lateral (
        select change, homing.project_row(project) as fields
        from public.projects as project where owner_id = p_owner and project_id = verdict.id offset 0
      ) as stored
      where verdict.status = 'saved'
      union all
      select 'chat', place, stored.*
      from unnest(p_chats) with ordinality as verdict (id, status, reason, place)
      cross join lateral (
        select change, homing.chat_row(chat) as fields
        from public.chats as chat where owner_id = p_owner and chat_id = verdict.id offset 0
      ) as stored
      where verdict.status = 'saved'
    ) as saved
  );
end
$$;
revoke execute on function homing.saved_rows(uuid, homing.save_verdict[], homing.save_verdict[]) from public;
comment on function homing.saved_rows(uuid, homing.save_verdict[], homing.save_verdict[]) is
  'The saved projects and then chats as they are now, in request order, as changes.';

create function homing.save_answer(p_key text, p_verdicts homing.save_verdict[]) returns jsonb
language sql immutable
return (
  select coalesce(jsonb_agg(jsonb_build_object(p_key, id, 'status', status, 'reason', reason) order by place), '[]')
  from unnest(p_verdicts) with ordinality as verdict (id, status, reason, place)
);
revoke execute on function homing.save_answer(text, homing.save_verdict[]) from public;
comment on function homing.save_answer(text, homing.save_verdict[]) is 'The verdicts as the answer to a push lists them.';

create function homing.batch_answer(p_batches jsonb, p_faults text[], p_verdicts homing.batch_verdict[]) returns jsonb
language sql immutable
return (
  select coalesce(jsonb_agg(jsonb_build_object(
    'chat_id', (item ->> 'chat_id')::uuid, 'fault', p_faults[request.place], 'verdicts', coalesce(told.verdicts, '[]')
  ) order by request.place), '[]')
  from jsonb_array_elements(p_batches) with ordinality as request (item, place)
  left join (
    select batch, jsonb_agg(jsonb_build_object(
      'message_id', message_id, 'sequence_num', sequence_num, 'status', status, 'reason', reason) order by place) as verdicts
    from unnest(p_verdicts) with ordinality as verdict (batch, message_id, sequence_num, status, reason, place)
    group by batch
  ) as told on told.batch = request.place
);
revoke execute on function homing.batch_answer(jsonb, text[], homing.batch_verdict[]) from public;
comment on function homing.batch_answer(jsonb, text[], homing.batch_verdict[]) is
  'The batches as the answer to a push lists them.';

create function public.push_changes(p_projects jsonb, p_chats jsonb, p_batches jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = '' set timezone = 'UTC' set lock_timeout = '3s' set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_owner constant uuid := homing.caller();
  v_started constant timestamptz := clock_timestamp();
  v_chat_ids uuid[];
  v_before bigint;
  v_head bigint;
  v_held timestamptz;
  v_projects homing.save_verdict[];
  v_chats homing.save_verdict[];
  v_faults text[];
  v_lasts bigint[];
  v_messages homing.batch_verdict[];
begin
  perform homing.require_read_committed();
  perform homing.require_push(p_projects, p_chats, p_batches);
  perform homing.ensure_head(v_owner);
  v_chat_ids := homing.hold_chats(v_owner, p_chats, p_batches);
  perform homing.lock_projects(v_owner, p_projects);
  v_before := homing.lock_head(v_owner);
  v_held := clock_timestamp();
  select verdicts, head into v_projects, v_head from homing.save_held_projects(v_owner, p_projects, v_before);
  select verdicts, head into v_chats, v_head from homing.save_held_chats(v_owner, p_chats, v_head);
  select faults, lasts into v_faults, v_lasts from homing.batch_faults(v_owner, p_batches, v_chat_ids);
  v_messages := homing.append_to_all(v_owner, p_batches, v_lasts, v_head);
  v_head := v_head + (select count(*) from unnest(v_messages) where status = 'inserted');
  if v_head > v_before then
    update public.owner_heads set head = v_head where owner_id = v_owner;
  end if;
  if jsonb_array_length(p_batches) > 0 then
    perform homing.count_append(
      v_owner, array(select row(message_id, sequence_num, status, reason)::homing.verdict from unnest(v_messages)),
      v_started, v_held);
  end if;
  return jsonb_build_object(
    'epoch', (select epoch from public.owner_heads where owner_id = v_owner), 'before', v_before, 'head', v_head,
    'projects', homing.save_answer('project_id', v_projects), 'chats', homing.save_answer('chat_id', v_chats),
    'batches', homing.batch_answer(p_batches, v_faults, v_messages),
    'changes', homing.saved_rows(v_owner, v_projects, v_chats)
  );
end
$$;
revoke execute on function public.push_changes(jsonb, jsonb, jsonb) from public, anon;
grant execute on function public.push_changes(jsonb, jsonb, jsonb) to authenticated;
comment on function public.push_changes(jsonb, jsonb, jsonb) is
  'Saves projects as save_projects does, then chats as save_chats does, then appends messages as append_messages does: '
  'objects with chat_id and messages. {epoch, before, head, projects: [{project_id, status, reason}], chats: [{chat_id, '
  'status, reason}], batches: [{chat_id, fault, verdicts: [{message_id, sequence_num, status, reason}]}], changes: '
  '[{change, kind, row}]}, all in request order. fault is unknown or deleted when the chat takes no messages; the rest '
  'goes through. changes are the saved projects and chats as in pull_changes. All changes after before and up to head '
  'are this call''s. At most 500 projects, 500 chats, 500 batches, 1,000 messages and 4 MiB, each chat and project once '
  'a list.';

comment on table public.append_counters is
  'Totals of each owner''s append_messages, and push_changes with messages, since his first, in calls that were committed.';
comment on view public.append_metrics is 'Each owner''s append_messages and push_changes in numbers, times in seconds.';
