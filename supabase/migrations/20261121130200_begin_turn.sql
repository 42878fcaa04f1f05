-- Begins a turn: the question and an empty reply go in together, numbered in that order, and whoever holds the lease
-- writes the reply. The client names turn, lease and messages, so a repeated call begins nothing twice.

create function homing.require_turn_messages(p_question jsonb, p_reply jsonb) returns void
language plpgsql stable set search_path = ''
as $$
begin
  if coalesce(jsonb_typeof(p_question), 'object') <> 'object' or coalesce(jsonb_typeof(p_reply), 'null') <> 'object' then
    raise exception using errcode = 'PT400', message = 'The request has no reply, or a question that is no message.',
      hint = 'Send a message or null as p_user, and an object with message_id as p_assistant.';
  end if;
  perform homing.require_batch(jsonb_build_array(p_question, p_reply));
end
$$;
revoke execute on function homing.require_turn_messages(jsonb, jsonb) from public;
comment on function homing.require_turn_messages(jsonb, jsonb) is
  'Raises PT400 for what is no object and PT413 for more than 4 MiB. The question may be null.';

create function homing.turn_refusal(p_turn_id text, p_question jsonb, p_reply jsonb) returns text
language plpgsql stable set search_path = ''
as $$
declare
  v_question constant jsonb := p_question || '{"role": "user", "turn_id": null}';
  v_asked_at constant timestamptz := homing.moment(p_question ->> 'created_at');
begin
  return case
    when coalesce(jsonb_typeof(p_reply -> 'message_id'), 'null') <> 'string'
      or length(p_reply ->> 'message_id') not between 1 and 128
      then 'The reply has no usable id (1 to 128 characters).'
    when p_question is null then homing.reply_refusal(null, p_reply -> 'annotations')
    when coalesce(p_question -> 'role', '"user"') <> '"user"' then 'A turn begins with a message of the role user.'
    when coalesce(nullif(p_question -> 'turn_id', 'null'), to_jsonb(p_turn_id)) <> to_jsonb(p_turn_id)
      then 'The question belongs to another turn: leave p_user out to have it answered again.'
    when p_question -> 'message_id' = p_reply -> 'message_id' then 'Question and reply have the same id.'
    else coalesce(
      homing.message_refusal(v_question, v_asked_at), homing.reply_refusal(null, p_reply -> 'annotations'))
  end;
end
$$;
revoke execute on function homing.turn_refusal(text, jsonb, jsonb) from public;
comment on function homing.turn_refusal(text, jsonb, jsonb) is
  'Why a turn cannot begin with these messages, for people; null when it can. The question may be null.';

create function homing.turn_clash(p_owner uuid, p_chat_id uuid, p_turn_id text, p_question jsonb, p_reply_id text)
returns text
language plpgsql stable set search_path = ''
as $$
declare
  v_stored record;
begin
  if exists (
    select from public.messages where owner_id = p_owner and chat_id = p_chat_id and message_id = p_reply_id
  ) then
    return 'The id of the reply is taken by another message.';
  end if;
  select deleted_at, (role, content, annotations) is not distinct from
      ('user', homing.parts(p_question -> 'content'), nullif(p_question -> 'annotations', 'null')) as same
    into v_stored
    from public.messages
    where owner_id = p_owner and chat_id = p_chat_id and message_id = p_question ->> 'message_id';
  if found then
    return case
      when v_stored.deleted_at is not null then 'The question was deleted.'
      when not v_stored.same then 'Another text was sent before under the same id; that one was kept.'
    end;
  end if;
  if p_question is not null and homing.holder_of_turn(p_owner, p_chat_id, p_turn_id, 'user') is not null then
    return 'The turn has another question already.';
  end if;
  return null;
end
$$;
revoke execute on function homing.turn_clash(uuid, uuid, text, jsonb, text) from public;
comment on function homing.turn_clash(uuid, uuid, text, jsonb, text) is
  'Which stored message keeps a new turn from beginning, for people; null for none. A question that is stored already '
  'is used, whichever turn it came with.';

create function homing.claim_turn(p_owner uuid, p_chat_id uuid, p_turn_id text, p_lease_id uuid) returns public.turn_leases
language plpgsql volatile set search_path = ''
as $$
declare
  v_lease public.turn_leases;
