-- Unpins resources of a chat. Their rows stay as tombstones without text, so that every device hears of it.

create function public.unpin_context(p_chat_id uuid, p_sources jsonb)
returns table (source text, status text, reason text)
language plpgsql volatile security definer
set search_path = '' set lock_timeout = '3s' set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_owner constant uuid := homing.caller();
  v_before bigint;
  v_head bigint;
  v_sent jsonb;
begin
  perform homing.require_batch(p_sources);
  perform homing.hold_open_chat(v_owner, p_chat_id);
  v_before := homing.lock_head(v_owner);
  v_head := v_before;
  for v_sent in select value from jsonb_array_elements(p_sources) loop
    source := case when jsonb_typeof(v_sent) = 'string' then v_sent #>> '{}' end;
    status := 'unpinned';
    reason := null;
    update public.chat_context as held set
      body = '', content_hash = homing.digest_of(''), octets = 0, deleted = true, updated_at = now(), change = v_head + 1
      where held.owner_id = v_owner and held.chat_id = p_chat_id and held.source = unpin_context.source
        and not held.deleted;
    if found then
      v_head := v_head + 1;
    elsif not exists (
      select from public.chat_context as held
      where held.owner_id = v_owner and held.chat_id = p_chat_id and held.source = unpin_context.source
    ) then
      status := 'rejected';
      reason := 'There is no such resource.';
    end if;
    return next;
  end loop;
  if v_head > v_before then
    update public.owner_heads set head = v_head where owner_id = v_owner;
  end if;
end
$$;
revoke execute on function public.unpin_context(uuid, jsonb) from public, anon;
grant execute on function public.unpin_context(uuid, jsonb) to authenticated;
comment on function public.unpin_context(uuid, jsonb) is
  'Unpins resources of a chat of the caller, named by their sources. One row each, in request order: unpinned, again '
  'too; or rejected, when there never was such a resource. No message changes. PT404, PT410 and PT413 as in '
  'append_messages.';
