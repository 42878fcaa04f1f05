-- Lets people join the private topic of their own devices, and no other. Nobody may send: pokes come from the database.
-- Guarded: without realtime there is nobody to let in, and without its policy devices still find changes by polling.

do $$
begin
  if to_regclass('realtime.messages') is null or to_regprocedure('realtime.topic()') is null then
    return;
  end if;
  execute 'drop policy if exists "People hear of their own changes" on realtime.messages';
  execute $policy$
    create policy "People hear of their own changes" on realtime.messages
      for select to authenticated
      using (extension = 'broadcast' and (select realtime.topic()) = 'user:' || (select auth.uid())::text)
  $policy$;
exception when insufficient_privilege then
  raise warning 'realtime.messages belongs to another role: add the policy of this migration as that role.';
end
$$;
