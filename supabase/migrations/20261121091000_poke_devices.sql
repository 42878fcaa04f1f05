-- Tells an owner's other devices that there is something to pull: once per transaction, on his private topic.
-- A hint only: whoever misses it pulls later.

create function homing.poke_devices() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  v_moved record;
begin
  for v_moved in select owner_id, head from moved loop
    -- Local to the transaction, so the next one pokes again.
    if coalesce(current_setting('homing.poked', true), '') <> v_moved.owner_id::text then
      perform set_config('homing.poked', v_moved.owner_id::text, true);
      perform realtime.send(
        jsonb_build_object('head', v_moved.head), 'changed', 'user:' || v_moved.owner_id::text, true);
    end if;
  end loop;
  return null;
end
$$;
revoke execute on function homing.poke_devices() from public;
comment on function homing.poke_devices() is 'Broadcasts the event changed with the new head.';

create trigger poke_devices after update on public.owner_heads
  referencing new table as moved
  for each statement execute function homing.poke_devices();
