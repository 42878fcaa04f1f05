-- What a chat has pinned for its prompts: a copy of each resource, without a key to the agent or folder that it came from,
-- so that it outlives them. Hash and body are always written together.

create table public.chat_context (
  owner_id uuid not null,
  chat_id uuid not null,
  source text collate "C" not null,
  kind text not null constraint chat_context_kind_known
    check (kind in ('instruction_file', 'skill', 'document', 'mcp_config', 'mcp_server')),
  name text not null default '',
  status text not null default 'ok' constraint chat_context_status_known
    check (status in ('ok', 'oversize', 'unreadable', 'invalid', 'excluded')),
  reason text,
  body text not null default '',
  source_hash text,
  content_hash text not null,
  octets bigint not null,
  deleted boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  change bigint not null,
  primary key (owner_id, chat_id, source),
  foreign key (owner_id, chat_id) references public.chats (owner_id, chat_id) on delete cascade,
  constraint chat_context_says_why_it_is_empty
    check ((status = 'ok') = (reason is null) and (body = '' or (status = 'ok' and kind <> 'mcp_config' and not deleted)))
) with (fillfactor = 70);
create unique index chat_context_by_change on public.chat_context (owner_id, change) where change > 0;
comment on table public.chat_context is 'The resources that a chat has pinned. An unpinned one stays as its own tombstone.';
comment on column public.chat_context.source is 'Where it came from, as the client names it. Sorted by code point on every server.';
comment on column public.chat_context.reason is 'Why there is no text, for people; null when the status is ok.';
comment on column public.chat_context.source_hash is 'The sha256 of what was sent, or of what the client would not send: 64 hex digits.';
comment on column public.chat_context.content_hash is 'The sha256 of body: 64 hex digits.';
comment on column public.chat_context.octets is 'What it takes of the chat''s 2 MiB; of an excluded resource, what it would have taken.';
comment on column public.chat_context.change is 'Place in the owner''s changes; every update takes a new one.';
comment on index public.chat_context_by_change is 'For queries that say change > 0: 20261121100900 tells why.';

revoke all on table public.chat_context from public, anon, authenticated, service_role;
grant select on table public.chat_context to authenticated;
alter table public.chat_context enable row level security;
alter table public.chat_context force row level security;

create policy "Owners read their own context" on public.chat_context
  for select to authenticated using (owner_id = (select auth.uid()));
create policy "Functions write context of the caller only" on public.chat_context
  for all to current_user using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
