-- Hands out the files of a project as they were saved last. Pulls carry only their hash and size.

create function public.get_snapshot(p_project_id uuid) returns jsonb
language plpgsql stable security definer
set search_path = '' set timezone = 'UTC' set enable_seqscan = off
as $$
declare
  v_owner constant uuid := homing.caller();
  v_snapshot jsonb;
begin
  select jsonb_build_object(
      'project_id', snapshot.project_id, 'files', snapshot.files, 'summary', snapshot.summary,
      'content_hash', snapshot.content_hash, 'octets', snapshot.octets, 'revision', snapshot.revision,
      'created_at', snapshot.created_at, 'updated_at', snapshot.updated_at)
    into v_snapshot
    from public.project_snapshots as snapshot where snapshot.owner_id = v_owner and snapshot.project_id = p_project_id;
  if not found then
    raise exception using errcode = 'PT404', message = 'There is no such snapshot.',
      hint = 'Save a snapshot of the project first.';
  end if;
  return v_snapshot;
end
$$;
revoke execute on function public.get_snapshot(uuid) from public, anon;
grant execute on function public.get_snapshot(uuid) to authenticated;
comment on function public.get_snapshot(uuid) is
  'The last snapshot of a project of the caller, deleted or not: {project_id, files, summary, content_hash, octets, '
  'revision, created_at, updated_at}. PT404 when there is none.';
