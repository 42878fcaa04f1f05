-- Before the year 1 and after 9999 PostgreSQL writes times in forms that clients cannot read: with BC, or a fifth digit.

create or replace function homing.moment(p_text text) returns timestamptz
language plpgsql stable set search_path = ''
as $$
declare
  v_moment timestamptz;
begin
  if p_text ~ '^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})$' then
    v_moment := p_text::timestamptz;
  end if;
  return case when v_moment >= '0001-01-01 00:00:00+00' and v_moment < '10000-01-01 00:00:00+00' then v_moment end;
exception when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
  return null;
end
$$;
comment on function homing.moment(text) is
  'The time that an RFC 3339 text names, null when it names none or one outside the years 1 to 9999 of UTC.';
