-- Pages through a chat from its newest message to its oldest by sequence number: flat cost at any depth, and stable
-- while others append.

create function public.list_messages(p_chat_id uuid, p_before bigint default null, p_limit integer default 50)
returns table (
  message_id text, sequence_num bigint, role text, content jsonb, annotations jsonb,
  turn_id text, status text, created_at timestamptz, deleted_at timestamptz
)
language plpgsql stable security definer
set search_path = '' set timezone = 'UTC' set enable_seqscan = off set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_owner constant uuid := homing.caller();
begin
  return query
    select message_id, sequence_num, role, content, annotations, turn_id, status, created_at, deleted_at
    from public.messages
    where owner_id = v_owner and chat_id = p_chat_id
      and sequence_num < coalesce(p_before, 9223372036854775807)
    order by sequence_num desc
    limit least(greatest(coalesce(p_limit, 50), 1), 200);
end
$$;
revoke execute on function public.list_messages(uuid, bigint, integer) from public, anon;
grant execute on function public.list_messages(uuid, bigint, integer) to authenticated;
comment on function public.list_messages(uuid, bigint, integer) is
  'The newest messages of a chat of the caller before number p_before, newest first, tombstones included; 1 to 200 rows. '
  'A chat that the caller does not have has none.';
