-- A chat belongs to the one who made it. The owner is part of the key, so an id says nothing about other people's chats.

create table public.chats (
  owner_id uuid not null references auth.users (id) on delete cascade,
  chat_id uuid not null,
  title text not null default '',
  project_id uuid,
  model text,
  pinned boolean not null default false,
  archived boolean not null default false,
  deleted boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_sequence_num bigint not null default 0 constraint chats_sequence_counts check (last_sequence_num >= 0),
  message_count bigint not null default 0 constraint chats_messages_count check (message_count >= 0),
  digest bigint not null default 0,
  change bigint,
  primary key (owner_id, chat_id)
) with (fillfactor = 70);
create unique index chats_by_change on public.chats (owner_id, change);
comment on table public.chats is 'Chats and their counters. A deleted chat stays as its own tombstone.';
comment on column public.chats.last_sequence_num is 'The last number given to a message; never given again, whatever is deleted.';
comment on column public.chats.message_count is 'Messages that are not deleted.';
comment on column public.chats.digest is 'The xor of homing.fingerprint over all messages, deleted ones included.';
comment on column public.chats.change is 'Place in the owner''s changes; null only inside the transaction that makes the chat.';

revoke all on table public.chats from public, anon, authenticated, service_role;
grant select on table public.chats to authenticated;
alter table public.chats enable row level security;
alter table public.chats force row level security;

create policy "Owners read their own chats" on public.chats
  for select to authenticated using (owner_id = (select auth.uid()));
create policy "Functions write chats of the caller only" on public.chats
  for all to current_user using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
