-- One row per owner counts all changes of his rows. It is locked last in a transaction and until commit, so changes
-- become visible in the order of their numbers and a reader's cursor never passes one that is still to come.

create table public.owner_heads (
  owner_id uuid primary key references auth.users (id) on delete cascade,
  epoch uuid not null default gen_random_uuid(),
  head bigint not null default 0 constraint owner_heads_head_counts check (head >= 0)
) with (fillfactor = 70);
comment on table public.owner_heads is 'The number of each owner''s last change, and the epoch in which the numbers hold.';
comment on column public.owner_heads.epoch is 'Another value says that the server was rewound: devices pull again from nothing.';

revoke all on table public.owner_heads from public, anon, authenticated, service_role;
grant select on table public.owner_heads to authenticated;
alter table public.owner_heads enable row level security;
alter table public.owner_heads force row level security;

create policy "Owners read their own head" on public.owner_heads
  for select to authenticated using (owner_id = (select auth.uid()));
create policy "Functions write the head of the caller only" on public.owner_heads
  for all to current_user using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));

create function homing.ensure_head(p_owner uuid) returns void
language sql volatile set search_path = ''
as $$
  insert into public.owner_heads (owner_id) values (p_owner) on conflict (owner_id) do nothing
$$;
revoke execute on function homing.ensure_head(uuid) from public;
comment on function homing.ensure_head(uuid) is 'Gives a new owner his head.';

create function homing.lock_head(p_owner uuid) returns bigint
language plpgsql volatile set search_path = ''
as $$
declare
  v_head bigint;
begin
  select head into v_head from public.owner_heads where owner_id = p_owner for no key update;
  if not found then
    perform homing.ensure_head(p_owner);
    select head into strict v_head from public.owner_heads where owner_id = p_owner for no key update;
  end if;
  return v_head;
end
$$;
revoke execute on function homing.lock_head(uuid) from public;
comment on function homing.lock_head(uuid) is 'The number of the last change. Locked until the end of the transaction: take it after every other lock.';

create function homing.begin_epoch() returns void
language sql volatile set search_path = ''
as $$
  update public.owner_heads set epoch = gen_random_uuid()
$$;
revoke execute on function homing.begin_epoch() from public;
comment on function homing.begin_epoch() is 'For the restore runbook: after a restore every device pulls again and sends what the server lacks.';
