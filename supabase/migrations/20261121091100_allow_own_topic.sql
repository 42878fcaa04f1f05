-- Lets people join the private topic of their own devices, and no other. Nobody may send: pokes come from the database.
-- Guarded, because a database without realtime has nobody to let in.

do $$
begin
  if to_regclass('realtime.messages') is null or to_regprocedure('realtime.topic()') is null then
    return;
  end if;
  execute $policy$
    create policy "People hear of their own changes" on realtime.messages
      for select to authenticated
      using (extension = 'broadcast' and (select realtime.topic()) = 'user:' || (select auth.uid())::text)
  $policy$;
end
$$;
