"""A stand-in for a hosted Supabase project's database: whose the objects are, and what its `postgres` role may do.

Modelled on the catalogues of hosted projects in 2026. What a plain PostgreSQL lacks is supautils, which lets `postgres`
make policies on `realtime.messages` though it is somebody else's: with `policies` the table's owner is a role that
`postgres` belongs to.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo

from tests.fakes.cluster import Cluster, Database

PASSWORD = "stand-in"

_ROLES = f"""
create role postgres login createdb createrole replication bypassrls password '{PASSWORD}';
create role authenticator login noinherit password '{PASSWORD}';
create role supabase_auth_admin nologin noinherit;
create role supabase_realtime_admin nologin noinherit;
create role supautils nologin;
grant supautils to postgres;
grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres with admin option;
alter role postgres set search_path to "$user", public, extensions;
"""

_NO_ROLES = "drop role postgres, authenticator, supabase_auth_admin, supabase_realtime_admin, supautils"

_PLATFORM = """
create schema extensions;
grant usage on schema extensions to postgres, anon, authenticated, service_role;
grant usage on schema public to postgres, anon, authenticated, service_role;

create schema auth authorization supabase_auth_admin;
grant usage on schema auth to postgres, anon, authenticated, service_role;
create table auth.users (
  instance_id uuid, id uuid not null primary key, aud varchar(255), role varchar(255), email varchar(255),
  encrypted_password varchar(255), email_confirmed_at timestamptz, raw_app_meta_data jsonb, raw_user_meta_data jsonb,
  is_super_admin boolean, created_at timestamptz, updated_at timestamptz, is_anonymous boolean not null default false
);
alter table auth.users owner to supabase_auth_admin;
alter table auth.users enable row level security;
grant all on auth.users to postgres;
create function auth.uid() returns uuid language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid
$$;
alter function auth.uid() owner to supabase_auth_admin;

create schema realtime;
grant usage on schema realtime to postgres, anon, authenticated, service_role;
create table realtime.messages (
  topic text not null, extension text not null, payload jsonb, event text, private boolean default false,
  updated_at timestamp not null default now(), inserted_at timestamp not null default now(),
  id uuid not null default gen_random_uuid(), primary key (id, inserted_at)
) partition by range (inserted_at);
create table realtime.messages_now partition of realtime.messages default;
alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages_now owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
grant all on realtime.messages to postgres;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;
create function realtime.topic() returns text language sql stable as $$
  select nullif(current_setting('realtime.topic', true), '')::text
$$;
create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language plpgsql as $$
begin
  begin
    execute format('set local realtime.topic to %L', topic);
    insert into realtime.messages (payload, event, topic, private, extension)
      values (payload, event, topic, private, 'broadcast');
  exception when others then
    raise warning 'not sent: %', sqlerrm;
  end;
end
$$;
"""

_GRANTS_BY_DEFAULT = """
alter default privileges for role postgres in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant all on sequences to anon, authenticated, service_role;
"""
"""What projects made before 2026-10-30 give to every new object of the schema public."""


@contextmanager
def hosted_roles(cluster: Cluster) -> Iterator[None]:
    """The platform's roles, which all projects of a cluster share; gone at the end."""
    with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as platform:
        platform.execute(_ROLES)
        try:
            yield
        finally:
            platform.execute(_NO_ROLES)


@contextmanager
def hosted_project(cluster: Cluster, *, grants_by_default: bool, policies: bool) -> Iterator[Database]:
    """An empty project among the roles. Connections of the Database are the platform's; `as_postgres` gives its owner's."""
    with cluster.empty_database() as database:
        with database.connect() as admin:
            admin.execute(_PLATFORM)
            admin.execute(f"alter database {admin.info.dbname} owner to postgres".encode())
            if grants_by_default:
                admin.execute(_GRANTS_BY_DEFAULT)
            if policies:
                admin.execute("alter table realtime.messages owner to supautils")
        yield database


def as_postgres(database: Database) -> str:
    """The connection string that the project's owner gets from the dashboard."""
    return make_conninfo(database.conninfo, user="postgres", password=PASSWORD)


def as_authenticator(database: Database) -> str:
    """The connection string of PostgREST."""
    return make_conninfo(database.conninfo, user="authenticator", password=PASSWORD)
