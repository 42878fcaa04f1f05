-- Somebody may hold a token of an account that is not there any more: one made after the backup that was put back.
-- An owner's head comes before everything else that is his, so one place tells it. Nothing else changes.

create or replace function homing.ensure_head(p_owner uuid) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  insert into public.owner_heads (owner_id) values (p_owner) on conflict (owner_id) do nothing;
exception when foreign_key_violation then
  raise exception using errcode = 'PT401', message = 'This account is not on the server any more.',
    hint = 'Sign in again, or sign up anew.';
end
$$;
comment on function homing.ensure_head(uuid) is
  'Gives a new owner his head. Raises PT401 when there is no such account. Locks nothing of an owner who has one.';

create or replace function homing.lock_chats(p_owner uuid, p_chats jsonb) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_chat_id uuid;
begin
  perform homing.ensure_head(p_owner);
  for v_chat_id in
    select distinct (item ->> 'chat_id')::uuid
    from jsonb_array_elements(p_chats) as item
    where homing.chat_refusal(item) is null
    order by 1
  loop
    insert into public.chats (owner_id, chat_id) values (p_owner, v_chat_id) on conflict (owner_id, chat_id) do nothing;
    if not found then
      perform from public.chats where owner_id = p_owner and chat_id = v_chat_id for no key update;
    end if;
  end loop;
end
$$;
