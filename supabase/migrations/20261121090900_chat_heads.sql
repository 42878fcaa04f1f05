-- One row per chat tells a device whether what it holds is what the server holds, without reading a message.

create function public.chat_heads()
returns table (chat_id uuid, last_sequence_num bigint, message_count bigint, digest text)
language plpgsql stable security definer
set search_path = '' set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_owner constant uuid := homing.caller();
begin
  return query
    select chat_id, last_sequence_num, message_count, lpad(to_hex(digest), 16, '0')
    from public.chats where owner_id = v_owner order by chat_id;
end
$$;
revoke execute on function public.chat_heads() from public, anon;
grant execute on function public.chat_heads() to authenticated;
comment on function public.chat_heads() is
  'Last number, messages that are not deleted, and digest of each chat of the caller. The digest is 16 hex digits: the '
  'xor, over all messages, deleted ones included, of the first 64 bits of md5(sequence_num:message_id:revision).';
