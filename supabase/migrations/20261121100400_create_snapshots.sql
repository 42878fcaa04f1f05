-- The files of a project as they were saved last, one row a project. The hash is the server's own, over what the row holds.

create table public.project_snapshots (
  owner_id uuid not null,
  project_id uuid not null,
  files jsonb not null,
  summary text,
  content_hash text not null,
  octets bigint not null,
  revision bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  change bigint,
  primary key (owner_id, project_id),
  foreign key (owner_id, project_id) references public.projects (owner_id, project_id) on delete cascade
) with (fillfactor = 70);
create unique index project_snapshots_by_change on public.project_snapshots (owner_id, change) where change > 0;
comment on table public.project_snapshots is 'The last snapshot of each project. Devices pull its hash and size, and get the files when they want them.';
comment on column public.project_snapshots.files is 'An object from path to what the client keeps of the file.';
comment on column public.project_snapshots.content_hash is 'The sha256 of the list [files, summary] as PostgreSQL writes it: 64 hex digits.';
comment on column public.project_snapshots.octets is 'Size of the text that the hash is of.';
comment on column public.project_snapshots.revision is 'Counts saves of another content, from 1.';
comment on column public.project_snapshots.change is 'Place in the owner''s changes; null only inside the transaction that saves the first.';
comment on index public.project_snapshots_by_change is 'For queries that say change > 0: 20261121100900 tells why.';

revoke all on table public.project_snapshots from public, anon, authenticated, service_role;
grant select on table public.project_snapshots to authenticated;
alter table public.project_snapshots enable row level security;
alter table public.project_snapshots force row level security;

create policy "Owners read their own snapshots" on public.project_snapshots
  for select to authenticated using (owner_id = (select auth.uid()));
create policy "Functions write snapshots of the caller only" on public.project_snapshots
  for all to current_user using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
