-- A reply whose lease ran out reads as interrupted, also before a pull made it so.

create or replace function public.list_messages(p_chat_id uuid, p_before bigint default null, p_limit integer default 50)
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
    select message_id, sequence_num, role, content, annotations, turn_id,
      case when status = 'streaming' and not exists (
        select from public.turn_leases as lease
        where lease.owner_id = v_owner and lease.chat_id = p_chat_id and lease.message_id = stored.message_id
          and lease.ended_at is null and lease.lease_until >= clock_timestamp()
      ) then 'interrupted' else status end,
      created_at, deleted_at
    from public.messages as stored
    where owner_id = v_owner and chat_id = p_chat_id
      and sequence_num > 0 and sequence_num < coalesce(p_before, 9223372036854775807)
    order by sequence_num desc
    limit least(greatest(coalesce(p_limit, 50), 1), 200);
end
$$;
