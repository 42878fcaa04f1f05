-- A pinned text goes into prompts, where a person does not see it. What no screen shows is taken out of it: it could
-- speak to the model behind the person's back.

create function homing.visible(p_text text) returns text
language sql immutable
return regexp_replace(p_text,
  -- Control signs but tab and line ends, then Unicode's Default_Ignorable_Code_Point (zero-width and joining signs,
  -- bidirectional controls, fillers, variation selectors, tags), then interlinear annotations.
  '[\u0001-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F'
  '\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u202A-\u202E\u2060-\u206F\u3164'
  '\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E0FFF]+', '', 'g');
revoke execute on function homing.visible(text) from public;
comment on function homing.visible(text) is 'A text without what no screen shows.';

create function homing.without_comments(p_text text) returns text
language sql immutable set search_path = ''
as $$
  -- A comment that does not end hides all of the rest. Cutting at the openings reads the text once, however many there are.
  select coalesce(string_agg(case
      when place = 1 then piece
      when strpos(piece, '-->') > 0 then substr(piece, strpos(piece, '-->') + 3)
      else ''
    end, '' order by place), '')
  from unnest(string_to_array(p_text, '<!--')) with ordinality as cut (piece, place)
$$;
revoke execute on function homing.without_comments(text) from public;
comment on function homing.without_comments(text) is 'A text without its HTML comments, those without an end included.';
