-- Stands in for what a hosted Supabase project brings and plain PostgreSQL lacks, so that the migrations run unchanged.
-- Idempotent. Never applied to a database whose platform objects are somebody else's: server.postgres.schema sees to that.

do $$
declare
  wanted text;
  may_become constant text := case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
begin
  foreach wanted in array array['anon', 'authenticated', 'service_role'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      -- Roles belong to the whole cluster: another session may make them just now.
      begin
        execute format('create role %I nologin noinherit', wanted);
      exception when duplicate_object or unique_violation then
        null;
      end;
    end if;
    if not pg_has_role(wanted, may_become) then
      execute format('grant %I to current_user', wanted);
    end if;
  end loop;
  if not (select rolbypassrls from pg_roles where rolname = 'service_role') then
    begin
      alter role service_role bypassrls;
    exception when insufficient_privilege then
      raise notice 'service_role obeys row level security here, which nothing of Homing minds.';
    end;
  end if;
end
$$;

create schema if not exists auth;
create schema if not exists realtime;
grant usage on schema auth, realtime to anon, authenticated, service_role;

create table if not exists auth.users (
  id uuid primary key default gen_random_uuid(),
  aud text not null default 'authenticated',
  role text not null default 'authenticated',
  email text,
  encrypted_password text,
  email_confirmed_at timestamptz,
  last_sign_in_at timestamptz,
  banned_until timestamptz,
  raw_app_meta_data jsonb not null default '{"provider": "email", "providers": ["email"]}',
  raw_user_meta_data jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index if not exists users_email on auth.users (lower(email));
comment on table auth.users is 'Everybody who can sign in. The password is a hash.';

create table if not exists auth.sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  refresh_counter bigint not null default 1,
  created_at timestamptz not null default now(),
  refreshed_at timestamptz,
  not_after timestamptz
);
create index if not exists sessions_by_user on auth.sessions (user_id);
alter table auth.sessions add column if not exists means text not null default 'password';
alter table auth.sessions add column if not exists signed_by bytea;
comment on column auth.sessions.signed_by is 'Which key signed its newest refresh token, as a digest.';
comment on table auth.sessions is 'One login on one device. refresh_counter names its one active refresh token. '
  'Deleting the row ends the session.';

create table if not exists auth.refresh_tokens (
  session_id uuid not null references auth.sessions (id) on delete cascade,
  counter bigint not null,
  replaced_at timestamptz not null,
  primary key (session_id, counter)
);
comment on table auth.refresh_tokens is
  'The tokens that were replaced a moment ago. Their text is nowhere: a token is its session and counter, signed.';

create table if not exists auth.one_time_codes (
  id uuid primary key default gen_random_uuid(),
  purpose text not null constraint one_time_codes_purposes
    check (purpose in ('sign_in', 'recovery', 'email_change', 'reauthentication')),
  email text not null,
  user_id uuid references auth.users (id) on delete cascade,
  create_user boolean not null,
  user_metadata jsonb not null,
  challenge text,
  method text,
  code_digest bytea not null,
  link_digest bytea not null unique,
  tries_left integer not null,
  expires_at timestamptz not null,
  constraint one_time_codes_replace unique nulls not distinct (purpose, email, user_id)
);
create index if not exists one_time_codes_by_expiry on auth.one_time_codes (expires_at);
create index if not exists one_time_codes_by_email on auth.one_time_codes (email);
create index if not exists one_time_codes_by_user on auth.one_time_codes (user_id);
comment on table auth.one_time_codes is 'Codes and links that were sent and not used yet, as keyed digests. '
  'An address that nobody signed up with has one too, so that neither time nor size tells it apart.';

create table if not exists auth.auth_codes (
  digest bytea primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  means text not null,
  challenge text not null,
  method text not null,
  expires_at timestamptz not null
);
create index if not exists auth_codes_by_user on auth.auth_codes (user_id);
create index if not exists auth_codes_by_expiry on auth.auth_codes (expires_at);
comment on table auth.auth_codes is 'PKCE: proofs that wait for the verifier of their challenge, as digests.';

alter table auth.users enable row level security;
alter table auth.sessions enable row level security;
alter table auth.refresh_tokens enable row level security;
alter table auth.one_time_codes enable row level security;
alter table auth.auth_codes enable row level security;

create or replace function auth.jwt() returns jsonb
language sql stable set search_path = ''
as $$
  select coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb
$$;
comment on function auth.jwt() is 'The claims of the caller''s access token, as the gateway verified them.';

create or replace function auth.uid() returns uuid
language sql stable set search_path = ''
as $$
  select nullif(auth.jwt() ->> 'sub', '')::uuid
$$;
comment on function auth.uid() is 'The signed-in user, null when there is none.';

create or replace function auth.role() returns text
language sql stable set search_path = ''
as $$
  select nullif(auth.jwt() ->> 'role', '')
$$;
comment on function auth.role() is 'The role of the access token.';

create table if not exists realtime.messages (
  id uuid primary key default gen_random_uuid(),
  topic text not null,
  extension text not null default 'broadcast',
  event text,
  payload jsonb,
  private boolean not null default true,
  inserted_at timestamp not null default now(),
  updated_at timestamp not null default now()
);
alter table realtime.messages enable row level security;
grant select, insert on realtime.messages to anon, authenticated;
comment on table realtime.messages is
  'Holds no rows: its policies say who may join a private topic. The gateway sets realtime.topic, inserts a row, '
  'reads it as the caller and rolls back.';

create or replace function realtime.topic() returns text
language sql stable set search_path = ''
as $$
  select nullif(current_setting('realtime.topic', true), '')
$$;
comment on function realtime.topic() is 'The topic that somebody wants to join, while a policy is asked about it.';

create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void
language plpgsql security definer set search_path = ''
as $$
begin
  perform pg_catalog.pg_notify('homing_realtime', json_build_object(
    'topic', send.topic, 'event', send.event, 'payload', send.payload, 'private', send.private)::text);
exception when others then
  -- A poke is a hint: it must never fail the transaction that it tells of.
  raise warning 'realtime.send: %', sqlerrm;
end
$$;
revoke execute on function realtime.send(jsonb, text, text, boolean) from public;
comment on function realtime.send(jsonb, text, text, boolean) is
  'Broadcasts to a topic after commit, through the notification channel homing_realtime of the gateway.';

-- Says whose they are when somebody runs this file by hand; server.postgres.schema writes down which version ran.
comment on schema auth is 'Stands in for Supabase; made by Homing, by hand';
