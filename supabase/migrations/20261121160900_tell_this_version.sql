-- The newest migration of this release, for `homing doctor --server`.

create or replace function homing.schema_version() returns text
language sql immutable
return '20261121160900';
