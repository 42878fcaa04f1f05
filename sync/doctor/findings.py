"""What the doctor says: one finding a check, in one line for people."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. Only a failure makes the examination fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome. The words of a warning and of a failure end in what to do."""

    check: str
    level: Level
    words: str


def ok(check: str, words: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, words)


def warn(check: str, words: str) -> Finding:
    """It works, and should be seen to."""
    return Finding(check, Level.WARN, words)


def fail(check: str, words: str) -> Finding:
    """Homing does not work rightly, or not safely, with this server."""
    return Finding(check, Level.FAIL, words)
