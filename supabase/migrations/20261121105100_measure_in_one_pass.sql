-- The size of a value as compact JSON took a time that grew with the square of its parts: minutes for a megabyte of
-- numbers, within the limits of a request. One pass over its text tells the same.

create or replace function homing.compact_octets(p_value jsonb) returns bigint
language sql immutable set search_path = ''
as $$
  -- PostgreSQL writes a space after each separator, clients do not. What is between quotes is no separator.
  select octet_length(p_value::text) - (length(bare) - length(translate(bare, ',:', '')))
  from (select regexp_replace(p_value::text, '"([^"\\]|\\.)*"', '', 'g') as bare) as outside_of_texts
$$;
