-- How a function that writes into one chat begins.

create function homing.hold_open_chat(p_owner uuid, p_chat_id uuid) returns public.chats
language plpgsql volatile set search_path = ''
as $$
declare
  v_chat public.chats;
begin
  perform homing.require_read_committed();
  perform homing.require_open_chat(p_owner, p_chat_id);
  perform homing.lock_chat(p_owner, p_chat_id);
  select * into v_chat from public.chats where owner_id = p_owner and chat_id = p_chat_id for no key update;
  if v_chat.deleted is not false then
    perform homing.require_open_chat(p_owner, p_chat_id);
  end if;
  return v_chat;
end
$$;
revoke execute on function homing.hold_open_chat(uuid, uuid) from public;
comment on function homing.hold_open_chat(uuid, uuid) is
  'The chat as it is under its locks, which last until the end of the transaction. Raises PT404 and PT410.';
