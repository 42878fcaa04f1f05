-- A look-up by primary key shares its first columns with the other indexes of its table. Where statistics say that an
-- owner or a chat has about one row, PostgreSQL finds them equally good and reads every row of a large owner or chat.
-- It never considers a partial index whose predicate the query does not state: so these are partial, by a predicate that
-- is always true, and only what goes by number says it.

drop index public.chats_by_change;
create unique index chats_by_change on public.chats (owner_id, change) where change > 0;
drop index public.messages_by_change;
create unique index messages_by_change on public.messages (owner_id, change) where change > 0;
drop index public.messages_by_sequence;
create unique index messages_by_sequence on public.messages (owner_id, chat_id, sequence_num) where sequence_num > 0;
comment on index public.chats_by_change is 'For queries that say change > 0.';
comment on index public.messages_by_change is 'For queries that say change > 0.';
comment on index public.messages_by_sequence is 'For queries that say sequence_num > 0.';
