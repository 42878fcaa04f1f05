-- Shows that the writer of a reply is alive and, when he sends text, keeps it, so that a crash leaves no empty bubble.
-- Without text it is a heartbeat: no lock of the chat, no change for other devices to pull.

create function homing.renew_lease(
  p_owner uuid, p_chat_id uuid, p_turn_id text, p_lease_id uuid, p_checkpoint bigint
) returns timestamptz
language plpgsql volatile set search_path = ''
as $$
declare
  v_until timestamptz;
begin
  update public.turn_leases set
    lease_until = clock_timestamp() + make_interval(secs => lease_seconds),
    checkpoint = greatest(checkpoint, p_checkpoint)
    where owner_id = p_owner and chat_id = p_chat_id and turn_id = p_turn_id and lease_id = p_lease_id
      and ended_at is null and lease_until >= clock_timestamp()
    returning lease_until into v_until;
  return v_until;
end
$$;
revoke execute on function homing.renew_lease(uuid, uuid, text, uuid, bigint) from public;
comment on function homing.renew_lease(uuid, uuid, text, uuid, bigint) is
  'Until when a lease that still lives now holds; null for one that does not.';

create function homing.require_checkpoint(p_checkpoint bigint, p_content jsonb, p_annotations jsonb) returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_reason text;
begin
  if p_checkpoint is null and not (p_content is null and p_annotations is null) then
    raise exception using errcode = 'PT400', message = 'The text has no checkpoint number.',
      hint = 'Send p_checkpoint, counting up from 1.';
  end if;
  perform homing.require_batch(jsonb_build_array(p_content, p_annotations));
  v_reason := homing.reply_refusal(p_content, p_annotations);
  if v_reason is not null then
    raise exception using errcode = 'PT400', message = v_reason, hint = 'Send a text that finish_turn would take.';
  end if;
end
$$;
revoke execute on function homing.require_checkpoint(bigint, jsonb, jsonb) from public;
comment on function homing.require_checkpoint(bigint, jsonb, jsonb) is
  'Raises PT400 for a text without a number or one that no reply can hold, and PT413 for more than 4 MiB.';

create function public.checkpoint_turn(
  p_chat_id uuid, p_turn_id text, p_lease_id uuid, p_checkpoint bigint, p_content jsonb default null,
  p_annotations jsonb default null
) returns jsonb
language plpgsql volatile security definer
set search_path = '' set timezone = 'UTC' set lock_timeout = '3s' set enable_seqscan = off
as $$
declare
  v_owner constant uuid := homing.caller();
  v_content constant jsonb := homing.reply_parts(nullif(p_content, 'null'));
  v_annotations constant jsonb := nullif(p_annotations, 'null');
  v_is_text constant boolean := v_content is not null or v_annotations is not null;
  v_lease public.turn_leases;
  v_until timestamptz;
begin
  perform homing.require_turn(p_chat_id, p_turn_id, p_lease_id);
  perform homing.require_checkpoint(p_checkpoint, v_content, v_annotations);
  if v_is_text then
    perform homing.hold_chat(v_owner, p_chat_id);
  end if;
  v_lease := homing.hold_turn(v_owner, p_chat_id, p_turn_id);
  v_until := homing.renew_lease(v_owner, p_chat_id, p_turn_id, p_lease_id, case when v_is_text then p_checkpoint end);
  if v_is_text and v_until is not null and p_checkpoint > v_lease.checkpoint then
    perform homing.write_reply(v_owner, p_chat_id, v_lease.message_id, 'streaming', v_content, v_annotations);
  end if;
  return (
    select jsonb_build_object(
      'status', case
        when v_until is null then 'lost'
        when v_is_text and p_checkpoint <= v_lease.checkpoint then 'duplicate'
        else 'stored'
      end,
      'revision', revision, 'message_status', status, 'lease_until', v_until)
    from public.messages
    where owner_id = v_owner and chat_id = p_chat_id and message_id = v_lease.message_id
  );
end
$$;
revoke execute on function public.checkpoint_turn(uuid, text, uuid, bigint, jsonb, jsonb) from public, anon;
grant execute on function public.checkpoint_turn(uuid, text, uuid, bigint, jsonb, jsonb) to authenticated;
comment on function public.checkpoint_turn(uuid, text, uuid, bigint, jsonb, jsonb) is
  'Renews the lease of a turn and stores what its reply holds so far, if p_content or p_annotations is given and '
  'p_checkpoint is greater than any before; what is null stays. {status, revision, message_status, lease_until}: stored, '
  'duplicate, or lost when the turn ended or the lease ran out or is another''s. Works in a deleted chat too. PT404 for a '
  'turn that the caller has not begun.';
