-- Pins resources to a chat: each with its cleaned text and its hash at once, or empty and with the reason. What exceeds a
-- chat's share is chosen by the order of sources alone, so that devices which pin at the same time end with the same.

create function homing.resource_refusal(p_resource jsonb) returns text
language sql immutable
return case
  when jsonb_typeof(p_resource) <> 'object' then 'This is not a resource.'
  when coalesce(jsonb_typeof(p_resource -> 'source'), 'null') <> 'string'
    or length(p_resource ->> 'source') not between 1 and 1024
    -- An entry of an index holds at most 2,704 octets.
    or octet_length(p_resource ->> 'source') > 2048
    then 'The resource has no usable source (1 to 1,024 characters, at most 2,048 bytes).'
  when p_resource ->> 'kind' in ('plugin', 'hook', 'subagent', 'command')
    then 'Resources of this kind are for a later version.'
  when coalesce(p_resource ->> 'kind', '') not in ('instruction_file', 'skill', 'document', 'mcp_config', 'mcp_server')
    then 'The kind must be instruction_file, skill, document, mcp_config or mcp_server.'
  when coalesce(jsonb_typeof(p_resource -> 'name'), 'null') not in ('string', 'null')
    or length(p_resource ->> 'name') > 200
    then 'The name must be text of at most 200 characters.'
  when coalesce(p_resource ->> 'status', 'ok') not in ('ok', 'oversize', 'unreadable', 'invalid', 'excluded')
    then 'The status must be ok, oversize, unreadable, invalid or excluded.'
  when coalesce(jsonb_typeof(p_resource -> 'reason'), 'null') not in ('string', 'null')
    or length(p_resource ->> 'reason') > 1000
    then 'The reason must be text of at most 1,000 characters.'
  when coalesce(p_resource ->> 'status', 'ok') <> 'ok' and homing.visible(coalesce(p_resource ->> 'reason', '')) = ''
    then 'A resource without its text needs a reason.'
  when coalesce(jsonb_typeof(p_resource -> 'source_hash'), 'null') not in ('string', 'null')
    or p_resource ->> 'source_hash' !~ '^[0-9a-f]{64}$'
    then 'The source_hash must be a sha256 of 64 hex digits.'
  when coalesce(jsonb_typeof(p_resource -> 'body'), 'null') not in ('string', 'null') then 'The body must be text.'
  when p_resource ->> 'kind' = 'mcp_config' and p_resource ->> 'body' is not null
    then 'The text of an mcp_config may hold secrets: send its source_hash instead.'
  when coalesce(p_resource ->> 'status', 'ok') = 'ok'
    and p_resource ->> (case when p_resource ->> 'kind' = 'mcp_config' then 'source_hash' else 'body' end) is null
    then 'The resource has no text.'
end;
revoke execute on function homing.resource_refusal(jsonb) from public;
comment on function homing.resource_refusal(jsonb) is 'Why a resource cannot be pinned, for people; null when it can.';

create function homing.read_resource(p_resource jsonb)
returns table (
  source text, kind text, name text, status text, reason text, body text, source_hash text, octets bigint
)
language plpgsql immutable set search_path = ''
as $$
declare
  v_sent constant text := p_resource ->> 'body';
begin
  source := p_resource ->> 'source';
  kind := p_resource ->> 'kind';
  name := homing.visible(coalesce(p_resource ->> 'name', ''));
  status := coalesce(p_resource ->> 'status', 'ok');
  source_hash := coalesce(homing.digest_of(v_sent), p_resource ->> 'source_hash');
  body := '';
  if status <> 'ok' then
    reason := homing.visible(p_resource ->> 'reason');
  elsif octet_length(v_sent) > 65536 then
    status := 'oversize';
    reason := 'The text is larger than 64 KiB.';
  elsif v_sent is not null then
    body := homing.without_comments(homing.visible(v_sent));
    -- Only a comment that was taken out of the middle of another one's opening leaves one.
    if strpos(body, '<!--') > 0 then
      status := 'invalid';
      reason := 'Comments are hidden in the comments of the text.';
      body := '';
    end if;
  end if;
  octets := octet_length(body);
  return next;
end
$$;
revoke execute on function homing.read_resource(jsonb) from public;
comment on function homing.read_resource(jsonb) is 'What a resource that can be pinned becomes, without regard to others.';

create function homing.next_context(p_owner uuid, p_chat_id uuid, p_resources jsonb)
returns table (
  source text, kind text, name text, status text, reason text, body text, source_hash text, octets bigint
)
language sql stable set search_path = '' set enable_seqscan = off
as $$
  with wanted as materialized (
    select distinct on (read.source collate "C") read.*
    from jsonb_array_elements(p_resources) with ordinality as sent (item, place)
    cross join lateral homing.read_resource(sent.item) as read
    where homing.resource_refusal(sent.item) is null
    order by read.source collate "C", sent.place desc
  ), standing as (
    select stored.source, stored.kind, stored.name, stored.status, stored.reason, stored.body, stored.source_hash,
      stored.octets
    from public.chat_context as stored
    where stored.owner_id = p_owner and stored.chat_id = p_chat_id and not stored.deleted
      and stored.source not in (select wanted.source from wanted)
  ), live as (
    select wanted.*, true as sent from wanted union all select standing.*, false from standing
  ), placed as (
    select live.*, live.status = 'ok' and (
      row_number() over upwards > 500 or sum(live.octets) over upwards > 2097152) as beyond
    from live window upwards as (order by live.source collate "C")
  )
  select placed.source, placed.kind, placed.name, case when beyond then 'excluded' else placed.status end,
    case when beyond then 'The chat has no room for it: unpin others that come before it, and pin it again.'
      else placed.reason end,
    case when beyond then '' else placed.body end, placed.source_hash, placed.octets
  from placed where placed.sent or beyond
  order by placed.source collate "C"
