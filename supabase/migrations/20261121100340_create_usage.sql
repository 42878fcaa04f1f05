-- What a reply cost: at most one row a message, written in the transaction that ends its turn. It outlives the text of a
-- deleted message, since what was spent stays spent.

create table public.message_usage (
  owner_id uuid not null,
  chat_id uuid not null,
  message_id text not null,
  prompt_tokens bigint not null,
  completion_tokens bigint not null,
  total_tokens bigint not null,
  cost_micros bigint not null,
  models jsonb,
  truncated boolean not null,
  octets bigint not null,
  created_at timestamptz not null default now(),
  change bigint not null,
  primary key (owner_id, chat_id, message_id),
  foreign key (owner_id, chat_id, message_id) references public.messages (owner_id, chat_id, message_id)
    on delete cascade
);
create unique index message_usage_by_change on public.message_usage (owner_id, change) where change > 0;
comment on table public.message_usage is 'Tokens and cost of each reply.';
comment on column public.message_usage.cost_micros is 'Cost in millionths of the currency that the model is billed in.';
comment on column public.message_usage.models is 'Details per model, as the client sent them.';
comment on column public.message_usage.truncated is 'Whether the reply was cut at the model''s limit.';
comment on column public.message_usage.octets is 'Size of models, so that an answer can be cut without reading them.';
comment on column public.message_usage.change is 'Place in the owner''s changes.';
comment on index public.message_usage_by_change is 'For queries that say change > 0: 20261121100900 tells why.';

revoke all on table public.message_usage from public, anon, authenticated, service_role;
grant select on table public.message_usage to authenticated;
alter table public.message_usage enable row level security;
alter table public.message_usage force row level security;

create policy "Owners read their own usage" on public.message_usage
  for select to authenticated using (owner_id = (select auth.uid()));
create policy "Functions write usage of the caller only" on public.message_usage
  for all to current_user using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));
