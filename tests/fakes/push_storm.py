"""The storm whose clients send by push_changes, and read on from the spans of their own pushes."""

import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from server.postgres.supervisor import Postgres
from tests.fakes.cluster import Caller, User, text
from tests.fakes.findings import Append, Key, changed_places
from tests.fakes.lines import Line
from tests.fakes.storm import Storm, Weather

Batches = Mapping[str, Sequence[Mapping[str, object]]]


class Device:
    """What one client holds, by its cursor. `spans` counts the times that it skipped its own changes."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.cursor = 0
        self.spans = 0
        self.held: dict[Key, int] = {}

    def pull(self, line: Line, chance: random.Random) -> bool:
        """Takes one page; whether there is more."""
        answer = line.until_heard(
            partial(Caller.pull, epoch=self.epoch, cursor=self.cursor, limit=5000), chance
        )
        self.epoch, self.cursor = answer["epoch"], answer["cursor"]
        self.held |= changed_places(answer)
        return bool(answer["more"])

    def heard(self, answer: Mapping[str, Any]) -> None:
        """Moves the cursor over a push's own changes, if it was where they begin."""
        if (self.epoch, self.cursor) != (answer["epoch"], answer["before"]):
            return
        self.spans += answer["head"] > answer["before"]
        self.cursor = answer["head"]
        self.held |= changed_places(answer) | _numbered(answer)


def _numbered(answer: Mapping[str, Any]) -> dict[Key, int]:
    """The changes of a push's new messages: the last ones of its span, in request order."""
    new = [
        ("message", batch["chat_id"], each["message_id"])
        for batch in answer["batches"]
        for each in batch["verdicts"]
        if each["status"] == "inserted"
    ]
    return {key: answer["head"] - len(new) + place for place, key in enumerate(new, 1)}


class PushStorm(Storm):
    """As `Storm`, with batches for up to three chats a call, some of them new, and titles beside them."""

    def __init__(self, user: User, weather: Weather, postgres: Postgres | None = None, seed: int = 1) -> None:
        super().__init__(user, weather, postgres, seed)
        self._floor = threading.Lock()
        self.devices: list[Device] = []

    def _run_beside(self, beside: list[Callable[[], None]]) -> None:
        super()._run_beside(beside)
        chance = random.Random(self._seed)
        with self._line() as line:
            for device in self.devices:
                while device.pull(line, chance):
                    pass
        self.told.devices = [each.held for each in self.devices]

    def _write(self, number: int) -> None:
        chance = random.Random(self._seed * 1000 + number)
        device = Device()
        left = self._weather.messages
        with self._line() as line:
            while left > 0:
                # Somebody who has the floor goes on alone while the others end their calls: then spans fit.
                with self._floor:
                    for _ in range(chance.choices([0, 3], [9, 1])[0]):
                        left -= self._push(line, chance, device)
                left -= self._push(line, chance, device)
        with self._lock:
            self.devices.append(device)

    def _push(self, line: Line, chance: random.Random, device: Device) -> int:
        """One push of an up-to-date device; how many messages it had."""
        while device.pull(line, chance):
            pass
        edits, batches = self._parcel(chance)
        asked = time.monotonic()
        answer = line.until_heard(partial(Caller.push, chats=edits, batches=batches), chance)
        heard = time.monotonic()
        device.heard(answer)
        assert [each["fault"] for each in answer["batches"]] == [None] * len(batches)
        for batch, sent in zip(answer["batches"], batches.values(), strict=True):
            ids = tuple(each["message_id"] for each in batch["verdicts"])
            assert ids == tuple(each["message_id"] for each in sent)
            numbers = tuple(each["sequence_num"] for each in batch["verdicts"])
            with self._lock:
                self.told.appends.append(Append(batch["chat_id"], ids, numbers, asked, heard))
                self._sent += len(ids)
                self._lock.notify_all()
        return sum(len(each) for each in batches.values())

    def _parcel(self, chance: random.Random) -> tuple[list[dict[str, object]], Batches]:
        chats = chance.sample(self._chats, k=chance.randint(1, 3))
        edits: list[dict[str, object]] = [
            {"chat_id": each, "title": str(chance.random())} for each in chats if chance.random() < 0.3
        ]
        if chance.random() < 0.1:
            chats.append(str(uuid.UUID(int=chance.getrandbits(128))))
            edits.insert(0, {"chat_id": chats[-1]})
        return edits, {
            each: [text() for _ in range(chance.randint(1, self._weather.largest_batch))] for each in chats
        }
