-- The schema of what the API functions share. No API role may enter it: only definer functions call these.
-- Bodies that begin with `return` are bound when they are made, whatever the search path, and PostgreSQL inlines them.

create schema homing;
comment on schema homing is 'What the API functions share; closed to the API roles.';
revoke all on schema homing from public;

create function homing.caller() returns uuid
language plpgsql stable set search_path = ''
as $$
declare
  v_owner uuid := auth.uid();
begin
  if v_owner is null then
    raise exception using errcode = 'PT401', message = 'You are not signed in.', hint = 'Sign in and try again.';
  end if;
  return v_owner;
end
$$;
revoke execute on function homing.caller() from public;
comment on function homing.caller() is 'The signed-in user, who owns whatever the caller reads or writes. Raises PT401.';

create function homing.require_read_committed() returns void
language plpgsql stable set search_path = ''
as $$
begin
  -- A later statement must see what was committed while it waited for a lock: other levels keep the older snapshot.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using errcode = 'PT400', message = 'Writes need the isolation level READ COMMITTED.',
      hint = 'Begin the transaction without another isolation level.';
  end if;
end
$$;
revoke execute on function homing.require_read_committed() from public;
comment on function homing.require_read_committed() is 'Raises PT400 at any other isolation level.';

create function homing.require_batch(p_items jsonb) returns void
language plpgsql stable set search_path = ''
as $$
begin
  if p_items is null or jsonb_typeof(p_items) <> 'array' then
    raise exception using errcode = 'PT400', message = 'The request is not a list.',
      hint = 'Send a JSON array of objects.';
  end if;
  if jsonb_array_length(p_items) > 500 or octet_length(p_items::text) > 4194304 then
    raise exception using errcode = 'PT413', message = 'The request is too large.',
      hint = 'Send at most 500 items and 4 MiB a call.';
  end if;
end
$$;
revoke execute on function homing.require_batch(jsonb) from public;
comment on function homing.require_batch(jsonb) is 'Raises PT400 for what is no list and PT413 for more than 500 items or 4 MiB.';

create function homing.compact_octets(p_value jsonb) returns bigint
language sql immutable set search_path = ''
as $$
  -- PostgreSQL writes a space after each separator, clients do not.
  select octet_length(p_value::text) - coalesce(sum(case jsonb_typeof(node)
    when 'array' then greatest(jsonb_array_length(node) - 1, 0)
    when 'object' then greatest(2 * (select count(*) from jsonb_object_keys(node)) - 1, 0)
    else 0 end), 0)
  from jsonb_path_query(p_value, 'strict $.**') as node
$$;
revoke execute on function homing.compact_octets(jsonb) from public;
comment on function homing.compact_octets(jsonb) is
  'The size of a value as compact JSON in UTF-8. Slow: only for a value whose usual text is over a limit.';

create function homing.larger_than_mebibyte(p_value jsonb) returns boolean
language sql immutable
return case when octet_length(p_value::text) > 1048576 then homing.compact_octets(p_value) > 1048576 else false end;
revoke execute on function homing.larger_than_mebibyte(jsonb) from public;
comment on function homing.larger_than_mebibyte(jsonb) is 'Whether a value is too large for one message.';

create function homing.too_deep(p_value jsonb) returns boolean
language sql immutable
return jsonb_path_exists(p_value, 'strict $.**{64 to last} ? (@.type() == "array" || @.type() == "object")');
revoke execute on function homing.too_deep(jsonb) from public;
comment on function homing.too_deep(jsonb) is 'Whether arrays and objects are nested more than 64 levels.';

create function homing.moment(p_text text) returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
  if p_text ~ '^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})$' then
    return p_text::timestamptz;
  end if;
  return null;
exception when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
  return null;
end
$$;
revoke execute on function homing.moment(text) from public;
comment on function homing.moment(text) is 'The time that an RFC 3339 text names, null when it names none.';
