"""A server that answers everything but one push: smaller and smaller calls find out what it chokes on."""

from sync.engine.parcels import Item

PATIENCE = 2
"""Failures of a push in a row, with other answers between, before its content is suspected."""


class Caution:
    """As long as other requests fail too, the server is ill and nobody's message is to blame."""

    def __init__(self) -> None:
        self._failures = 0
        self._answers = True
        self.most: int | None = None
        """So many items go in one call; None: as many as there are."""

    def server_answers(self) -> None:
        """Something else was answered since the last failure."""
        self._answers = True

    def passed(self) -> None:
        """A parcel went through in whole."""
        self._failures = 0
        self.most = None

    def suspect(self, attempt: tuple[Item, ...]) -> Item | None:
        """A call failed. The item that alone is left to blame, None while there is more to halve."""
        answers, self._answers = self._answers, False
        if not answers:
            return None
        self._failures += 1
        if self._failures < PATIENCE:
            return None
        if len(attempt) > 1:
            self.most = (len(attempt) + 1) // 2
            return None
        self.passed()
        return attempt[0]