begin
  update public.turn_leases set lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
    where owner_id = p_owner and chat_id = p_chat_id and turn_id = p_turn_id and lease_id = p_lease_id
      and ended_at is null
    returning * into v_lease;
  if not found then
    select * into v_lease from public.turn_leases
      where owner_id = p_owner and chat_id = p_chat_id and ended_at is null;
  end if;
  return v_lease;
end
$$;
revoke execute on function homing.claim_turn(uuid, uuid, text, uuid) from public;
comment on function homing.claim_turn(uuid, uuid, text, uuid) is
  'The lease of the chat''s running turn, renewed when it is the caller''s own; null when no turn runs.';

create function homing.insert_turn(p_owner uuid, p_chat_id uuid, p_turn_id text, p_question jsonb, p_reply jsonb)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_before bigint;
  v_last bigint;
  v_digest bigint;
  v_head bigint;
  v_sent record;
begin
  select last_sequence_num, last_sequence_num, digest into strict v_before, v_last, v_digest
    from public.chats where owner_id = p_owner and chat_id = p_chat_id;
  v_head := homing.lock_head(p_owner);
  for v_sent in
    select
      item ->> 'message_id' as id, role, status, homing.parts(coalesce(item -> 'content', '[]')) as content,
      nullif(item -> 'annotations', 'null') as annotations,
      coalesce(homing.moment(item ->> 'created_at'), now()) as created_at
    from (values
      (1, p_question, 'user', 'complete'),
      (2, p_reply - 'content' - 'created_at', 'assistant', 'streaming')
    ) as sent (place, item, role, status)
    where item is not null order by place
  loop
    insert into public.messages (
      owner_id, chat_id, message_id, sequence_num, role, content, annotations, turn_id, status, created_at, change, octets
    ) values (
      p_owner, p_chat_id, v_sent.id, v_last + 1, v_sent.role, v_sent.content, v_sent.annotations, p_turn_id,
      v_sent.status, v_sent.created_at, v_head + 1,
      octet_length(v_sent.content::text) + coalesce(octet_length(v_sent.annotations::text), 0)
    ) on conflict (owner_id, chat_id, message_id) do nothing;
    if found then
      v_last := v_last + 1;
      v_head := v_head + 1;
      v_digest := v_digest # homing.fingerprint(v_last, v_sent.id, 1);
    end if;
  end loop;
  update public.chats set
    last_sequence_num = v_last, digest = v_digest, message_count = message_count + v_last - v_before, updated_at = now()
    where owner_id = p_owner and chat_id = p_chat_id;
  update public.owner_heads set head = v_head where owner_id = p_owner;
end
$$;
revoke execute on function homing.insert_turn(uuid, uuid, text, jsonb, jsonb) from public;
comment on function homing.insert_turn(uuid, uuid, text, jsonb, jsonb) is
  'Stores the question, unless it is null or stored already, and the empty reply. The caller holds the chat.';

create function homing.turn_verdict(p_owner uuid, p_chat_id uuid, p_message_id text, p_before bigint) returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'message_id', message_id, 'sequence_num', sequence_num,
      'status', case when sequence_num > p_before then 'inserted' else 'duplicate' end)
    from public.messages where owner_id = p_owner and chat_id = p_chat_id and message_id = p_message_id
  );
end
$$;
revoke execute on function homing.turn_verdict(uuid, uuid, text, bigint) from public;
comment on function homing.turn_verdict(uuid, uuid, text, bigint) is
  'What begin_turn says of one message: those after number p_before came with the call.';

create function homing.turn_answer(
  p_owner uuid, p_chat_id uuid, p_turn_id text, p_status text, p_question_id text, p_before bigint
) returns jsonb
language plpgsql stable set search_path = '' set timezone = 'UTC'
as $$
declare
  v_reply_id constant text := homing.holder_of_turn(p_owner, p_chat_id, p_turn_id, 'assistant');
  v_question_id constant text :=
    coalesce(p_question_id, homing.holder_of_turn(p_owner, p_chat_id, p_turn_id, 'user'));
