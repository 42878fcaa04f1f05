-- Saves many chats with one statement, and projects as save_projects does, for a push that holds them all. What an edit
-- makes of a chat is said once. Only inserts that meet their row by its key are used: no statistics can spoil their plan.

create type homing.save_verdict as (id uuid, status text, reason text);
comment on type homing.save_verdict is 'What became of one chat or project of a request; no id when it named none.';
create type homing.sent_chat as (place bigint, chat_id uuid, edit jsonb, refusal text);
comment on type homing.sent_chat is 'A chat of a request, at its place from 1, and why it cannot be saved, if so.';

-- As before, in a form that PostgreSQL puts into the queries that use it.
create or replace function homing.chat_refusal(p_chat jsonb) returns text
language sql immutable
return case
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
  when coalesce(jsonb_typeof(p_chat -> 'pinned'), 'boolean') <> 'boolean'
    or coalesce(jsonb_typeof(p_chat -> 'archived'), 'boolean') <> 'boolean'
    or coalesce(jsonb_typeof(p_chat -> 'deleted'), 'boolean') <> 'boolean'
    or coalesce(jsonb_typeof(p_chat -> 'marked_unread'), 'boolean') <> 'boolean'
    then 'Pinned, archived, deleted and marked unread must be true or false.'
end;

create function homing.read_chats(p_chats jsonb) returns setof homing.sent_chat
language plpgsql stable set search_path = ''
as $$
begin
  return query
    select
      place, case when homing.is_uuid(item -> 'chat_id') then (item ->> 'chat_id')::uuid end, item, homing.chat_refusal(item)
    from jsonb_array_elements(p_chats) with ordinality as request (item, place);
end
$$;
revoke execute on function homing.read_chats(jsonb) from public;
comment on function homing.read_chats(jsonb) is 'The chats of a request as rows.';

create function homing.edited_chat(p_chat public.chats, p_edit jsonb) returns public.chats
language plpgsql stable set search_path = ''
as $$
declare
  v_new public.chats := p_chat;
begin
  if p_edit ? 'title' then v_new.title := p_edit ->> 'title'; end if;
  if p_edit ? 'project_id' then v_new.project_id := (p_edit ->> 'project_id')::uuid; end if;
  if p_edit ? 'model' then v_new.model := p_edit ->> 'model'; end if;
  if p_edit ? 'pinned' then v_new.pinned := (p_edit ->> 'pinned')::boolean; end if;
  if p_edit ? 'archived' then v_new.archived := (p_edit ->> 'archived')::boolean; end if;
  if p_edit ? 'deleted' then v_new.deleted := (p_edit ->> 'deleted')::boolean; end if;
  if p_edit ? 'marked_unread' then v_new.marked_unread := (p_edit ->> 'marked_unread')::boolean; end if;
  v_new.read_upto := greatest(
    p_chat.read_upto, least(coalesce((p_edit ->> 'read_upto')::numeric::bigint, 0), p_chat.last_sequence_num));
  if (v_new.title, v_new.project_id, v_new.model, v_new.pinned, v_new.archived, v_new.deleted) is distinct from
    (p_chat.title, p_chat.project_id, p_chat.model, p_chat.pinned, p_chat.archived, p_chat.deleted) then
    v_new.updated_at := now();
  end if;
  return v_new;
end
$$;
revoke execute on function homing.edited_chat(public.chats, jsonb) from public;
comment on function homing.edited_chat(public.chats, jsonb) is 'A chat with the fields that were sent.';

create or replace function homing.save_chat(p_owner uuid, p_chat jsonb, p_change bigint) returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  v_old public.chats;
  v_new public.chats;
begin
  select * into strict v_old from public.chats where owner_id = p_owner and chat_id = (p_chat ->> 'chat_id')::uuid;
  v_new := homing.edited_chat(v_old, p_chat);
  if v_new is not distinct from v_old and v_old.change is not null then
    return false;
  end if;
  update public.chats set
    title = v_new.title, project_id = v_new.project_id, model = v_new.model, pinned = v_new.pinned,
    archived = v_new.archived, deleted = v_new.deleted, read_upto = v_new.read_upto,
    marked_unread = v_new.marked_unread, updated_at = v_new.updated_at, change = p_change
  where owner_id = p_owner and chat_id = v_old.chat_id;
  return true;
end
$$;

create function homing.save_held_chats(
  p_owner uuid, p_chats homing.sent_chat[], p_head bigint, out verdicts homing.save_verdict[], out head bigint
)
language plpgsql volatile set search_path = ''
as $$
begin
  with edited as materialized (
    select place, old, homing.edited_chat(old, edit) as new
    from unnest(p_chats) as sent
    cross join lateral (
      select stored as old from public.chats as stored
      where stored.owner_id = p_owner and stored.chat_id = sent.chat_id offset 0
    ) as held
    where refusal is null
  ), changed as materialized (
    select (new).*, p_head + row_number() over (order by place) as next
    from edited where (old).change is null or old is distinct from new
  ), saved as (
    insert into public.chats (
      owner_id, chat_id, title, project_id, model, pinned, archived, deleted, read_upto, marked_unread, updated_at, change
    )
    select p_owner, chat_id, title, project_id, model, pinned, archived, deleted, read_upto, marked_unread, updated_at, next
    from changed
    on conflict (owner_id, chat_id) do update set
      title = excluded.title, project_id = excluded.project_id, model = excluded.model, pinned = excluded.pinned,
      archived = excluded.archived, deleted = excluded.deleted, read_upto = excluded.read_upto,
      marked_unread = excluded.marked_unread, updated_at = excluded.updated_at, change = excluded.change
  )
  select p_head + count(*) into head from changed;
  verdicts := array(
    select row(chat_id, case when refusal is null then 'saved' else 'rejected' end, refusal)::homing.save_verdict
    from unnest(p_chats) order by place
  );
end
$$;
revoke execute on function homing.save_held_chats(uuid, homing.sent_chat[], bigint) from public;
comment on function homing.save_held_chats(uuid, homing.sent_chat[], bigint) is
  'Saves chats that are there and locked, each named once, with changes after p_head. The verdicts, and the new head.';

create function homing.save_held_projects(
  p_owner uuid, p_projects jsonb, p_head bigint, out verdicts homing.save_verdict[], out head bigint
)
language plpgsql volatile set search_path = ''
as $$
declare
  v_project jsonb;
  v_id uuid;
  v_reason text;
begin
  head := p_head;
  verdicts := '{}';
  for v_project in select value from jsonb_array_elements(p_projects) loop
    v_id := case when homing.is_uuid(v_project -> 'project_id') then (v_project ->> 'project_id')::uuid end;
    v_reason := homing.project_refusal(v_project);
    if v_reason is null then
      case homing.save_project(p_owner, v_project, head + 1)
        when 'changed' then head := head + 1;
        when 'unchanged' then null;
        when 'taken' then
          v_reason := 'Another project has this address: choose another one.';
          -- A new project that was made to be locked.
          delete from public.projects where owner_id = p_owner and project_id = v_id and change is null;
      end case;
    end if;
    verdicts := verdicts
      || row(v_id, case when v_reason is null then 'saved' else 'rejected' end, v_reason)::homing.save_verdict;
  end loop;
end
$$;
revoke execute on function homing.save_held_projects(uuid, jsonb, bigint) from public;
comment on function homing.save_held_projects(uuid, jsonb, bigint) is
  'As homing.save_held_chats, for projects. One that was made to be locked and is then refused is gone again.';
