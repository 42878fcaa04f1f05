"""The SQLite file itself: opened, migrated, written by one thread, backed up, examined and rescued."""
