-- What an operator watches: one row per owner, counted in the append's own transaction while the owner's head is locked,
-- so it costs no further lock. Numbers only, never content.

create table public.append_counters (
  owner_id uuid primary key references auth.users (id) on delete cascade,
  calls bigint not null default 0,
  inserted bigint not null default 0,
  duplicates bigint not null default 0,
  conflicts bigint not null default 0,
  rejected bigint not null default 0,
  messages bigint not null default 0,
  largest_batch bigint not null default 0,
  batches_upto_1 bigint not null default 0,
  batches_upto_10 bigint not null default 0,
  batches_upto_100 bigint not null default 0,
  lock_wait_micros bigint not null default 0,
  longest_lock_wait_micros bigint not null default 0,
  duration_micros bigint not null default 0,
  longest_duration_micros bigint not null default 0
) with (fillfactor = 50);
comment on table public.append_counters is 'Totals of each owner''s append_messages since his first, in calls that were committed.';
comment on column public.append_counters.messages is 'Messages in all requests, whatever became of them.';
comment on column public.append_counters.batches_upto_10 is 'Calls with at most 10 messages, those with one or none included.';
comment on column public.append_counters.lock_wait_micros is 'Waiting for the chat and for the owner''s head, in microseconds.';
comment on column public.append_counters.duration_micros is 'Inside the function, without the commit, in microseconds.';

revoke all on table public.append_counters from public, anon, authenticated, service_role;
grant select on table public.append_counters to authenticated;
alter table public.append_counters enable row level security;
alter table public.append_counters force row level security;

create policy "Owners read their own counters" on public.append_counters
  for select to authenticated using (owner_id = (select auth.uid()));
create policy "Functions write counters of the caller only" on public.append_counters
  for all to current_user using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