$$;
revoke execute on function homing.next_context(uuid, uuid, jsonb) from public;
comment on function homing.next_context(uuid, uuid, jsonb) is
  'The resources of a chat that a request may change, as they are after it. Of all that are pinned, the first 500 and '
  'the first 2 MiB keep their text; those that are left out count too, so the order of requests makes no difference.';

create function homing.require_room_for_context(p_owner uuid, p_chat_id uuid) returns void
language plpgsql stable set search_path = '' set enable_seqscan = off
as $$
begin
  if (select count(*) from public.chat_context where owner_id = p_owner and chat_id = p_chat_id) > 5000 then
    raise exception using errcode = 'PT413', message = 'The chat has had more than 5,000 different resources.',
      hint = 'Pin to another chat.';
  end if;
end
$$;
revoke execute on function homing.require_room_for_context(uuid, uuid) from public;
comment on function homing.require_room_for_context(uuid, uuid) is
  'Raises PT413 when a chat has too many rows of context, tombstones included: a pin reads all of them.';

create function public.pin_context(p_chat_id uuid, p_resources jsonb)
returns table (source text, status text, resource_status text, content_hash text, reason text)
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_owner constant uuid := homing.caller();
  v_before bigint;
  v_head bigint;
  v_next record;
  v_written text[] := '{}';
begin
  perform homing.require_batch(p_resources);
  perform homing.hold_open_chat(v_owner, p_chat_id);
  v_before := homing.lock_head(v_owner);
  v_head := v_before;
  for v_next in select * from homing.next_context(v_owner, p_chat_id, p_resources) loop
    insert into public.chat_context as held (
      owner_id, chat_id, source, kind, name, status, reason, body, source_hash, content_hash, octets, change
    ) values (
      v_owner, p_chat_id, v_next.source, v_next.kind, v_next.name, v_next.status, v_next.reason, v_next.body,
      v_next.source_hash, homing.digest_of(v_next.body), v_next.octets, v_head + 1
    ) on conflict (owner_id, chat_id, source) do update set
      kind = excluded.kind, name = excluded.name, status = excluded.status, reason = excluded.reason,
      body = excluded.body, source_hash = excluded.source_hash, content_hash = excluded.content_hash,
      octets = excluded.octets, deleted = false, updated_at = now(), change = excluded.change
    where held.deleted
      or (held.kind, held.name, held.status, held.reason, held.body, held.source_hash, held.octets) is distinct from
        (excluded.kind, excluded.name, excluded.status, excluded.reason, excluded.body, excluded.source_hash,
          excluded.octets);
    if found then
      v_head := v_head + 1;
      v_written := v_written || v_next.source;
    end if;
  end loop;
  if v_head > v_before then
    perform homing.require_room_for_context(v_owner, p_chat_id);
    update public.owner_heads set head = v_head where owner_id = v_owner;
  end if;
  return query
    select
      case when jsonb_typeof(item -> 'source') = 'string' then item ->> 'source' end,
      case when refusal is not null then 'rejected' when stored.source = any (v_written) then 'pinned' else 'duplicate' end,
      stored.status, stored.content_hash, coalesce(refusal, stored.reason)
    from jsonb_array_elements(p_resources) with ordinality as sent (item, place)
    cross join lateral (select homing.resource_refusal(item) as refusal offset 0) as judged
    left join public.chat_context as stored
      on stored.owner_id = v_owner and stored.chat_id = p_chat_id and stored.source = item ->> 'source' and refusal is null
    order by place;
end
$$;
revoke execute on function public.pin_context(uuid, jsonb) from public, anon;
grant execute on function public.pin_context(uuid, jsonb) to authenticated;
comment on function public.pin_context(uuid, jsonb) is
  'Pins resources to a chat of the caller: objects with source, kind (instruction_file, skill, document, mcp_config, '
  'mcp_server), body and, if wanted, name; or, without a body, status (oversize, unreadable, invalid, excluded) with '
  'reason and, if wanted, source_hash. Of an mcp_config only source_hash. One row each, in request order: pinned; '
  'duplicate (all of it was there); rejected with the reason. resource_status tells what became of it: ok, or empty '
  'with the reason. Texts keep neither what no screen shows nor HTML comments. At most 64 KiB a resource, 500 resources '
  'and 2 MiB a chat: the first by source stay, the others become excluded. PT404, PT410 and PT413 as in append_messages.';
