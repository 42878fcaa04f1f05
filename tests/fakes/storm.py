"""Clients that lose answers, die and come back, on a PostgreSQL that is killed under them; and what became of it all."""

import contextlib
import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from server.postgres.supervisor import Postgres
from tests.fakes.cluster import Caller, User, text
from tests.fakes.findings import Append, Findings, Told, changed_places, judge
from tests.fakes.functions import Function, functions
from tests.fakes.lines import Line

_PAUSE = 0.02
_PATIENCE = 60.0


@dataclass(frozen=True)
class Weather:
    """How much of what happens. A crash comes each time the clients have sent a further equal share."""

    clients: int = 16
    messages: int = 500
    largest_batch: int = 20
    chats: int = 4
    lost_answers: float = 0.2
    others: bool = True
    kills: bool = False
    crashes: int = 0


class Storm:
    """One run: `run` returns when every client heard of every message it sent."""

    def __init__(self, user: User, weather: Weather, postgres: Postgres | None = None, seed: int = 1) -> None:
        self._user = user
        self._weather = weather
        self._postgres = postgres
        self._seed = seed
        self._calm = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Condition()
        self.told = Told()
        self._sent = 0
        self._api: dict[str, Function] = {}
        self._chats: list[str] = []
        self.crashes = self.kills = self.pulls = 0

    def run(self) -> Findings:
        """Raises what any of the threads raised."""
        with self._user.signed_in() as caller:
            caller.connection.execute("set synchronous_commit = on")
            self._chats = [caller.new_chat() for _ in range(self._weather.chats)]
        with self._user.database.connect() as admin:
            self._api = functions(admin)
        beside: list[Callable[[], None]] = []
        if self._weather.others:
            beside += [self._delete, self._clear, self._reply]
        if self._weather.kills:
            beside.append(self._kill)
        if self._weather.crashes:
            beside.append(self._crash)
        with ThreadPoolExecutor() as poller:
            polling = poller.submit(self._poll)
            try:
                self._run_beside(beside)
            finally:
                self._over.set()
            polling.result(_PATIENCE)
        return judge(self._user, self.told)

    def _run_beside(self, beside: list[Callable[[], None]]) -> None:
        """Runs the clients to their end, and the others until then."""
        with (
            ThreadPoolExecutor(len(beside) + 1) as others,
            ThreadPoolExecutor(self._weather.clients) as clients,
        ):
            running = [others.submit(each) for each in beside]
            try:
                list(clients.map(self._write, range(self._weather.clients)))
            finally:
                with self._lock:
                    self._calm.set()
                    self._lock.notify_all()
            for each in running:
                each.result(_PATIENCE)

    def _write(self, number: int) -> None:
        chance = random.Random(self._seed * 1000 + number)
        left = self._weather.messages
        with self._line() as line:
            while left:
                batch = [text() for _ in range(min(left, chance.randint(1, self._weather.largest_batch)))]
                chat = chance.choice(self._chats)
                asked = time.monotonic()
                rows = line.until_heard(partial(Caller.append, chat_id=chat, messages=batch), chance)
                heard = time.monotonic()
                assert [row[0] for row in rows] == [each["message_id"] for each in batch]
                ids, numbers = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
                left -= len(batch)
                with self._lock:
                    self.told.appends.append(Append(chat, ids, numbers, asked, heard))
                    self._sent += len(batch)
                    self._lock.notify_all()

    def _line(self) -> Line:
        return Line(self._user, self._weather.lost_answers)

    def _poll(self) -> None:
        """Reads on from its cursor alone, as a device does, until it has all there is when all is over."""
        chance = random.Random(self._seed)
        epoch: str | None = None
        cursor = 0
        with self._line() as line:
            while True:
                over = self._over.is_set()
                answer = line.until_heard(partial(Caller.pull, epoch=epoch, cursor=cursor), chance)
                self.told.rewound += epoch is not None and answer["reset"]
                assert answer["reset"] or answer["cursor"] >= cursor
                epoch, cursor = answer["epoch"], answer["cursor"]
                self.told.mirror.update(changed_places(answer))
                self.pulls += 1
                if over and not answer["more"]:
                    return

    def _delete(self) -> None:
        chance = random.Random(self._seed + 1)
        with self._line() as line:
            while (done := self._some_append(chance)) is not None:
                ids = chance.sample(done.ids, k=min(2, len(done.ids)))
                request = {"p_chat_id": done.chat, "p_message_ids": ids}
                rows = line.until_heard(self._calling("delete_messages", request), chance)
                assert {row[2] for row in rows} == {"deleted"}
                self.told.deleted.update((done.chat, each) for each in ids)

    def _clear(self) -> None:
        chance = random.Random(self._seed + 2)
        with self._line() as line:
            while (done := self._some_append(chance)) is not None:
                through = min(done.numbers)
                request = {"p_chat_id": done.chat, "p_through": through}
                while line.until_heard(self._calling("clear_chat", request), chance)[0][0]["more"]:
                    pass
                with self._lock:
                    appends = list(self.told.appends)
                self.told.deleted.update(
                    (each.chat, message_id)
                    for each in appends
                    for message_id, number in zip(each.ids, each.numbers, strict=True)
                    if each.chat == done.chat and number <= through
                )
                # Clearing is for once in a while: the others shall have something left to delete.
                self._calm.wait(_PAUSE * 25)

    def _reply(self) -> None:
        chance = random.Random(self._seed + 3)
        with self._line() as line:
            while (done := self._some_append(chance)) is not None:
                turn, lease, reply = (str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(3))
                held = {"p_chat_id": done.chat, "p_turn_id": turn, "p_lease_id": lease}
                begin = {"p_user": None, "p_assistant": {"message_id": reply}}
                begun = line.until_heard(self._calling("begin_turn", held | begin), chance)[0][0]
                if begun["status"] != "begun":
                    continue
                for number in (1, 2):
                    checkpoint = {"p_checkpoint": number, "p_content": "so far"}
                    line.until_heard(self._calling("checkpoint_turn", held | checkpoint), chance)
                finish = {"p_status": "complete", "p_content": "all of it", "p_usage": {"total_tokens": 7}}
                ended = line.until_heard(self._calling("finish_turn", held | finish), chance)[0][0]
                if ended["status"] in {"finished", "duplicate"}:
                    self.told.finished.add((done.chat, reply))

    def _calling(self, name: str, request: dict[str, Any]) -> Callable[[Caller], list[tuple[Any, ...]]]:
        return lambda caller: self._api[name].run(caller.connection, request)

    def _some_append(self, chance: random.Random) -> Append | None:
        """Any acknowledged batch, when there is one; None when the storm is over."""
        with self._lock:
            self._lock.wait_for(lambda: bool(self.told.appends) or self._calm.is_set(), _PATIENCE)
            return None if self._calm.is_set() else chance.choice(self.told.appends)

    def _kill(self) -> None:
        """Ends a random connection again and again."""
        while not self._calm.wait(_PAUSE * 3):
            with contextlib.suppress(psycopg.OperationalError), self._user.database.connect() as admin:
                killed = admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                    "and pid <> pg_backend_pid() and backend_type = 'client backend' order by random() limit 1"
                ).fetchall()
                self.kills += len(killed)

    def _crash(self) -> None:
        """Stops PostgreSQL at once, without a checkpoint; its supervisor starts it again."""
        assert self._postgres is not None
        share = self._weather.clients * self._weather.messages / (self._weather.crashes + 1)
        for crash in range(1, self._weather.crashes + 1):
            with self._lock:
                self._lock.wait_for(partial(self._has_sent, crash * share), _PATIENCE)
            pid = self._postgres.pid
            assert pid is not None
            os.kill(pid, signal.SIGQUIT)
            self.crashes += 1
            while self._postgres.pid in (pid, None):
                self._calm.wait(_PAUSE)

    def _has_sent(self, messages: float) -> bool:
        return self._sent >= messages or self._calm.is_set()
