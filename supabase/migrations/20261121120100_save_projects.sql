-- Lets an owner make projects and change their fields, as save_chats does for chats. An address that another project has
-- is refused for that project alone. Locks projects in the order of their ids and the owner's head last.

create function homing.project_refusal(p_project jsonb) returns text
language sql immutable set search_path = ''
as $$
  select case
    when jsonb_typeof(p_project) <> 'object' then 'This is not a project.'
    when not homing.is_uuid(p_project -> 'project_id') then 'The project has no usable id (a UUID).'
    when p_project ? 'name' and jsonb_typeof(p_project -> 'name') <> 'string' then 'The name must be text.'
    when length(p_project ->> 'name') > 1000 then 'The name is longer than 1,000 characters.'
    when p_project ? 'description' and jsonb_typeof(p_project -> 'description') <> 'string'
      then 'The description must be text.'
    when length(p_project ->> 'description') > 10000 then 'The description is longer than 10,000 characters.'
    when p_project ? 'status' and p_project -> 'status' not in ('"draft"', '"published"', '"archived"')
      then 'The status must be draft, published or archived.'
    when coalesce(p_project -> 'url_id', 'null') <> 'null' and (
      jsonb_typeof(p_project -> 'url_id') <> 'string' or p_project ->> 'url_id' !~ '^[A-Za-z0-9._~-]{1,200}$'
    ) then 'The address may hold 1 to 200 letters of A to Z, digits and the signs - . _ ~.'
    when p_project ? 'deleted' and jsonb_typeof(p_project -> 'deleted') <> 'boolean'
      then 'Deleted must be true or false.'
  end
$$;
revoke execute on function homing.project_refusal(jsonb) from public;
comment on function homing.project_refusal(jsonb) is 'Why a project cannot be saved, for people; null when it can.';

create function homing.lock_projects(p_owner uuid, p_projects jsonb) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_project_id uuid;
begin
  perform homing.ensure_head(p_owner);
  for v_project_id in
    select distinct (item ->> 'project_id')::uuid
    from jsonb_array_elements(p_projects) as item
    where homing.project_refusal(item) is null
    order by 1
  loop
    insert into public.projects (owner_id, project_id) values (p_owner, v_project_id)
      on conflict (owner_id, project_id) do nothing;
    if not found then
      perform from public.projects where owner_id = p_owner and project_id = v_project_id for no key update;
    end if;
  end loop;
end
$$;
revoke execute on function homing.lock_projects(uuid, jsonb) from public;
comment on function homing.lock_projects(uuid, jsonb) is
  'Locks the projects of a request in the order of their ids and makes those that are new.';

create function homing.holder_of_address(p_owner uuid, p_url_id text) returns uuid
language plpgsql stable
set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
begin
  -- A range and an order that only projects_by_url gives, as in homing.holder_of_turn.
  return (
    select project_id from public.projects
    where owner_id = p_owner and url_id between p_url_id and p_url_id and not deleted
    order by url_id limit 1
  );
end
$$;
revoke execute on function homing.holder_of_address(uuid, text) from public;
comment on function homing.holder_of_address(uuid, text) is 'The project that has the address, deleted ones aside.';

create function homing.save_project(p_owner uuid, p_project jsonb, p_change bigint) returns text
language plpgsql volatile set search_path = ''
as $$
declare
  v_old public.projects;
  v_new public.projects;
begin
  select * into strict v_old from public.projects
    where owner_id = p_owner and project_id = (p_project ->> 'project_id')::uuid;
  v_new := jsonb_populate_record(v_old, homing.fields(
    p_project, array['name', 'description', 'status', 'url_id', 'deleted']));
  if v_new is not distinct from v_old and v_old.change is not null then
    return 'unchanged';
  end if;
  -- No other transaction can take the address now: whoever writes a project holds the owner's head.
  if not v_new.deleted and homing.holder_of_address(p_owner, v_new.url_id) <> v_old.project_id then
    return 'taken';
  end if;
  update public.projects set
    name = v_new.name, description = v_new.description, status = v_new.status, url_id = v_new.url_id,
    deleted = v_new.deleted, updated_at = now(), change = p_change
  where owner_id = p_owner and project_id = v_old.project_id;
  return 'changed';
end
$$;
revoke execute on function homing.save_project(uuid, jsonb, bigint) from public;
comment on function homing.save_project(uuid, jsonb, bigint) is
  'Writes the fields that were sent: changed; unchanged, when they were all there already; or taken, when another '
  'project has the address.';

create function public.save_projects(p_projects jsonb)
returns table (project_id uuid, status text, reason text)
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_owner constant uuid := homing.caller();
  v_before bigint;
  v_head bigint;
  v_project jsonb;
  v_taken uuid[] := '{}';
  v_project_id uuid;
begin
  perform homing.require_read_committed();
  perform homing.require_batch(p_projects);
  perform homing.lock_projects(v_owner, p_projects);
  v_before := homing.lock_head(v_owner);
  v_head := v_before;
  for v_project in select value from jsonb_array_elements(p_projects) loop
    project_id := case when homing.is_uuid(v_project -> 'project_id') then (v_project ->> 'project_id')::uuid end;
    reason := homing.project_refusal(v_project);
    if save_projects.reason is null then
      case homing.save_project(v_owner, v_project, v_head + 1)
        when 'changed' then v_head := v_head + 1;
        when 'unchanged' then null;
        when 'taken' then
          reason := 'Another project has this address: choose another one.';
          v_taken := v_taken || save_projects.project_id;
      end case;
    end if;
    status := case when save_projects.reason is null then 'saved' else 'rejected' end;
    return next;
  end loop;
  -- New projects that were made to be locked and then refused.
  foreach v_project_id in array v_taken loop
    delete from public.projects as project
      where project.owner_id = v_owner and project.project_id = v_project_id and project.change is null;
  end loop;
  if v_head > v_before then
    update public.owner_heads set head = v_head where owner_id = v_owner;
  end if;
end
$$;
revoke execute on function public.save_projects(jsonb) from public, anon;
grant execute on function public.save_projects(jsonb) to authenticated;
comment on function public.save_projects(jsonb) is
  'Makes or changes projects of the caller: objects with project_id and the fields that changed (name, description, '
  'status, url_id, deleted). status is draft, published or archived; url_id is unique among the caller''s projects that '
  'are not deleted. One row each, in request order: saved, or rejected with the reason.';
