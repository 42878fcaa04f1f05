-- Finds what would let people reach rows that are not theirs, or past the functions that keep the counters right.
-- Looks at the catalogue alone, so it says the same whoever owns the database. What an extension brought is skipped.

create function homing.is_ours(p_catalogue regclass, p_object oid, p_space oid) returns boolean
language sql stable set search_path = ''
as $$
  select exists (select from pg_namespace where oid = p_space and nspname in ('public', 'homing'))
    and not exists (
      select from pg_depend where classid = p_catalogue and objid = p_object and deptype = 'e'
    )
$$;
revoke execute on function homing.is_ours(regclass, oid, oid) from public;
comment on function homing.is_ours(regclass, oid, oid) is 'Whether the lint answers for an object of the catalogue.';

create function homing.relation_faults() returns table (object text, fault text)
language sql stable set search_path = ''
as $$
  with relations as (
    select oid, oid::regclass::text as name, relkind as kind, relowner, relacl, reloptions, relforcerowsecurity,
      relrowsecurity, relpersistence, relnamespace = 'public'::regnamespace as is_public
    from pg_class where homing.is_ours('pg_class', oid, relnamespace)
  ),
  grants as (
    select name, grantee, privilege_type, is_public, kind
    from relations cross join lateral aclexplode(relacl) where grantee <> relowner
    union all
    select name, grantee, privilege_type || ' of column ' || attname, is_public, kind
    from relations join pg_attribute on attrelid = relations.oid cross join lateral aclexplode(attacl) where grantee <> relowner
  )
  select name, 'row level security is not forced' from relations
    where kind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity)
  union all
  select name, 'signed-in people may not read it' from relations
    where kind in ('r', 'p', 'v') and is_public and not has_table_privilege('authenticated', oid, 'select')
  union all
  select name, 'no policy lets signed-in people read their rows' from relations
    where kind in ('r', 'p') and is_public and not exists (
      select from pg_policy
      where polrelid = relations.oid and polcmd in ('r', '*') and polroles && array[0::oid, 'authenticated'::regrole::oid])
  union all
  select name, format('%s is granted to %s', privilege_type,
      case when grantee = 0 then 'everybody' else grantee::regrole::text end) from grants
    where not (is_public and kind <> 'S' and grantee = 'authenticated'::regrole and privilege_type = 'SELECT')
  union all
  select name, 'a view that reads as its owner' from relations
    where kind = 'v' and not coalesce(reloptions && array[
      'security_invoker=true', 'security_invoker=on', 'security_invoker=yes', 'security_invoker=1'], false)
  union all
  select name, 'row level security cannot guard it' from relations where kind in ('m', 'f')
  union all
  select name, 'a sequence gives its numbers again after a restore' from relations where kind = 'S'
  union all
  select name, 'a crash empties it' from relations where kind = 'r' and relpersistence <> 'p'
  union all
  select name, 'a trigger of it is off' from relations
    where exists (select from pg_trigger where tgrelid = relations.oid and tgenabled in ('D', 'R'))
  union all
  select name, 'an index of it is not valid' from relations
    where exists (select from pg_index where indrelid = relations.oid and not indisvalid)
$$;
revoke execute on function homing.relation_faults() from public;
comment on function homing.relation_faults() is 'What is wrong with tables, views and sequences.';

create function homing.policy_faults() returns table (object text, fault text)
language sql stable set search_path = ''
as $$
  select format('policy "%s" on %s', polname, polrelid::regclass), 'does not ask for the owner'
  from pg_policy join pg_class on pg_class.oid = polrelid
  cross join lateral unnest(array[
    case when polcmd = 'a' then 'none' else pg_get_expr(polqual, polrelid) end,
    coalesce(pg_get_expr(polwithcheck, polrelid), 'none')
  ]) as condition
  where polpermissive and homing.is_ours('pg_class', polrelid, relnamespace)
    and (condition is null or (condition <> 'none' and condition !~
      '^\(+owner_id = \( ?SELECT auth\.uid\(\) AS uid\)\)(?!.* OR )'))
$$;
revoke execute on function homing.policy_faults() from public;
comment on function homing.policy_faults() is 'Policies that let more through than the caller''s own rows.';

create function homing.function_faults() returns table (object text, fault text)
language sql stable set search_path = ''
as $$
  with functions as (
    select oid, oid::regprocedure::text as name, prosecdef, prosqlbody, proconfig, proargnames, proallargtypes,
      proargtypes, relevant.is_public, regexp_replace(prosrc, '--[^\n]*|/\*.*?\*/', '', 'g') as statements,
      count(*) over (partition by pronamespace, proname) as of_this_name
    from pg_proc cross join lateral (select pronamespace = 'public'::regnamespace as is_public) as relevant
    where prokind in ('f', 'p') and homing.is_ours('pg_proc', oid, pronamespace)
  )
  select name, 'open to people who are not signed in' from functions where has_function_privilege('anon', oid, 'execute')
  union all
  select name, 'signed-in people may not call it' from functions
    where is_public and not has_function_privilege('authenticated', oid, 'execute')
  union all
  select name, 'open to signed-in people' from functions
    where not is_public and has_function_privilege('authenticated', oid, 'execute')
  union all
  select name, 'its search path is not fixed' from functions
    where prosqlbody is null and not coalesce('search_path=""' = any (proconfig), false)
  union all
  select name, 'acts as its owner and never asks who calls' from functions
    where is_public and prosecdef and statements !~ 'homing\.caller\(\)'
  union all
  select name, 'shares its name with another function' from functions where is_public and of_this_name > 1
  union all
  select name, 'weakens what keeps rows safe' from functions
    where exists (
      select from unnest(proconfig) as setting
      where setting ~ '^(synchronous_commit|row_security|session_replication_role)=')
  union all
  select name, 'takes the owner from the caller' from functions
    where is_public and exists (
      select from unnest(coalesce(proallargtypes, proargtypes::oid[]), proargnames) as argument (kind, name)
      where argument.kind = 'uuid'::regtype and argument.name ~ 'owner|user')
$$;
revoke execute on function homing.function_faults() from public;
comment on function homing.function_faults() is 'What is wrong with functions.';

create function homing.lint() returns table (object text, fault text)
language sql stable set search_path = ''
as $$
  select 'schema homing', 'open to ' || name from unnest(array['anon', 'authenticated']) as name
    where has_schema_privilege(name, 'homing', 'usage')
  union all select * from homing.relation_faults()
  union all select * from homing.policy_faults()
  union all select * from homing.function_faults()
  order by 1, 2
$$;
revoke execute on function homing.lint() from public;
comment on function homing.lint() is 'Every breach of the rules that keep people apart; no rows when all is well.';
