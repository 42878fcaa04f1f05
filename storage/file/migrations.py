"""The steps that bring a file to the current schema, one function each; a step is never edited once it is released."""

from typing import Final

from sqlite_utils import Database, Migrations

from storage.file import first_light, ranges
from storage.file.steps import MIGRATION_SET

MIGRATIONS: Final = Migrations(MIGRATION_SET)


@MIGRATIONS()
def m0001_first_light(db: Database) -> None:
    """Accounts, chats, messages, drafts and settings."""
    for statement in first_light.STATEMENTS:
        db.execute(statement)


@MIGRATIONS()
def m0002_ranges(db: Database) -> None:
    """History as ranges of numbers, projects, context, usage, snapshots, conflicts and errands."""
    for statement in ranges.STATEMENTS:
        db.execute(statement)
