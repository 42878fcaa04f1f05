-- chat_heads comes in pages by chat id: gateways cut long answers without a word, and a device would miss chats.

drop function public.chat_heads();

create function public.chat_heads(p_after uuid default null, p_limit integer default 1000)
returns table (chat_id uuid, last_sequence_num bigint, message_count bigint, digest text)
language plpgsql stable security definer
set search_path = '' set enable_seqscan = off set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_owner constant uuid := homing.caller();
begin
  return query
    select chat_id, last_sequence_num, message_count, lpad(to_hex(digest), 16, '0')
    from public.chats
    where owner_id = v_owner and chat_id >= coalesce(p_after, '00000000-0000-0000-0000-000000000000')
      and chat_id is distinct from p_after
    order by chat_id
    limit least(greatest(coalesce(p_limit, 1000), 1), 1000);
end
$$;
revoke execute on function public.chat_heads(uuid, integer) from public, anon;
grant execute on function public.chat_heads(uuid, integer) to authenticated;
comment on function public.chat_heads(uuid, integer) is
  'Last number, messages that are not deleted, and digest of the caller''s chats after chat p_after, in the order of '
  'their ids; 1 to 1,000 rows, and fewer than asked for on the last page. The digest is 16 hex digits: the xor, over all '
  'messages, deleted ones included, of the first 64 bits of md5(sequence_num:message_id:revision).';
