-- Who writes a reply, and until when he is believed to be alive. A row stays when its turn ends, so that a late or
-- repeated call learns how. Heartbeats change no indexed column and no row that devices pull.

create table public.turn_leases (
  owner_id uuid not null,
  chat_id uuid not null,
  turn_id text not null,
  lease_id uuid not null,
  message_id text not null,
  lease_seconds integer not null,
  lease_until timestamptz not null,
  checkpoint bigint not null default 0,
  ended_at timestamptz,
  finish_digest bytea,
  primary key (owner_id, chat_id, turn_id),
  foreign key (owner_id, chat_id) references public.chats (owner_id, chat_id) on delete cascade
) with (fillfactor = 50);
create unique index turn_leases_of_running_turns on public.turn_leases (owner_id, chat_id) where ended_at is null;
comment on table public.turn_leases is 'One row a turn; at most one turn of a chat runs.';
comment on column public.turn_leases.message_id is 'The reply.';
comment on column public.turn_leases.lease_until is 'By the server''s clock. Later the holder counts as gone, and his reply as interrupted.';
comment on column public.turn_leases.checkpoint is 'The number of the last text that the holder stored while the reply was streaming.';
comment on column public.turn_leases.finish_digest is
  'What the holder finished the turn with: tells a retry from another end. Null when somebody else ended it.';

revoke all on table public.turn_leases from public, anon, authenticated, service_role;
grant select on table public.turn_leases to authenticated;
alter table public.turn_leases enable row level security;
alter table public.turn_leases force row level security;

create policy "Owners read their own leases" on public.turn_leases
  for select to authenticated using (owner_id = (select auth.uid()));
create policy "Functions write leases of the caller only" on public.turn_leases
  for all to current_user using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));

create function homing.end_turn() returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  if old.status <> 'streaming' then
    raise exception using errcode = 'PT409', message = 'The reply has ended already.', hint = 'Begin another turn.';
  end if;
  update public.turn_leases set ended_at = clock_timestamp()
    where owner_id = new.owner_id and chat_id = new.chat_id and message_id = new.message_id and ended_at is null;
  return null;
end
$$;
revoke execute on function homing.end_turn() from public;
comment on function homing.end_turn() is 'Ends the turn of a reply that stops streaming, whoever stops it; no status changes twice.';

create trigger end_turn after update of status on public.messages
  for each row when (old.status is distinct from new.status) execute function homing.end_turn();
