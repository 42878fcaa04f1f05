"""Makes a file ready to be opened as a store: finishes what a crash interrupted, looks for damage, migrates."""

from pathlib import Path

from storage.clock import utc_now
from storage.file import connections, logs, replacing, suspicion
from storage.file.schema import is_current
from storage.file.translate import translated


def prepare(path: Path) -> None:
    """Creates the folder and brings the file to the current schema. Raises StoreUnavailable's kinds."""
    with translated(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replacing.finish(path)
        log = logs.left(path)
    current = is_current(path)
    if log is not None:
        logs.refuse_damage(path, log)
    with translated(path):
        suspicion.settle(path)
    if not current:
        if path.exists():
            _back_up(path)
        connections.migrate(path)


def _back_up(path: Path) -> None:
    from storage.file import backups

    backups.make(path, utc_now(), backups.Kind.MIGRATION)
