-- Lets a signed-in person ask whether this database is what Homing needs, wherever it runs: `homing doctor --server`.
-- It tells of versions, settings and the catalogue; never of a row, a password or another person.

create function homing.schema_version() returns text
language sql immutable
return '20261121150100';
revoke execute on function homing.schema_version() from public;
comment on function homing.schema_version() is
  'The newest migration of this database. The last file of each release makes this function anew: where a platform '
  'keeps its own record of what ran, people may not read it.';

create function homing.realtime_fault() returns text
language plpgsql stable set search_path = ''
as $$
begin
  if to_regclass('realtime.messages') is null or to_regprocedure('realtime.topic()') is null then
    return 'This database has no realtime: devices find changes by asking at intervals.';
  end if;
  if not (select relrowsecurity from pg_class where oid = to_regclass('realtime.messages')) then
    return 'Row level security is off on realtime.messages: anybody can listen to anybody.';
  end if;
  if not exists (
    select from pg_policy
    where polrelid = to_regclass('realtime.messages') and polpermissive and polcmd in ('r', '*')
      and polroles && array[0::oid, 'authenticated'::regrole::oid]
      and pg_get_expr(polqual, polrelid) ~ 'realtime\.topic\(\)' and pg_get_expr(polqual, polrelid) ~ 'auth\.uid\(\)'
  ) then
    return 'No policy lets people join their own topic: run migration 20261121091100 as the owner of realtime.messages.';
  end if;
  return null;
end
$$;
revoke execute on function homing.realtime_fault() from public;
comment on function homing.realtime_fault() is 'Why people cannot hear of their own changes; null when they can.';

create function homing.poke_fault() returns text
language sql stable set search_path = ''
as $$
  select case
    when to_regprocedure('realtime.send(jsonb, text, text, boolean)') is null then 'The function realtime.send is missing.'
    when not exists (
      select from pg_trigger
      where tgrelid = to_regclass('public.owner_heads') and tgfoid = to_regprocedure('homing.poke_devices()')
        and tgenabled in ('O', 'A') and not tgisinternal
    ) then 'The trigger poke_devices is missing or off: changes are not announced.'
  end
$$;
revoke execute on function homing.poke_fault() from public;
comment on function homing.poke_fault() is 'Why changes are not announced; null when they are.';

create function homing.durability_fault() returns text
language sql stable set search_path = ''
as $$
  select 'Switched off: ' || string_agg(name, ', ' order by name) || '. A crash can lose what was confirmed.'
  from unnest(array['synchronous_commit', 'fsync', 'full_page_writes']) as name
  where current_setting(name) = 'off'
$$;
revoke execute on function homing.durability_fault() from public;
comment on function homing.durability_fault() is 'Which settings can lose what was confirmed; null when none can.';

create function homing.lint_summary() returns text
language sql stable set search_path = ''
as $$
  select count(*) || ' found: ' || string_agg(object || ': ' || fault, '; ' order by place) filter (where place <= 5)
  from (select object, fault, row_number() over () as place from homing.lint()) as found
  having count(*) > 0
$$;
revoke execute on function homing.lint_summary() from public;
comment on function homing.lint_summary() is 'How many faults the lint finds and the first five of them; null for none.';

create function public.server_check() returns table (check_name text, ok boolean, detail text)
language plpgsql stable security definer
set search_path = '' set timezone = 'UTC'
as $$
declare
  v_isolation constant text := current_setting('default_transaction_isolation');
begin
  perform homing.caller();
  return query
    select fault.name, fault.words is null, coalesce(fault.words, fault.otherwise)
    from (values
      (1, 'schema_version', null, homing.schema_version()),
      (2, 'server_version', case when current_setting('server_version_num')::integer < 150000
        then 'PostgreSQL ' || current_setting('server_version') || ' is too old: 15 is the oldest that works.' end,
        'PostgreSQL ' || current_setting('server_version')),
      (3, 'lint', homing.lint_summary(), 'no faults'),
      (4, 'realtime_policy', homing.realtime_fault(), 'people may join their own topic'),
      (5, 'poke_trigger', homing.poke_fault(), 'changes are announced'),
      (6, 'synchronous_commit', homing.durability_fault(), current_setting('synchronous_commit')),
      (7, 'isolation', case when v_isolation <> 'read committed'
        then 'The default is ' || v_isolation || ', with which every write is refused.' end, v_isolation),
      (8, 'clock', null, to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    ) as fault (place, name, words, otherwise)
    order by fault.place;
end
$$;
revoke execute on function public.server_check() from public, anon;
grant execute on function public.server_check() to authenticated;
comment on function public.server_check() is
  'Whether this database is what Homing needs: rows of check_name, ok and detail, the same ones in the same order for '
  'everybody who is signed in. schema_version and clock are always ok: it is for the caller to compare them.';
