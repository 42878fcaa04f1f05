-- Counts a chat's messages from its counter: no scan, however long the chat.

create function public.count_messages(p_chat_id uuid) returns bigint
language plpgsql stable security definer
set search_path = '' set enable_seqscan = off
as $$
declare
  v_owner constant uuid := homing.caller();
begin
  return coalesce(
    (select chat.message_count from public.chats as chat where chat.owner_id = v_owner and chat.chat_id = p_chat_id), 0
  );
end
$$;
revoke execute on function public.count_messages(uuid) from public, anon;
grant execute on function public.count_messages(uuid) to authenticated;
comment on function public.count_messages(uuid) is
  'How many messages a chat of the caller has, deleted ones not counted. A chat that the caller does not have has none.';
