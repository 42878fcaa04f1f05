-- What a tombstone still has to know, and where a copied message came from.

alter table public.messages
  add column erased_digest bytea,
  add column copied_from text;
comment on column public.messages.erased_digest is
  'homing.body_digest of what was sent, once the row no longer holds it: tells a retry from another text.';
comment on column public.messages.copied_from is 'The message''s id in the chat that this one was forked from.';

create function homing.body_digest(p_role text, p_content jsonb, p_annotations jsonb, p_turn_id text) returns bytea
language sql stable
return sha256(convert_to(jsonb_build_array(p_role, p_content, p_annotations, p_turn_id)::text, 'UTF8'));
revoke execute on function homing.body_digest(text, jsonb, jsonb, text) from public;
comment on function homing.body_digest(text, jsonb, jsonb, text) is 'What makes two messages of one id the same.';
