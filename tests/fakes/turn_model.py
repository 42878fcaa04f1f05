"""The life of the turns of one chat, as a few lines of Python: what the server must answer and hold."""

from dataclasses import dataclass, field


@dataclass
class ModelTurn:
    """One turn. `live` says that its lease has not run out; `ended_with` what its holder finished it with."""

    lease: str
    status: str = "streaming"
    live: bool = True
    words: str = ""
    checkpoint: int = 0
    revision: int = 1
    billed: bool = False
    ended_with: tuple[str, str | None] | None = None
    deleted: bool = False

    def end(self, status: str, words: str | None = None) -> None:
        self.status, self.revision = status, self.revision + 1
        self.words = self.words if words is None else words


@dataclass
class ModelChat:
    """The turns by name, in the order of their beginnings. Answers are (status, status of the reply)."""

    turns: dict[str, ModelTurn] = field(default_factory=dict)
    deleted: bool = False

    @property
    def running(self) -> str | None:
        return next((name for name, turn in self.turns.items() if turn.status == "streaming"), None)

    def interrupt(self) -> None:
        """What a pull does, and every beginning first."""
        for turn in self.turns.values():
            if turn.status == "streaming" and not turn.live:
                turn.end("interrupted")

    def begin(self, name: str, lease: str) -> tuple[str, str | None]:
        if self.deleted:
            return ("PT410", None)
        self.interrupt()
        turn = self.turns.get(name)
        if turn is not None:
            if turn.status != "streaming":
                return ("ended", turn.status)
            return ("begun" if turn.lease == lease else "running", "streaming")
        if self.running is not None:
            return ("busy", "streaming")
        self.turns[name] = ModelTurn(lease)
        return ("begun", "streaming")

    def tell(self, name: str, lease: str, number: int, words: str | None) -> tuple[str, str | None]:
        turn = self.turns.get(name)
        if turn is None:
            return ("PT404", None)
        if turn.status != "streaming" or turn.lease != lease or not turn.live:
            return ("lost", turn.status)
        if words is None:
            return ("stored", turn.status)
        if number <= turn.checkpoint:
            return ("duplicate", turn.status)
        turn.checkpoint, turn.words, turn.revision = number, words, turn.revision + 1
        return ("stored", turn.status)

    def finish(self, name: str, lease: str, status: str, words: str | None) -> tuple[str, str | None]:
        turn = self.turns.get(name)
        if turn is None:
            return ("PT404", None)
        if turn.status != "streaming" or turn.lease != lease:
            same = turn.lease == lease and turn.ended_with == (status, words)
            return ("duplicate" if same else "lost", turn.status)
        turn.end(status if turn.live else "interrupted", words)
        turn.ended_with, turn.billed = (status, words), True
        return ("finished", turn.status)

    def delete(self, name: str) -> None:
        """Deletes the reply of a turn."""
        turn = self.turns.get(name)
        if self.deleted or turn is None or turn.deleted:
            return
        if turn.status == "streaming":
            turn.status = "interrupted"
        turn.words, turn.deleted, turn.revision = "", True, turn.revision + 1

    def stored(self) -> dict[str, tuple[str, int, str, bool]]:
        """Status, revision, words and bill of each reply, by its turn."""
        return {
            name: (turn.status, turn.revision, turn.words, turn.billed) for name, turn in self.turns.items()
        }
