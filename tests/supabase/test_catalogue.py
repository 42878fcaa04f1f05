"""A lint of the catalogue: what must hold for every table and function, whoever adds one; with planted faults."""

import pytest

from tests.fakes.cluster import Cluster, Database

FAULTS = """
select format('%s: row level security is not forced', c.oid::regclass)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'homing') and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
union all
select format('%s: %s for %s', c.oid::regclass, acl.privilege_type, acl.grantee::regrole)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
cross join lateral aclexplode(c.relacl) as acl
where n.nspname in ('public', 'homing') and acl.grantee <> c.relowner
  and not (acl.grantee = 'authenticated'::regrole and acl.privilege_type = 'SELECT')
union all
select format('%s: a view without security_invoker', c.oid::regclass)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind in ('v', 'm') and not coalesce('security_invoker=true' = any (c.reloptions), false)
union all
select format('%s: open to everybody', p.oid::regprocedure)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'homing') and has_function_privilege('anon', p.oid, 'execute')
union all
select format('%s: closed to the signed-in', p.oid::regprocedure)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'public' and not has_function_privilege('authenticated', p.oid, 'execute')
union all
select format('%s: open to the API roles', p.oid::regprocedure)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'homing' and has_function_privilege('authenticated', p.oid, 'execute')
union all
select format('%s: free search path', p.oid::regprocedure)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'homing') and p.prosqlbody is null
  and not coalesce('search_path=""' = any (p.proconfig), false)
union all
select format('%s: an owner as a parameter', p.oid::regprocedure)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'public' and exists (select from unnest(p.proargnames) as a where a ~ 'owner|user')
union all
select format('%s: no comment', p.oid::regprocedure)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'homing') and obj_description(p.oid, 'pg_proc') is null
union all
select format('%s: no comment', c.oid::regclass)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind = 'r' and obj_description(c.oid, 'pg_class') is null
union all
select format('%s: a policy that does not ask for the owner', polrelid::regclass)
from pg_policy where pg_get_expr(polqual, polrelid) !~ 'auth\\.uid\\(\\)'
order by 1
"""

PLANTED = {
    "row level security is not forced": "create table public.bare (); comment on table public.bare is 'x'",
    "TRUNCATE for anon": "grant truncate on public.messages to anon",
    "INSERT for authenticated": "grant insert on public.chats to authenticated",
    "a view without security_invoker": "create view public.peek as select * from public.messages",
    "open to everybody": "grant execute on function public.chat_heads() to anon",
    "closed to the signed-in": "revoke execute on function public.chat_heads() from authenticated",
    "open to the API roles": "grant execute on function homing.begin_epoch() to authenticated",
    "free search path": "alter function public.chat_heads() reset search_path",
    "an owner as a parameter": "create function public.f(p_owner uuid) returns int language sql return 1",
    "no comment": "comment on function homing.caller() is null",
    "does not ask for the owner": "create policy x on public.chats using (true)",
}


def _faults(database: Database) -> list[str]:
    with database.connect() as admin:
        return [row[0] for row in admin.execute(FAULTS.encode()).fetchall()]


def test_every_table_and_function_keeps_the_rules(database: Database) -> None:
    assert _faults(database) == []


def test_the_api_is_exactly_the_contracts_functions(database: Database) -> None:
    with database.connect() as admin:
        rows = admin.execute(
            "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'public'::regnamespace order by 1"
        ).fetchall()
    assert [row[0] for row in rows] == [
        "append_messages(uuid,jsonb)",
        "chat_heads()",
        "count_messages(uuid)",
        "list_messages(uuid,bigint,integer)",
        "pull_changes(uuid,bigint,integer)",
        "save_chats(jsonb)",
    ]


@pytest.mark.parametrize("fault", PLANTED)
def test_the_lint_sees_a_planted_fault(cluster: Cluster, fault: str) -> None:
    with cluster.database() as database:
        with database.connect() as admin:
            admin.execute(PLANTED[fault].encode())
        assert any(fault in found for found in _faults(database))
