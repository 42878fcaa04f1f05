-- Gives `homing serve --metrics` the sums over all owners. Row by row as each owner: an owner of the tables who obeys
-- row level security would see nothing otherwise. Numbers only; who they come from is not told.

create function homing.counters_of(p_owner uuid) returns setof public.append_counters
language plpgsql volatile set search_path = ''
as $$
begin
  perform set_config('request.jwt.claims', jsonb_build_object('sub', p_owner)::text, true);
  return query select * from public.append_counters where owner_id = p_owner;
end
$$;
revoke execute on function homing.counters_of(uuid) from public;
comment on function homing.counters_of(uuid) is 'An owner''s counters. The rest of the transaction goes on as that owner.';

create function homing.mismatches_of(p_owner uuid) returns bigint
language plpgsql volatile set search_path = ''
as $$
begin
  perform set_config('request.jwt.claims', jsonb_build_object('sub', p_owner)::text, true);
  return (select count(*) from public.count_mismatches where owner_id = p_owner);
end
$$;
revoke execute on function homing.mismatches_of(uuid) from public;
comment on function homing.mismatches_of(uuid) is
  'How many of an owner''s chats have wrong counters. The rest of the transaction goes on as that owner.';

create function homing.append_totals() returns jsonb
language sql volatile security definer
set search_path = ''
as $$
  select coalesce(to_jsonb(total), '{}') from (
    select
      sum(calls) as calls, sum(inserted) as inserted, sum(duplicates) as duplicates, sum(conflicts) as conflicts,
      sum(rejected) as rejected, sum(messages) as messages, max(largest_batch) as largest_batch,
      sum(batches_upto_1) as batches_upto_1, sum(batches_upto_10) as batches_upto_10,
      sum(batches_upto_100) as batches_upto_100,
      sum(lock_wait_micros) as lock_wait_micros, max(longest_lock_wait_micros) as longest_lock_wait_micros,
      sum(duration_micros) as duration_micros, max(longest_duration_micros) as longest_duration_micros
    from auth.users cross join lateral homing.counters_of(users.id)
  ) as total
$$;
revoke execute on function homing.append_totals() from public;
comment on function homing.append_totals() is
  'The columns of append_counters over all owners: sums, and the greatest of the longest and largest; null before the '
  'first append. Alone in its transaction only.';

create function homing.count_mismatch_total() returns bigint
language sql volatile security definer
set search_path = ''
as $$
  select coalesce(sum(homing.mismatches_of(id)), 0)::bigint from auth.users
$$;
revoke execute on function homing.count_mismatch_total() from public;
comment on function homing.count_mismatch_total() is
  'How many chats have counters that do not say what their messages are. Reads every message. Alone in its transaction only.';
