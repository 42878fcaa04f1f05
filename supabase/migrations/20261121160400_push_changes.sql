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
  if coalesce(jsonb_typeof(p_projects), '') <> 'array' or coalesce(jsonb_typeof(p_chats), '') <> 'array'
    or coalesce(jsonb_typeof(p_batches), '') <> 'array' then
    raise exception using errcode = 'PT400', message = 'The request does not have its three lists.',
      hint = 'Send p_projects, p_chats and p_batches, JSON arrays of objects.';
  end if;
  perform homing.require_short_numbers(p_projects);
  perform homing.require_short_numbers(p_chats);
  perform homing.require_short_numbers(p_batches);
  if exists (
    select from jsonb_array_elements(p_batches) as item
    where jsonb_typeof(item) <> 'object' or not homing.is_uuid(item -> 'chat_id')
      or coalesce(jsonb_typeof(item -> 'messages'), '') <> 'array'
  ) then
    raise exception using errcode = 'PT400', message = 'A batch does not say which messages are for which chat.',
      hint = 'Send objects with chat_id and messages, a list.';
  end if;
  if greatest(jsonb_array_length(p_projects), jsonb_array_length(p_chats), jsonb_array_length(p_batches)) > 500
    or (select sum(jsonb_array_length(item -> 'messages')) from jsonb_array_elements(p_batches) as item) > 1000
    or octet_length(p_projects::text) + octet_length(p_chats::text) + octet_length(p_batches::text) > 4194304 then
    raise exception using errcode = 'PT413', message = 'The request is too large.',
      hint = 'Send at most 500 projects, 500 chats and 500 batches with 1,000 messages, and 4 MiB a call.';
  end if;
  perform homing.require_each_once(p_projects, 'project_id');
  perform homing.require_each_once(p_chats, 'chat_id');
  perform homing.require_each_once(p_batches, 'chat_id');
end
$$;
revoke execute on function homing.require_push(jsonb, jsonb, jsonb) from public;
comment on function homing.require_push(jsonb, jsonb, jsonb) is
  'Raises PT400 for what are no lists of things named once, and PT413 for too much.';

