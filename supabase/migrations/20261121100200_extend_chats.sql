-- How far a chat was read, and where a fork came from. No foreign key to the other chat: a fork outlives what it came from.

alter table public.chats
  add column read_upto bigint not null default 0 constraint chats_read_counts check (read_upto >= 0),
  add column marked_unread boolean not null default false,
  add column forked_from_chat_id uuid,
  add column forked_from_sequence_num bigint;
comment on column public.chats.read_upto is 'The last number that its owner has seen on any device; it only grows.';
comment on column public.chats.marked_unread is 'Whether the owner wants to come back to it, however far it was read.';
comment on column public.chats.forked_from_sequence_num is 'The last number that was copied from the other chat.';
