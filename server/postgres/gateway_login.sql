-- The login of the gateway in Homing's own cluster: it may become the API's roles and keep the accounts, and no more.
-- Idempotent; run at every start, after the migrations, so that tables which came since are covered too.

do $$
declare
  place record;
  called text;
begin
  if not exists (select from pg_roles where rolname = 'homing_gateway') then
    create role homing_gateway;
  end if;
  alter role homing_gateway login noinherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
  -- A person who sorts all their messages in many calls at once does not fill the disk.
  alter role homing_gateway set temp_file_limit = '1GB';
  grant anon, authenticated, service_role to homing_gateway;
  grant usage on schema auth, realtime, homing to homing_gateway;
  -- Types of a session's own schema come before PostgreSQL's, whatever the search path: nobody gets such a schema.
  execute format('revoke temporary on database %I from public', current_database());

  for place in
    select oid::regclass as name, relnamespace = 'realtime'::regnamespace as only_probed
    from pg_class where relkind = 'r' and relnamespace in ('auth'::regnamespace, 'realtime'::regnamespace)
  loop
    execute format('drop policy if exists "The gateway works here" on %s', place.name);
    if place.only_probed then
      execute format('grant insert on %s to homing_gateway', place.name);
      execute format(
        'create policy "The gateway works here" on %s for insert to homing_gateway with check (true)', place.name);
    else
      execute format('grant select, insert, update, delete on %s to homing_gateway', place.name);
      execute format(
        'create policy "The gateway works here" on %s for all to homing_gateway using (true) with check (true)',
        place.name);
    end if;
  end loop;

  for called in
    select oid::regprocedure::text from pg_proc
    where pronamespace = 'homing'::regnamespace and proname in ('append_totals', 'count_mismatch_total')
  loop
    execute format('grant execute on function %s to homing_gateway', called);
  end loop;
end
$$;
