"""The lock that makes one process of a profile the one that syncs it (I4)."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock


class EngineLock:
    """A file lock of the profile; the system frees it when its process dies."""

    def __init__(self, profile_dir: Path) -> None:
        self._path = profile_dir / "engine.lock"
        self._lock: BaseFileLock | None = None
        self.held = False

    def take(self) -> bool:
        """Whether this process has it now. Never waits."""
        from filelock import FileLock, Timeout

        if self._lock is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self._path, thread_local=False)
        if not self.held:
            try:
                self._lock.acquire(blocking=False)
                self.held = True
            except Timeout:
                self.held = False
        return self.held

    def release(self) -> None:
        """Let another process have it."""
        if self._lock is not None and self.held:
            self.held = False
            self._lock.release()
