-- A project groups chats. Chats name it without a foreign key: edits of either may reach the server first, from devices
-- that were offline, and none of them may be refused for that.

create table public.projects (
  owner_id uuid not null references auth.users (id) on delete cascade,
  project_id uuid not null,
  name text not null default '',
  description text not null default '',
  status text not null default 'draft' constraint projects_status_known check (status in ('draft', 'published', 'archived')),
  url_id text,
  deleted boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  change bigint,
  primary key (owner_id, project_id)
) with (fillfactor = 70);
create unique index projects_by_change on public.projects (owner_id, change) where change > 0;
create unique index projects_by_url on public.projects (owner_id, url_id) where url_id is not null and not deleted;
comment on table public.projects is 'Projects. A deleted project stays as its own tombstone, and its chats stay too.';
comment on column public.projects.url_id is 'Its name in addresses; a deleted project leaves it to another one.';
comment on column public.projects.change is 'Place in the owner''s changes; null only inside the transaction that makes the project.';
comment on index public.projects_by_change is 'For queries that say change > 0: 20261121100900 tells why.';

revoke all on table public.projects from public, anon, authenticated, service_role;
grant select on table public.projects to authenticated;
alter table public.projects enable row level security;
alter table public.projects force row level security;

create policy "Owners read their own projects" on public.projects
  for select to authenticated using (owner_id = (select auth.uid()));
create policy "Functions write projects of the caller only" on public.projects
  for all to current_user using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