begin
  return jsonb_build_object(
    'status', p_status, 'turn_id', p_turn_id,
    'reason', case when p_status = 'busy' then 'Another reply is being written in this chat.' end,
    'message_status', (
      select status from public.messages
      where owner_id = p_owner and chat_id = p_chat_id and message_id = v_reply_id),
    'lease_until', (
      select lease_until from public.turn_leases
      where owner_id = p_owner and chat_id = p_chat_id and turn_id = p_turn_id and ended_at is null),
    'user', homing.turn_verdict(p_owner, p_chat_id, v_question_id, p_before),
    'assistant', homing.turn_verdict(p_owner, p_chat_id, v_reply_id, p_before)
  );
end
$$;
revoke execute on function homing.turn_answer(uuid, uuid, text, text, text, bigint) from public;
comment on function homing.turn_answer(uuid, uuid, text, text, text, bigint) is 'What begin_turn says of a stored turn.';

create function public.begin_turn(
  p_chat_id uuid, p_turn_id text, p_lease_id uuid, p_user jsonb, p_assistant jsonb, p_lease_seconds integer default 60
) returns jsonb
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
declare
  v_owner constant uuid := homing.caller();
  v_question constant jsonb := nullif(p_user, 'null');
  v_seconds constant integer := least(greatest(coalesce(p_lease_seconds, 60), 1), 600);
  v_reply_id text;
  v_chat public.chats;
  v_reason text;
  v_running public.turn_leases;
  v_status text;
begin
  perform homing.require_turn(p_chat_id, p_turn_id, p_lease_id);
  perform homing.require_turn_messages(v_question, p_assistant);
  v_reply_id := p_assistant ->> 'message_id';
  v_chat := homing.hold_open_chat(v_owner, p_chat_id);
  v_reason := homing.turn_refusal(p_turn_id, v_question, p_assistant);
  if v_reason is not null then
    return jsonb_build_object('status', 'rejected', 'turn_id', p_turn_id, 'reason', v_reason);
  end if;

  perform homing.interrupt_turn(v_owner, p_chat_id);
  v_running := homing.claim_turn(v_owner, p_chat_id, p_turn_id, p_lease_id);
  v_status := case
    when v_running.turn_id = p_turn_id then case when v_running.lease_id = p_lease_id then 'begun' else 'running' end
    when homing.holder_of_turn(v_owner, p_chat_id, p_turn_id, 'assistant') is not null then 'ended'
  end;
  if v_status is null and v_running.turn_id is not null then
    return homing.turn_answer(v_owner, p_chat_id, v_running.turn_id, 'busy', null, v_chat.last_sequence_num);
  end if;
  if v_status is null then
    v_reason := homing.turn_clash(v_owner, p_chat_id, p_turn_id, v_question, v_reply_id);
    if v_reason is not null then
      return jsonb_build_object('status', 'rejected', 'turn_id', p_turn_id, 'reason', v_reason);
    end if;
    perform homing.insert_turn(v_owner, p_chat_id, p_turn_id, v_question, p_assistant);
    insert into public.turn_leases (owner_id, chat_id, turn_id, lease_id, message_id, lease_seconds, lease_until)
      values (v_owner, p_chat_id, p_turn_id, p_lease_id, v_reply_id, v_seconds,
        clock_timestamp() + make_interval(secs => v_seconds));
    v_status := 'begun';
  end if;
  return homing.turn_answer(v_owner, p_chat_id, p_turn_id, v_status, v_question ->> 'message_id', v_chat.last_sequence_num);
end
$$;
revoke execute on function public.begin_turn(uuid, text, uuid, jsonb, jsonb, integer) from public, anon;
grant execute on function public.begin_turn(uuid, text, uuid, jsonb, jsonb, integer) to authenticated;
comment on function public.begin_turn(uuid, text, uuid, jsonb, jsonb, integer) is
  'Begins a turn with a question (a user''s message as append_messages takes it, or null to have a question answered '
  'again) and the empty reply {message_id, annotations?}, which streams while the lease of 1 to 600 seconds is renewed. '
  '{status, turn_id, lease_until, message_status, reason, user, assistant}: begun (again too, by the same lease); running '
  '(by another lease); busy (another turn runs, which is the one named); ended; rejected with the reason. user and '
  'assistant are {message_id, sequence_num, status}: inserted or duplicate. PT404 and PT410 as append_messages.';
