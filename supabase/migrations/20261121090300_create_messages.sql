-- Messages are rows, numbered per chat without gaps by the chat's counter. The client's id is the idempotency key.
-- Their shape is checked once, by the functions that alone may write: PostgreSQL prepares check expressions anew for
-- each row of a loop, and five of them were a third of the cost of an append.

create table public.messages (
  owner_id uuid not null,
  chat_id uuid not null,
  message_id text not null,
  sequence_num bigint not null constraint messages_sequence_starts_at_one check (sequence_num >= 1),
  role text not null,
  content jsonb not null,
  annotations jsonb,
  turn_id text,
  status text not null default 'complete',
  revision bigint not null default 1,
  octets bigint not null,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  change bigint not null,
  primary key (owner_id, chat_id, message_id),
  foreign key (owner_id, chat_id) references public.chats (owner_id, chat_id) on delete cascade
);
create unique index messages_by_sequence on public.messages (owner_id, chat_id, sequence_num);
create unique index messages_by_change on public.messages (owner_id, change);
comment on table public.messages is 'Messages, append-only but for restamped updates and tombstones.';
comment on column public.messages.role is 'user, assistant or system.';
comment on column public.messages.content is 'A list of parts, each an object.';
comment on column public.messages.status is 'complete, streaming, interrupted or error.';
comment on column public.messages.created_at is 'What the author''s clock said; nothing is ordered by it.';
comment on column public.messages.octets is 'Size of content and annotations, so that an answer can be cut without reading them.';
comment on column public.messages.revision is 'Counts updates, from 1.';
comment on column public.messages.change is 'Place in the owner''s changes; every update takes a new one.';

revoke all on table public.messages from public, anon, authenticated, service_role;
grant select on table public.messages to authenticated;
alter table public.messages enable row level security;
alter table public.messages force row level security;

create policy "Owners read their own messages" on public.messages
  for select to authenticated using (owner_id = (select auth.uid()));
create policy "Functions write messages of the caller only" on public.messages
  for all to current_user using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));

create function homing.fingerprint(p_sequence_num bigint, p_message_id text, p_revision bigint) returns bigint
language sql immutable
return ('x' || substr(md5(p_sequence_num || ':' || p_message_id || ':' || p_revision), 1, 16))::bit(64)::bigint;
revoke execute on function homing.fingerprint(bigint, text, bigint) from public;
comment on function homing.fingerprint(bigint, text, bigint) is 'One message''s share of its chat''s digest; a device computes the same.';
