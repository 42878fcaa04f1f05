-- A look-up by primary key shares its first columns with the other indexes of its table. Where statistics say that an
-- owner or a chat has about one row, PostgreSQL finds them equally good and reads every row of a large owner or chat.
-- It never considers a partial index whose predicate the query does not state: so these are partial, by a predicate that
-- is always true, and only what goes by number says it.

drop index public.chats_by_change;
create unique index chats_by_change on public.chats (owner_id, change) where change > 0;
drop index public.messages_by_change;
create unique index messages_by_change on public.messages (owner_id, change) where change > 0;
drop index public.messages_by_sequence;
create unique index messages_by_sequence on public.messages (owner_id, chat_id, sequence_num) where sequence_num > 0;
comment on index public.chats_by_change is 'For queries that say change > 0.';
comment on index public.messages_by_change is 'For queries that say change > 0.';
comment on index public.messages_by_sequence is 'For queries that say sequence_num > 0.';

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
    select message_id, sequence_num, role, content, annotations, turn_id, status, created_at, deleted_at
    from public.messages
    where owner_id = v_owner and chat_id = p_chat_id
      and sequence_num > 0 and sequence_num < coalesce(p_before, 9223372036854775807)
    order by sequence_num desc
    limit least(greatest(coalesce(p_limit, 50), 1), 200);
end
$$;

create or replace function homing.last_change_that_fits(p_owner uuid, p_after bigint, p_head bigint, p_limit integer)
returns bigint
language sql stable
set search_path = '' set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
  select max(change) filter (where place = 1 or (place <= p_limit and octets_so_far <= 4194304))
  from (
    select change, row_number() over upwards as place, sum(octets) over upwards as octets_so_far
    from (
      (select change, 512 + octet_length(title) as octets from public.chats
        where owner_id = p_owner and change > 0 and change > p_after and change <= p_head order by change limit p_limit)
      union all
      (select change, 512 + octets from public.messages
        where owner_id = p_owner and change > 0 and change > p_after and change <= p_head order by change limit p_limit)
    ) as upcoming
    window upwards as (order by change)
  ) as counted
$$;

create or replace function homing.changes(p_owner uuid, p_after bigint, p_upto bigint) returns jsonb
language sql stable
set search_path = '' set timezone = 'UTC' set enable_seqscan = off set enable_bitmapscan = off
as $$
  select coalesce(jsonb_agg(jsonb_build_object('change', change, 'kind', kind, 'row', fields) order by change), '[]')
  from (
    select change, 'chat' as kind, jsonb_build_object(
      'chat_id', chat_id, 'title', title, 'project_id', project_id, 'model', model, 'pinned', pinned,
      'archived', archived, 'deleted', deleted, 'created_at', created_at, 'updated_at', updated_at,
      'last_sequence_num', last_sequence_num) as fields
    from public.chats where owner_id = p_owner and change > 0 and change > p_after and change <= p_upto
    union all
    select change, 'message', jsonb_build_object(
      'chat_id', chat_id, 'message_id', message_id, 'sequence_num', sequence_num, 'role', role, 'content', content,
      'annotations', annotations, 'turn_id', turn_id, 'status', status, 'revision', revision,
      'created_at', created_at, 'deleted_at', deleted_at)
    from public.messages where owner_id = p_owner and change > 0 and change > p_after and change <= p_upto
  ) as changed
$$;
