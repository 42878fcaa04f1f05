-- Begins an epoch for every owner, also when the tables belong to a role that row level security binds: it would have
-- hidden everybody's head and moved none.

drop function homing.begin_epoch();
create function homing.begin_epoch() returns bigint
language plpgsql volatile set search_path = ''
as $$
declare
  v_moved bigint;
begin
  -- Only the owner of the table may do this, and nobody sees it before the commit: the lock lasts as long.
  alter table public.owner_heads no force row level security;
  update public.owner_heads set epoch = gen_random_uuid();
  get diagnostics v_moved = row_count;
  alter table public.owner_heads force row level security;
  return v_moved;
end
$$;
revoke execute on function homing.begin_epoch() from public;
comment on function homing.begin_epoch() is
  'For the restore runbook: after a restore every device pulls again and sends what the server lacks. Tells how many '
  'owners it moved.';
