-- Keeps the last snapshot of a project's files. Hash and files are written together, and before the owner's head is
-- locked: fifty megabytes take a moment, and nobody else waits for them.

create function homing.digest_of(p_text text) returns text
language sql immutable
return encode(sha256(convert_to(p_text, 'UTF8')), 'hex');
revoke execute on function homing.digest_of(text) from public;
comment on function homing.digest_of(text) is 'The sha256 of a text in UTF-8, as 64 hex digits.';

create function homing.snapshot_refusal(p_files jsonb, p_summary jsonb) returns text
language sql immutable
return case
  when coalesce(jsonb_typeof(p_files), 'null') <> 'object' then 'The files must be an object from path to file.'
  when coalesce(jsonb_typeof(p_summary), 'null') not in ('string', 'null') then 'The summary must be text.'
  when homing.too_deep(p_files) then 'The files are nested more than 64 levels deep.'
end;
revoke execute on function homing.snapshot_refusal(jsonb, jsonb) from public;
comment on function homing.snapshot_refusal(jsonb, jsonb) is 'Why a snapshot cannot be saved, for people; null when it can.';

create function homing.lock_open_project(p_owner uuid, p_project_id uuid) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_deleted boolean;
begin
  if p_project_id is null then
    raise exception using errcode = 'PT400', message = 'The request names no project.', hint = 'Send p_project_id.';
  end if;
  select deleted into v_deleted from public.projects
    where owner_id = p_owner and project_id = p_project_id for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'There is no such project.', hint = 'Save the project first.';
  end if;
  if v_deleted then
    raise exception using errcode = 'PT410', message = 'The project was deleted.', hint = 'Restore the project first.';
  end if;
end
$$;
revoke execute on function homing.lock_open_project(uuid, uuid) from public;
comment on function homing.lock_open_project(uuid, uuid) is
  'Locks a project. Raises PT404 when the owner has no such project, somebody else''s included, and PT410 when it is deleted.';

create function homing.write_snapshot(
  p_owner uuid, p_project_id uuid, p_files jsonb, p_summary text, p_hash text, p_octets bigint
) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_change bigint;
begin
  insert into public.project_snapshots as snapshot (owner_id, project_id, files, summary, content_hash, octets)
    values (p_owner, p_project_id, p_files, p_summary, p_hash, p_octets)
    on conflict (owner_id, project_id) do update set
      files = excluded.files, summary = excluded.summary, content_hash = excluded.content_hash,
      octets = excluded.octets, revision = snapshot.revision + 1, updated_at = now();
  v_change := homing.lock_head(p_owner) + 1;
  update public.project_snapshots set change = v_change where owner_id = p_owner and project_id = p_project_id;
  update public.owner_heads set head = v_change where owner_id = p_owner;
end
$$;
revoke execute on function homing.write_snapshot(uuid, uuid, jsonb, text, text, bigint) from public;
comment on function homing.write_snapshot(uuid, uuid, jsonb, text, text, bigint) is
  'Puts a snapshot in the place of the last one. The project is locked.';

create function public.save_snapshot(p_project_id uuid, p_snapshot jsonb, p_expected_hash text default null)
returns jsonb
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
declare
  v_owner constant uuid := homing.caller();
  v_files constant jsonb := p_snapshot -> 'files';
  v_summary text;
  v_content text;
  v_octets bigint;
  v_hash text;
  v_status text := 'rejected';
  v_reason text;
  v_stored record;
begin
  perform homing.require_read_committed();
  if p_snapshot is null or jsonb_typeof(p_snapshot) <> 'object' then
    raise exception using errcode = 'PT400', message = 'The request holds no snapshot.',
      hint = 'Send p_snapshot, an object with files and, if wanted, summary.';
  end if;
  perform homing.require_short_numbers(p_snapshot);
  v_summary := p_snapshot ->> 'summary';
  v_content := jsonb_build_array(v_files, v_summary)::text;
  v_octets := octet_length(v_content);
  if v_octets > 50000000 then
    raise exception using errcode = 'PT413', message = 'The snapshot is larger than 50 MB.',
      hint = 'Leave out what can be made again, such as installed packages.';
  end if;
  v_reason := homing.snapshot_refusal(v_files, p_snapshot -> 'summary');
  v_hash := homing.digest_of(v_content);

  perform homing.lock_open_project(v_owner, p_project_id);
  select content_hash into v_stored from public.project_snapshots
    where owner_id = v_owner and project_id = p_project_id;
  if v_reason is null then
    v_status := case
      when v_hash = v_stored.content_hash then 'duplicate'
      when p_expected_hash <> coalesce(v_stored.content_hash, '') then 'conflict'
      else 'saved'
    end;
  end if;
  if v_status = 'saved' then
    perform homing.write_snapshot(v_owner, p_project_id, v_files, v_summary, v_hash, v_octets);
  elsif v_status = 'conflict' then
    v_reason := 'Another snapshot was saved before; that one was kept. Get it, then save again.';
  end if;

  select content_hash, octets, revision into v_stored from public.project_snapshots
    where owner_id = v_owner and project_id = p_project_id;
  return jsonb_build_object(
    'status', v_status, 'reason', v_reason, 'content_hash', v_stored.content_hash, 'octets', v_stored.octets,
    'revision', v_stored.revision, 'warning', case when v_octets >= 45000000 and v_status in ('saved', 'duplicate')
      then 'The snapshot is larger than 45 MB: from 50 MB on it can no longer be saved.' end);
end
$$;
revoke execute on function public.save_snapshot(uuid, jsonb, text) from public, anon;
grant execute on function public.save_snapshot(uuid, jsonb, text) to authenticated;
comment on function public.save_snapshot(uuid, jsonb, text) is
  'Saves a project''s snapshot {files, summary} and answers {status, content_hash, octets, revision, warning, reason} '
  'with what is stored now. Hash and size are of the list [files, summary] as PostgreSQL writes it. Status: saved; '
  'duplicate (the same content is there); conflict (p_expected_hash is given and not the hash of what is there; the '
  'empty text expects nothing there); rejected with the reason. warning is set from 45,000,000 octets. PT413 for more '
  'than 50,000,000, PT404 for a project that the caller does not have, PT410 for a deleted one.';
