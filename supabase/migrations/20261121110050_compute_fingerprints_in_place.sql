-- The same fingerprint without the concatenation of a number and a text, which PostgreSQL counts as stable: in a function
-- declared immutable it kept the body from being inlined, and a call costs four times the computation.

create or replace function homing.fingerprint(p_sequence_num bigint, p_message_id text, p_revision bigint) returns bigint
language sql immutable
return ('x' || substr(md5(p_sequence_num::text || ':' || p_message_id || ':' || p_revision::text), 1, 16))::bit(64)::bigint;
