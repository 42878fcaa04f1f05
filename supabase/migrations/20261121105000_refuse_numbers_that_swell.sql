-- A number of eight characters, such as 1e-16000, is sixteen thousand long once PostgreSQL writes it out: a small request
-- took gigabytes of memory. Such numbers are refused before anything is written out. No client computes with them either.

create function homing.swells(p_value jsonb) returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  -- What is this small cannot become large enough to hurt, and most messages hold no number at all.
  return pg_column_size(p_value) > 4096
    and jsonb_path_exists(p_value, 'strict $.** ? (@.type() == "number")')
    and exists (
      -- Not jsonb_path_query, whose time grows with the square of what it finds.
      select from jsonb_array_elements(jsonb_path_query_array(p_value, 'strict $.** ? (@.type() == "number")')) as number
      where abs(number::numeric) >= 1e400 or scale(number::numeric) > 400
    );
end
$$;
revoke execute on function homing.swells(jsonb) from public;
comment on function homing.swells(jsonb) is
  'Whether a value of more than 4 KiB holds a number of more than about 400 digits. Ask before its text is used.';

create function homing.require_short_numbers(p_value jsonb) returns void
language plpgsql stable set search_path = ''
as $$
begin
  if homing.swells(p_value) then
    raise exception using errcode = 'PT400', message = 'A number in the request has more than 400 digits.',
      hint = 'Send such a number as text.';
  end if;
end
$$;
revoke execute on function homing.require_short_numbers(jsonb) from public;
comment on function homing.require_short_numbers(jsonb) is 'Raises PT400 for a value that homing.swells.';

create or replace function homing.require_batch(p_items jsonb) returns void
language plpgsql stable set search_path = ''
as $$
begin
  if p_items is null or jsonb_typeof(p_items) <> 'array' then
    raise exception using errcode = 'PT400', message = 'The request is not a list.',
      hint = 'Send a JSON array of objects.';
  end if;
  perform homing.require_short_numbers(p_items);
  if jsonb_array_length(p_items) > 500 or octet_length(p_items::text) > 4194304 then
    raise exception using errcode = 'PT413', message = 'The request is too large.',
      hint = 'Send at most 500 items and 4 MiB a call.';
  end if;
end
$$;
