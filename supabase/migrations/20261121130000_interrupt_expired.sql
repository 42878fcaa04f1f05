-- A reply whose writer fell silent becomes interrupted, with the text that it had. Whoever pulls finds such replies and
-- waits for nobody: what somebody else holds just now is left for the next pull.
-- The server's clock is read when a lease is judged: now() is older than a wait for a lock.

create function homing.write_reply(
  p_owner uuid, p_chat_id uuid, p_message_id text, p_status text, p_content jsonb, p_annotations jsonb
) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  update public.messages set
    status = p_status, content = coalesce(p_content, content), annotations = coalesce(p_annotations, annotations),
    octets = octet_length(coalesce(p_content, content)::text)
      + coalesce(octet_length(coalesce(p_annotations, annotations)::text), 0)
    where owner_id = p_owner and chat_id = p_chat_id and message_id = p_message_id and status = 'streaming';
  if found then
    perform homing.restamp_messages(p_owner, p_chat_id, array[p_message_id]);
  end if;
end
$$;
revoke execute on function homing.write_reply(uuid, uuid, text, text, jsonb, jsonb) from public;
comment on function homing.write_reply(uuid, uuid, text, text, jsonb, jsonb) is
  'Gives a streaming reply its status and whatever is not null of its body. The caller holds the chat and the lease.';

create function homing.interrupt_turn(p_owner uuid, p_chat_id uuid) returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  v_message_id text;
begin
  -- Who holds the row without the chat is a heartbeat, and then the lease lives.
  select message_id into v_message_id from public.turn_leases
    where owner_id = p_owner and chat_id = p_chat_id and ended_at is null and lease_until < clock_timestamp()
    for no key update skip locked;
  if not found then
    return false;
  end if;
  perform homing.write_reply(p_owner, p_chat_id, v_message_id, 'interrupted', null, null);
  return true;
end
$$;
revoke execute on function homing.interrupt_turn(uuid, uuid) from public;
comment on function homing.interrupt_turn(uuid, uuid) is
  'Interrupts the chat''s running turn if its lease ran out. The caller holds the chat.';

create function homing.try_hold_chat(p_owner uuid, p_chat_id uuid) returns boolean
language plpgsql volatile set search_path = ''
as $$
begin
  if not pg_try_advisory_xact_lock(hashtextextended(p_chat_id::text, hashtextextended(p_owner::text, 0))) then
    return false;
  end if;
  perform from public.chats where owner_id = p_owner and chat_id = p_chat_id for no key update skip locked;
  return found;
end
$$;
revoke execute on function homing.try_hold_chat(uuid, uuid) from public;
comment on function homing.try_hold_chat(uuid, uuid) is
  'Takes the locks of homing.lock_chat and of the chat''s row; false when somebody else has one of them.';

create function homing.interrupt_expired(p_owner uuid) returns integer
language plpgsql volatile set search_path = '' set enable_seqscan = off
as $$
declare
  v_chat_id uuid;
  v_interrupted integer := 0;
begin
  -- Where nothing can be written, and where another level would fail on a row that moved, readers still get an answer.
  if current_setting('transaction_isolation') <> 'read committed' or current_setting('transaction_read_only') = 'on' then
    return 0;
  end if;
  for v_chat_id in
    select chat_id from public.turn_leases
    where owner_id = p_owner and ended_at is null and lease_until < clock_timestamp()
    order by chat_id limit 100
  loop
    continue when not homing.try_hold_chat(p_owner, v_chat_id);
    perform from public.owner_heads where owner_id = p_owner for no key update skip locked;
    exit when not found;
    v_interrupted := v_interrupted + homing.interrupt_turn(p_owner, v_chat_id)::integer;
  end loop;
  return v_interrupted;
end
$$;
revoke execute on function homing.interrupt_expired(uuid) from public;
comment on function homing.interrupt_expired(uuid) is
  'Interrupts turns of the owner whose leases ran out, those of deleted chats too, and tells how many: at most 100, and '
  'none for which it would have to wait.';
