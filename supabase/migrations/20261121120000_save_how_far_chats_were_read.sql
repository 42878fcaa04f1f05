-- save_chats also takes how far a chat was read, by the device that read the furthest, and the mark to come back to it.
-- Neither is an edit: updated_at stays. What a client may not set is left out of what it sends.

create function homing.is_count(p_value jsonb) returns boolean
language sql immutable
return case
  when jsonb_typeof(p_value) = 'number'
    then (p_value #>> '{}')::numeric between 0 and 9223372036854775807
      and trunc((p_value #>> '{}')::numeric) = (p_value #>> '{}')::numeric
  else false
end;
revoke execute on function homing.is_count(jsonb) from public;
comment on function homing.is_count(jsonb) is 'Whether a JSON value is a whole number from 0 that a bigint holds.';

create function homing.fields(p_object jsonb, p_names text[]) returns jsonb
language sql immutable set search_path = ''
as $$
  select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(p_object) where key = any (p_names)
$$;
revoke execute on function homing.fields(jsonb, text[]) from public;
comment on function homing.fields(jsonb, text[]) is 'The fields of an object that have one of these names.';

create or replace function homing.chat_refusal(p_chat jsonb) returns text
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
    when p_chat ? 'read_upto' and not homing.is_count(p_chat -> 'read_upto')
      then 'How far the chat was read must be a whole number from 0.'
    when exists (
      select from unnest(array['pinned', 'archived', 'deleted', 'marked_unread']) as field
      where p_chat ? field and jsonb_typeof(p_chat -> field) <> 'boolean'
    ) then 'Pinned, archived, deleted and marked unread must be true or false.'
  end
$$;

create or replace function homing.save_chat(p_owner uuid, p_chat jsonb, p_change bigint) returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  v_old public.chats;
  v_new public.chats;
begin
  select * into strict v_old from public.chats where owner_id = p_owner and chat_id = (p_chat ->> 'chat_id')::uuid;
  v_new := jsonb_populate_record(v_old, homing.fields(
    p_chat, array['title', 'project_id', 'model', 'pinned', 'archived', 'deleted', 'marked_unread']));
  v_new.read_upto := greatest(
    v_old.read_upto, least(coalesce((p_chat ->> 'read_upto')::numeric::bigint, 0), v_old.last_sequence_num));
  if v_new is not distinct from v_old and v_old.change is not null then
    return false;
  end if;
  if (v_new.title, v_new.project_id, v_new.model, v_new.pinned, v_new.archived, v_new.deleted) is distinct from
    (v_old.title, v_old.project_id, v_old.model, v_old.pinned, v_old.archived, v_old.deleted) then
    v_new.updated_at := now();
  end if;
  update public.chats set
    title = v_new.title, project_id = v_new.project_id, model = v_new.model, pinned = v_new.pinned,
    archived = v_new.archived, deleted = v_new.deleted, read_upto = v_new.read_upto,
    marked_unread = v_new.marked_unread, updated_at = v_new.updated_at, change = p_change
  where owner_id = p_owner and chat_id = v_old.chat_id;
  return true;
end
$$;

comment on function public.save_chats(jsonb) is
  'Makes or changes chats of the caller: objects with chat_id and the fields that changed (title, project_id, model, '
  'pinned, archived, deleted, read_upto, marked_unread). read_upto only grows and never passes the last number of the '
  'chat. One row each, in request order: saved, or rejected with the reason.';