create function homing.hold_chats(p_owner uuid, p_chats homing.sent_chat[], p_others uuid[]) returns uuid[]
language plpgsql volatile set search_path = ''
as $$
declare
  v_chat_ids constant uuid[] := array(
    select chat_id from unnest(p_chats) where refusal is null
    union
    select known.chat_id from unnest(p_others) as other (chat_id)
    cross join lateral (
      select stored.chat_id from public.chats as stored
      where stored.owner_id = p_owner and stored.chat_id = other.chat_id offset 0
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
revoke execute on function homing.hold_chats(uuid, homing.sent_chat[], uuid[]) from public;
comment on function homing.hold_chats(uuid, homing.sent_chat[], uuid[]) is
  'Locks the chats that a push saves, made if they are new, and the others that there are. Which it has: a chat that '
  'another call makes meanwhile is not one of them.';

create function homing.judge_batches(p_owner uuid, p_chat_ids uuid[], p_held uuid[], out faults text[], out lasts bigint[])
language plpgsql stable set search_path = ''
as $$
begin
  select
    array_agg(case when chat.deleted is null then 'unknown' when chat.deleted then 'deleted' end order by place),
    array_agg(case when not chat.deleted then chat.last_sequence_num end order by place)
  into faults, lasts
  from unnest(p_chat_ids) with ordinality as batch (chat_id, place)
  left join lateral (
    select deleted, last_sequence_num from public.chats as held
    where owner_id = p_owner and held.chat_id = batch.chat_id and held.chat_id = any (p_held) offset 0
  ) as chat on true;
end
$$;
revoke execute on function homing.judge_batches(uuid, uuid[], uuid[]) from public;
comment on function homing.judge_batches(uuid, uuid[], uuid[]) is
  'Why each batch cannot be appended, null when it can; and the last number of its chat, null when it cannot.';

create function homing.saved_rows(p_owner uuid, p_projects homing.save_verdict[], p_chats homing.save_verdict[]) returns json
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select coalesce(json_agg(json_build_object('change', change, 'kind', kind, 'row', fields) order by kind desc, place), '[]')
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

create function homing.save_answer(p_key text, p_verdicts homing.save_verdict[]) returns json
language sql stable
return (
  select coalesce(json_agg(json_build_object(p_key, id, 'status', status, 'reason', reason) order by place), '[]')
  from unnest(p_verdicts) with ordinality as verdict (id, status, reason, place)
);
revoke execute on function homing.save_answer(text, homing.save_verdict[]) from public;
comment on function homing.save_answer(text, homing.save_verdict[]) is 'The verdicts as the answer to a push lists them.';

create function homing.batch_answer(p_chat_ids uuid[], p_faults text[], p_verdicts homing.batch_verdict[]) returns json
language sql stable
return (
  select coalesce(json_agg(json_build_object(
    'chat_id', chat_id, 'fault', p_faults[request.place], 'verdicts', coalesce(told.verdicts, '[]')
  ) order by request.place), '[]')
  from unnest(p_chat_ids) with ordinality as request (chat_id, place)
  left join (
    select batch, json_agg(json_build_object(
      'message_id', message_id, 'sequence_num', sequence_num, 'status', status, 'reason', reason) order by place) as verdicts
    from unnest(p_verdicts) with ordinality as verdict (batch, message_id, sequence_num, status, reason, place)
    group by batch
  ) as told on told.batch = request.place
);
revoke execute on function homing.batch_answer(uuid[], text[], homing.batch_verdict[]) from public;
comment on function homing.batch_answer(uuid[], text[], homing.batch_verdict[]) is
  'The batches as the answer to a push lists them.';

create function public.push_changes(p_projects jsonb, p_chats jsonb, p_batches jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = '' set timezone = 'UTC' set lock_timeout = '3s' set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_owner constant uuid := homing.caller();
  v_started constant timestamptz := clock_timestamp();
  v_sent homing.sent_chat[];
  v_chat_ids uuid[];
  v_held uuid[];
  v_before bigint;
  v_head bigint;
  v_waited timestamptz;
  v_projects homing.save_verdict[];
  v_chats homing.save_verdict[];
  v_faults text[];
  v_lasts bigint[];
  v_messages homing.batch_verdict[];
begin
  perform homing.require_read_committed();
  perform homing.require_push(p_projects, p_chats, p_batches);
  perform homing.ensure_head(v_owner);
  v_sent := array(select sent from homing.read_chats(p_chats) as sent);
  v_chat_ids := array(select (item ->> 'chat_id')::uuid from jsonb_array_elements(p_batches) as item);
  v_held := homing.hold_chats(v_owner, v_sent, v_chat_ids);
  perform homing.lock_projects(v_owner, p_projects);
  v_before := homing.lock_head(v_owner);
  v_waited := clock_timestamp();
  select verdicts, head into v_projects, v_head from homing.save_held_projects(v_owner, p_projects, v_before);
  select verdicts, head into v_chats, v_head from homing.save_held_chats(v_owner, v_sent, v_head);
  select faults, lasts into v_faults, v_lasts from homing.judge_batches(v_owner, v_chat_ids, v_held);
  v_messages := homing.append_to_all(v_owner, p_batches, v_chat_ids, v_lasts, v_head);
  v_head := v_head + (select count(*) from unnest(v_messages) where status = 'inserted');
  if v_head > v_before then
    update public.owner_heads set head = v_head where owner_id = v_owner;
  end if;
  if jsonb_array_length(p_batches) > 0 then
    perform homing.count_append(
      v_owner, array(select row(message_id, sequence_num, status, reason)::homing.verdict from unnest(v_messages)),
      v_started, v_waited);
  end if;
  -- Texts joined and read once cost half of what objects in objects do.
  return json_build_object(
    'epoch', (select epoch from public.owner_heads where owner_id = v_owner), 'before', v_before, 'head', v_head,
    'projects', homing.save_answer('project_id', v_projects), 'chats', homing.save_answer('chat_id', v_chats),
    'batches', homing.batch_answer(v_chat_ids, v_faults, v_messages),
    'changes', homing.saved_rows(v_owner, v_projects, v_chats)
  )::jsonb;
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
