-- What the functions of turns share: what a call must name, the locks that it takes, what a reply may hold.

create function homing.require_turn(p_chat_id uuid, p_turn_id text, p_lease_id uuid) returns void
language plpgsql stable set search_path = ''
as $$
begin
  perform homing.require_read_committed();
  if p_chat_id is null then
    raise exception using errcode = 'PT400', message = 'The request names no chat.', hint = 'Send p_chat_id.';
  end if;
  if p_turn_id is null or length(p_turn_id) not between 1 and 128 then
    raise exception using errcode = 'PT400', message = 'The turn has no usable id (1 to 128 characters).',
      hint = 'Send p_turn_id, made once for each question.';
  end if;
  if p_lease_id is null then
    raise exception using errcode = 'PT400', message = 'The request names no lease.',
      hint = 'Send p_lease_id, made once by whoever writes the reply.';
  end if;
end
$$;
revoke execute on function homing.require_turn(uuid, text, uuid) from public;
comment on function homing.require_turn(uuid, text, uuid) is 'Raises PT400 when a chat, a turn or a lease is not named.';

create function homing.hold_chat(p_owner uuid, p_chat_id uuid) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform homing.lock_chat(p_owner, p_chat_id);
  perform from public.chats where owner_id = p_owner and chat_id = p_chat_id for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'There is no such chat.', hint = 'Save the chat first.';
  end if;
end
$$;
revoke execute on function homing.hold_chat(uuid, uuid) from public;
comment on function homing.hold_chat(uuid, uuid) is
  'Locks a chat, a deleted one too, against everything that writes to it. Raises PT404.';

create function homing.reply_refusal(p_content jsonb, p_annotations jsonb) returns text
language plpgsql immutable set search_path = ''
as $$
declare
  v_message constant jsonb := jsonb_build_object(
    'message_id', '-', 'role', 'assistant', 'annotations', p_annotations,
    'content', case when p_content is null or p_content in ('[]', '""') then '"-"' else p_content end
  );
begin
  return homing.message_refusal(v_message, null);
end
$$;
revoke execute on function homing.reply_refusal(jsonb, jsonb) from public;
comment on function homing.reply_refusal(jsonb, jsonb) is
  'Why a reply cannot hold this body, for people; null when it can. A reply may be empty.';

create function homing.reply_parts(p_content jsonb) returns jsonb
language sql stable
return case when p_content = '""' then '[]' else homing.parts(p_content) end;
revoke execute on function homing.reply_parts(jsonb) from public;
comment on function homing.reply_parts(jsonb) is 'What a reply holds of what was sent: an empty text is no part.';

create function homing.hold_turn(p_owner uuid, p_chat_id uuid, p_turn_id text) returns public.turn_leases
language plpgsql volatile set search_path = ''
as $$
declare
  v_lease public.turn_leases;
begin
  select * into v_lease from public.turn_leases
    where owner_id = p_owner and chat_id = p_chat_id and turn_id = p_turn_id for no key update;
  if not found then
    raise exception using errcode = 'PT404', message = 'There is no such turn.', hint = 'Begin the turn first.';
  end if;
  return v_lease;
end
$$;
revoke execute on function homing.hold_turn(uuid, uuid, text) from public;
comment on function homing.hold_turn(uuid, uuid, text) is
  'Locks a turn''s lease: after the chat, if both are wanted. Raises PT404 when the owner has begun no such turn.';
