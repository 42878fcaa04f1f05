"""The lint of the catalogue: what must hold for every table and function, whoever adds one; seen to fail on planted faults."""

import pytest

from tests.fakes.cluster import Database

MORE = """
select p.oid::regprocedure::text, 'no comment' from pg_proc p
where p.pronamespace in ('public'::regnamespace, 'homing'::regnamespace) and obj_description(p.oid, 'pg_proc') is null
union all
select c.oid::regclass::text, 'no comment' from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') and obj_description(c.oid, 'pg_class') is null
union all
select p.oid::regprocedure::text, 'no limit for waiting' from pg_proc p
where p.pronamespace = 'public'::regnamespace and p.provolatile = 'v' and p.prosecdef
  and not coalesce('lock_timeout=3s' = any (p.proconfig), false)
"""
"""What the house wants beside the lint that servers carry with them."""

PLANTED = {
    "create table public.bare ()": ("public.bare", "row level security is not forced"),
    "alter table public.chats no force row level security": (
        "public.chats",
        "row level security is not forced",
    ),
    "alter table public.messages disable row level security": (
        "public.messages",
        "row level security is not forced",
    ),
    "create table homing.bare ()": ("homing.bare", "row level security is not forced"),
    "revoke select on public.chats from authenticated": (
        "public.chats",
        "signed-in people may not read it",
    ),
    'drop policy "Owners read their own chats" on public.chats': (
        "public.chats",
        "no policy lets signed-in people read their rows",
    ),
    "grant truncate on public.messages to anon": ("public.messages", "TRUNCATE is granted to anon"),
    "grant truncate on public.messages to authenticated": (
        "public.messages",
        "TRUNCATE is granted to authenticated",
    ),
    "grant insert on public.chats to authenticated": ("public.chats", "INSERT is granted to authenticated"),
    "grant update (title) on public.chats to authenticated": (
        "public.chats",
        "UPDATE of column title is granted to authenticated",
    ),
    "grant delete on public.chats to service_role": ("public.chats", "DELETE is granted to service_role"),
    "grant select on public.chats to public": ("public.chats", "SELECT is granted to everybody"),
    "create view public.peek as select * from public.messages; grant select on public.peek to authenticated": (
        "public.peek",
        "a view that reads as its owner",
    ),
    "create view public.shut with (security_invoker = true) as select 1 as one": (
        "public.shut",
        "signed-in people may not read it",
    ),
    "create materialized view public.copy as select * from public.messages": (
        "public.copy",
        "row level security cannot guard it",
    ),
    "create sequence public.numbers": (
        "public.numbers",
        "a sequence gives its numbers again after a restore",
    ),
    "alter table public.append_counters set unlogged": ("public.append_counters", "a crash empties it"),
    "alter table public.owner_heads disable trigger poke_devices": (
        "public.owner_heads",
        "a trigger of it is off",
    ),
    "update pg_index set indisvalid = false where indexrelid = 'public.messages_by_sequence'::regclass": (
        "public.messages",
        "an index of it is not valid",
    ),
    "create policy x on public.chats using (true)": (
        'policy "x" on public.chats',
        "does not ask for the owner",
    ),
    "create policy x on public.chats for insert with check (true)": (
        'policy "x" on public.chats',
        "does not ask for the owner",
    ),
    "create policy x on public.chats using (auth.uid() is not null)": (
        'policy "x" on public.chats',
        "does not ask for the owner",
    ),
    "create policy x on public.chats using (owner_id = (select auth.uid()) or pinned)": (
        'policy "x" on public.chats',
        "does not ask for the owner",
    ),
    "create policy x on public.chats using (owner_id = (select auth.uid())) with check (true)": (
        'policy "x" on public.chats',
        "does not ask for the owner",
    ),
    "grant usage on schema homing to authenticated": ("schema homing", "open to authenticated"),
    "grant execute on function public.count_messages(uuid) to anon": (
        "public.count_messages(uuid)",
        "open to people who are not signed in",
    ),
    "grant execute on function homing.caller() to public": (
        "homing.caller()",
        "open to people who are not signed in",
    ),
    "revoke execute on function public.count_messages(uuid) from authenticated": (
        "public.count_messages(uuid)",
        "signed-in people may not call it",
    ),
    "grant execute on function homing.lint() to authenticated": ("homing.lint()", "open to signed-in people"),
    "alter function public.count_messages(uuid) reset search_path": (
        "public.count_messages(uuid)",
        "its search path is not fixed",
    ),
    "alter function public.count_messages(uuid) set search_path = public": (
        "public.count_messages(uuid)",
        "its search path is not fixed",
    ),
    "create function public.f(p_owner uuid) returns int language sql return 1": (
        "public.f(uuid)",
        "takes the owner from the caller",
    ),
    "create function public.count_messages() returns int language sql set search_path = '' return 1": (
        "public.count_messages()",
        "shares its name with another function",
    ),
    "alter function public.append_messages(uuid, jsonb) set synchronous_commit = off": (
        "public.append_messages(uuid,jsonb)",
        "weakens what keeps rows safe",
    ),
    "create function public.f() returns int language sql security definer set search_path = '' "
    "as 'select 1 -- homing.caller()'": (
        "public.f()",
        "acts as its owner and never asks who calls",
    ),
    "create function public.f() returns bigint language sql security definer set search_path = '' "
    "as 'select count(*) from public.messages'": (
        "public.f()",
        "acts as its owner and never asks who calls",
    ),
}


def _faults(database: Database, planted: str = "") -> list[tuple[str, ...]]:
    with database.connect() as admin, admin.transaction(force_rollback=True):
        admin.execute(planted.encode())
        return [tuple(row) for row in admin.execute("select * from homing.lint()").fetchall()]


def test_every_table_and_function_keeps_the_rules(database: Database) -> None:
    assert _faults(database) == []


def test_every_table_and_function_keeps_the_rules_of_the_house(database: Database) -> None:
    with database.connect() as admin:
        assert admin.execute(MORE).fetchall() == []


@pytest.mark.parametrize("fault", PLANTED)
def test_the_lint_sees_a_planted_fault(database: Database, fault: str) -> None:
    assert PLANTED[fault] in _faults(database, fault)


def test_the_lint_says_nothing_of_what_an_extension_brought(database: Database) -> None:
    with database.connect() as admin, admin.transaction(force_rollback=True):
        admin.execute("create schema aside; set local search_path = aside; create table public.theirs ()")
        admin.execute(
            "insert into pg_depend select 'pg_class'::regclass, 'public.theirs'::regclass, 0, "
            "'pg_extension'::regclass, oid, 0, 'e' from pg_extension limit 1"
        )
        assert admin.execute("select * from homing.lint()").fetchall() == []
