-- Lets an owner make chats and change their fields. Only the fields that are sent change; the first save makes the chat.
-- Locks chats in the order of their ids and the owner's head last, as everything that writes does.
-- Sequential scans are off in every API function: a plan made while a table was small would read all of it for ever.

create function homing.is_uuid(p_value jsonb) returns boolean
language sql immutable
return coalesce(
  jsonb_typeof(p_value) = 'string' and p_value #>> '{}' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', false
);
revoke execute on function homing.is_uuid(jsonb) from public;
comment on function homing.is_uuid(jsonb) is 'Whether a JSON value is a UUID in its usual form.';

create function homing.chat_refusal(p_chat jsonb) returns text
language sql immutable set search_path = ''
as $$
  select case
    when jsonb_typeof(p_chat) <> 'object' then 'This is not a chat.'
    when not homing.is_uuid(p_chat -> 'chat_id') then 'The chat has no usable id (a UUID).'
    when p_chat ? 'title' and jsonb_typeof(p_chat -> 'title') <> 'string' then 'The title must be text.'
    when length(p_chat ->> 'title') > 1000 then 'The title is longer than 1,000 characters.'
    when coalesce(p_chat -> 'project_id', 'null') <> 'null' and not homing.is_uuid(p_chat -> 'project_id')
      then 'The project has no usable id (a UUID).'
    when coalesce(jsonb_typeof(p_chat -> 'model'), 'null') not in ('string', 'null') then 'The model must be text.'
    when length(p_chat ->> 'model') > 200 then 'The name of the model is longer than 200 characters.'
    when exists (
      select from unnest(array['pinned', 'archived', 'deleted']) as field
      where p_chat ? field and jsonb_typeof(p_chat -> field) <> 'boolean'
    ) then 'Pinned, archived and deleted must be true or false.'
  end
$$;
revoke execute on function homing.chat_refusal(jsonb) from public;
comment on function homing.chat_refusal(jsonb) is 'Why a chat cannot be saved, for people; null when it can.';

create function homing.lock_chats(p_owner uuid, p_chats jsonb) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_chat_id uuid;
begin
  for v_chat_id in
    select distinct (item ->> 'chat_id')::uuid
    from jsonb_array_elements(p_chats) as item
    where homing.chat_refusal(item) is null
    order by 1
  loop
    insert into public.chats (owner_id, chat_id) values (p_owner, v_chat_id) on conflict (owner_id, chat_id) do nothing;
    if not found then
      perform from public.chats where owner_id = p_owner and chat_id = v_chat_id for no key update;
    end if;
  end loop;
end
$$;
revoke execute on function homing.lock_chats(uuid, jsonb) from public;
comment on function homing.lock_chats(uuid, jsonb) is 'Locks the chats of a request in the order of their ids and makes those that are new.';

create function homing.save_chat(p_owner uuid, p_chat jsonb, p_change bigint) returns boolean
language plpgsql volatile set search_path = ''
as $$
begin
  update public.chats as chat set
    title = wanted.title, project_id = wanted.project_id, model = wanted.model,
    pinned = wanted.pinned, archived = wanted.archived, deleted = wanted.deleted,
    updated_at = now(), change = p_change
  from (
    select
      case when p_chat ? 'title' then p_chat ->> 'title' else old.title end as title,
      case when p_chat ? 'project_id' then (p_chat ->> 'project_id')::uuid else old.project_id end as project_id,
      case when p_chat ? 'model' then p_chat ->> 'model' else old.model end as model,
      coalesce((p_chat ->> 'pinned')::boolean, old.pinned) as pinned,
      coalesce((p_chat ->> 'archived')::boolean, old.archived) as archived,
      coalesce((p_chat ->> 'deleted')::boolean, old.deleted) as deleted
    from public.chats as old
    where old.owner_id = p_owner and old.chat_id = (p_chat ->> 'chat_id')::uuid
  ) as wanted
  where chat.owner_id = p_owner and chat.chat_id = (p_chat ->> 'chat_id')::uuid
    and (chat.change is null
      or (chat.title, chat.project_id, chat.model, chat.pinned, chat.archived, chat.deleted) is distinct from
        (wanted.title, wanted.project_id, wanted.model, wanted.pinned, wanted.archived, wanted.deleted));
  return found;
end
$$;
revoke execute on function homing.save_chat(uuid, jsonb, bigint) from public;
comment on function homing.save_chat(uuid, jsonb, bigint) is 'Writes the fields that were sent; false when they were all there already.';

create function public.save_chats(p_chats jsonb)
returns table (chat_id uuid, status text, reason text)
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_owner constant uuid := homing.caller();
  v_before bigint;
  v_head bigint;
  v_chat jsonb;
begin
  perform homing.require_read_committed();
  perform homing.require_batch(p_chats);
  perform homing.lock_chats(v_owner, p_chats);
  v_before := homing.lock_head(v_owner);
  v_head := v_before;
  for v_chat in select value from jsonb_array_elements(p_chats) loop
    chat_id := case when homing.is_uuid(v_chat -> 'chat_id') then (v_chat ->> 'chat_id')::uuid end;
    reason := homing.chat_refusal(v_chat);
    status := 'rejected';
    if save_chats.reason is null then
      status := 'saved';
      if homing.save_chat(v_owner, v_chat, v_head + 1) then
        v_head := v_head + 1;
      end if;
    end if;
    return next;
  end loop;
  if v_head > v_before then
    update public.owner_heads set head = v_head where owner_id = v_owner;
  end if;
end
$$;
revoke execute on function public.save_chats(jsonb) from public, anon;
grant execute on function public.save_chats(jsonb) to authenticated;
comment on function public.save_chats(jsonb) is
  'Makes or changes chats of the caller: objects with chat_id and the fields that changed (title, project_id, model, '
  'pinned, archived, deleted). One row each, in request order: saved, or rejected with the reason.';
