-- Ends a turn exactly once: whoever still holds its lease sets the reply's last text and status, and what it cost goes in
-- with it. In a chat that was deleted meanwhile too: the chat may be restored, and what was spent was spent.

create function homing.usage_refusal(p_usage jsonb) returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return case
    when jsonb_typeof(p_usage) <> 'object' then 'The usage must be an object.'
    when exists (
      select from unnest(array['prompt_tokens', 'completion_tokens', 'total_tokens', 'cost_micros']) as field
      where coalesce(p_usage -> field, 'null') <> 'null' and not case
        when jsonb_typeof(p_usage -> field) = 'number'
          then (p_usage -> field)::numeric between 0 and 1e15 and (p_usage -> field)::numeric % 1 = 0
        else false
      end
    ) then 'Tokens and cost must be whole numbers from 0 to 10^15.'
    when coalesce(jsonb_typeof(p_usage -> 'truncated'), 'null') not in ('boolean', 'null')
      then 'Truncated must be true or false.'
    when octet_length(p_usage ->> 'models') > 65536 then 'The details of the models are larger than 64 KiB.'
    when homing.too_deep(p_usage -> 'models') then 'The details of the models are nested more than 64 levels deep.'
  end;
end
$$;
revoke execute on function homing.usage_refusal(jsonb) from public;
comment on function homing.usage_refusal(jsonb) is 'Why usage cannot be stored, for people; null when it can.';

create function homing.insert_usage(p_owner uuid, p_chat_id uuid, p_message_id text, p_usage jsonb) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_change constant bigint := homing.lock_head(p_owner) + 1;
  v_prompt constant bigint := coalesce((p_usage ->> 'prompt_tokens')::numeric, 0);
  v_completion constant bigint := coalesce((p_usage ->> 'completion_tokens')::numeric, 0);
  v_models constant jsonb := nullif(p_usage -> 'models', 'null');
begin
  insert into public.message_usage (
    owner_id, chat_id, message_id, prompt_tokens, completion_tokens, total_tokens, cost_micros, models, truncated,
    octets, change
  ) values (
    p_owner, p_chat_id, p_message_id, v_prompt, v_completion,
    coalesce((p_usage ->> 'total_tokens')::numeric, v_prompt + v_completion),
    coalesce((p_usage ->> 'cost_micros')::numeric, 0), v_models, coalesce((p_usage ->> 'truncated')::boolean, false),
    coalesce(octet_length(v_models::text), 0), v_change
  );
  update public.owner_heads set head = v_change where owner_id = p_owner;
end
$$;
revoke execute on function homing.insert_usage(uuid, uuid, text, jsonb) from public;
comment on function homing.insert_usage(uuid, uuid, text, jsonb) is
  'Stores what a reply cost. What is not said is 0, and the total the sum of both kinds of tokens.';

create function homing.require_end(p_status text, p_content jsonb, p_annotations jsonb, p_usage jsonb) returns void
language plpgsql stable set search_path = ''
as $$
begin
  if p_status is null or p_status not in ('complete', 'interrupted', 'error') then
    raise exception using errcode = 'PT400', message = 'A turn does not end like this.',
      hint = 'Send p_status: complete, interrupted or error.';
  end if;
  perform homing.require_batch(jsonb_build_array(p_content, p_annotations, p_usage));
end
$$;
revoke execute on function homing.require_end(text, jsonb, jsonb, jsonb) from public;
comment on function homing.require_end(text, jsonb, jsonb, jsonb) is
  'Raises PT400 for what is no end of a turn and PT413 for more than 4 MiB.';

create function public.finish_turn(
  p_chat_id uuid, p_turn_id text, p_lease_id uuid, p_status text, p_content jsonb, p_annotations jsonb default null,
  p_usage jsonb default null
) returns jsonb
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
declare
  v_owner constant uuid := homing.caller();
  v_content constant jsonb := homing.reply_parts(nullif(p_content, 'null'));
  v_annotations constant jsonb := nullif(p_annotations, 'null');
  v_usage constant jsonb := nullif(p_usage, 'null');
  v_digest bytea;
  v_reason text;
  v_lease public.turn_leases;
  v_status text := 'finished';
begin
  perform homing.require_turn(p_chat_id, p_turn_id, p_lease_id);
  perform homing.require_end(p_status, v_content, v_annotations, v_usage);
  v_digest := sha256(convert_to(jsonb_build_array(p_status, v_content, v_annotations, v_usage)::text, 'UTF8'));
  v_reason := coalesce(homing.reply_refusal(v_content, v_annotations), homing.usage_refusal(v_usage));
  perform homing.hold_chat(v_owner, p_chat_id);
  v_lease := homing.hold_turn(v_owner, p_chat_id, p_turn_id);

  if v_lease.lease_id <> p_lease_id or v_lease.ended_at is not null then
    v_status := case
      when v_lease.lease_id = p_lease_id and v_lease.finish_digest = v_digest then 'duplicate' else 'lost'
    end;
  elsif v_reason is not null then
    v_status := 'rejected';
  else
    update public.turn_leases set finish_digest = v_digest
      where owner_id = v_owner and chat_id = p_chat_id and turn_id = p_turn_id;
    perform homing.write_reply(
      v_owner, p_chat_id, v_lease.message_id,
      case when v_lease.lease_until < clock_timestamp() then 'interrupted' else p_status end, v_content, v_annotations);
    if v_usage is not null then
      perform homing.insert_usage(v_owner, p_chat_id, v_lease.message_id, v_usage);
    end if;
  end if;
  return (
    select jsonb_build_object(
      'status', v_status, 'message_status', status, 'revision', revision,
      'reason', case v_status when 'rejected' then v_reason when 'lost' then 'The turn ended without this call.' end)
    from public.messages
    where owner_id = v_owner and chat_id = p_chat_id and message_id = v_lease.message_id
  );
end
$$;
revoke execute on function public.finish_turn(uuid, text, uuid, text, jsonb, jsonb, jsonb) from public, anon;
grant execute on function public.finish_turn(uuid, text, uuid, text, jsonb, jsonb, jsonb) to authenticated;
comment on function public.finish_turn(uuid, text, uuid, text, jsonb, jsonb, jsonb) is
  'Ends a turn as complete, interrupted or error, with the whole reply (null keeps what was stored) and, if wanted, its '
  'usage {prompt_tokens, completion_tokens, total_tokens, cost_micros, models, truncated}. {status, message_status, '
  'revision, reason}: finished, as interrupted when the lease had run out; duplicate (the same call again); lost (the '
  'turn ended otherwise, or the lease is another''s; nothing changed); rejected with the reason. Works in a deleted chat '
  'too. PT404 for a turn that the caller has not begun.';
