-- Whatever changes a stored message ends here, so that every device hears of it and the chat's digest stays right.

create function homing.restamp_messages(p_owner uuid, p_chat_id uuid, p_message_ids text[]) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_head bigint := homing.lock_head(p_owner);
  v_id text;
  v_stamped record;
  v_difference bigint := 0;
begin
  foreach v_id in array p_message_ids loop
    v_head := v_head + 1;
    update public.messages set revision = revision + 1, change = v_head
      where owner_id = p_owner and chat_id = p_chat_id and message_id = v_id
      returning sequence_num, revision into strict v_stamped;
    v_difference := v_difference
      # homing.fingerprint(v_stamped.sequence_num, v_id, v_stamped.revision - 1)
      # homing.fingerprint(v_stamped.sequence_num, v_id, v_stamped.revision);
  end loop;
  if cardinality(p_message_ids) > 0 then
    update public.chats set digest = digest # v_difference where owner_id = p_owner and chat_id = p_chat_id;
    update public.owner_heads set head = v_head where owner_id = p_owner;
  end if;
end
$$;
revoke execute on function homing.restamp_messages(uuid, uuid, text[]) from public;
comment on function homing.restamp_messages(uuid, uuid, text[]) is
  'Gives messages of one chat their next revision and change, in the order given, and moves the chat''s digest and the '
  'owner''s head. Call it once at the end, with the chat locked: it takes the head, which is the last lock.';
