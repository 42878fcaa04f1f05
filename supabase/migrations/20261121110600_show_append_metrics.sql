-- What an operator watches, for the rows that whoever asks may read. Numbers only, never content.

create view public.append_metrics with (security_invoker = true) as
  select
    owner_id, calls, messages, inserted, duplicates, conflicts, rejected, largest_batch,
    batches_upto_1, batches_upto_10, batches_upto_100,
    lock_wait_micros / 1e6 as lock_wait_seconds, longest_lock_wait_micros / 1e6 as longest_lock_wait_seconds,
    duration_micros / 1e6 as duration_seconds, longest_duration_micros / 1e6 as longest_duration_seconds
  from public.append_counters;
comment on view public.append_metrics is 'Each owner''s append_messages in numbers, times in seconds.';
revoke all on public.append_metrics from public, anon, authenticated, service_role;
grant select on public.append_metrics to authenticated;

create view public.count_mismatches with (security_invoker = true) as
  select
    chat.owner_id, chat.chat_id,
    chat.message_count, counted.live as counted_messages,
    chat.last_sequence_num, counted.last as counted_last, counted.messages as counted_numbers,
    chat.digest, counted.digest as counted_digest
  from public.chats as chat
  cross join lateral (
    select
      count(*) filter (where deleted_at is null) as live, count(*) as messages,
      coalesce(max(sequence_num), 0) as last,
      -- homing.fingerprint, which is closed to those who may look here.
      coalesce(bit_xor(
        ('x' || substr(md5(sequence_num::text || ':' || message_id || ':' || revision::text), 1, 16))::bit(64)::bigint), 0) as digest
    from public.messages as message
    where message.owner_id = chat.owner_id and message.chat_id = chat.chat_id
  ) as counted
  where (chat.message_count, chat.last_sequence_num, chat.last_sequence_num, chat.digest) is distinct from
    (counted.live, counted.last, counted.messages, counted.digest);
comment on view public.count_mismatches is
  'Chats whose counters do not say what their messages are: none, unless rows were written past the functions. Reads every message.';
revoke all on public.count_mismatches from public, anon, authenticated, service_role;
grant select on public.count_mismatches to authenticated;
