"""A message's whole way through the server, in a chat of the doctor's own that is deleted before and after."""

import time
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID, uuid5

from pydantic import BaseModel, TypeAdapter, ValidationError

from sync.doctor.findings import Finding, fail, ok
from sync.doctor.person import Examined

TITLE: Final = "Homing's own check, which may be deleted"

_NAMESPACE: Final = UUID("6f1d2f5e-6c0f-5c55-9d3c-6f0b2f1f0c11")
_REMEDY: Final = "apply the migrations anew, or ask who runs the server"

T = TypeVar("T")


class TripFailed(Exception):
    """A step did not answer as it must. `str()` names it for people."""


class _Saved(BaseModel):
    chat_id: str
    status: str


class _Appended(BaseModel):
    message_id: str
    status: str
    sequence_num: int


class _Listed(BaseModel):
    message_id: str
    sequence_num: int


class _Change(BaseModel):
    kind: str
    row: dict[str, object]


class _Page(BaseModel):
    epoch: str
    head: int
    changes: list[_Change]


_SAVED: Final = TypeAdapter(list[_Saved])
_APPENDED: Final = TypeAdapter(list[_Appended])
_LISTED: Final = TypeAdapter(list[_Listed])
_COUNT: Final = TypeAdapter(int)
_PAGE: Final = TypeAdapter(_Page)


def chat_of(user_id: str) -> str:
    """The doctor's chat of a person: always the same one, so that examinations leave no more than one behind."""
    return str(uuid5(_NAMESPACE, user_id))


async def touch(examined: Examined) -> None:
    """Make a change that no device shows: another title for the doctor's deleted chat. Raises TripFailed."""
    await _Trip(examined, chat_of(examined.login.user_id)).save(deleted=True)


async def made(examined: Examined) -> Finding:
    """Append, append again, list, count, pull. The message has the day's id, so that a day leaves one row at most."""
    trip = _Trip(examined, chat_of(examined.login.user_id))
    began = time.perf_counter()
    try:
        try:
            await trip.go()
        finally:
            await trip.save(deleted=True)
    except TripFailed as error:
        return fail("round_trip", f"{error}: {_REMEDY}.")
    spent = (time.perf_counter() - began) * 1000
    return ok("round_trip", f"append, repeat, list, count and pull agree; {spent:.0f} ms in all")


@dataclass(frozen=True, slots=True)
class _Trip:
    examined: Examined
    chat: str

    async def go(self) -> None:
        before = await self._ask(_PAGE, "pull_changes", p_epoch=None, p_cursor=0, p_limit=1)
        await self.save(deleted=False)
        message = time.strftime("doctor-%Y-%m-%d", time.gmtime())
        await self._append(message)
        after = await self._ask(
            _PAGE, "pull_changes", p_epoch=before.epoch, p_cursor=before.head, p_limit=500
        )
        changed = [change.row.get("chat_id") for change in after.changes if change.kind == "chat"]
        _require(self.chat in changed, "pull_changes lacks a chat that was just changed")

    async def save(self, *, deleted: bool) -> None:
        # Archived besides, so that the moment in between does not show in a list of chats.
        edit = {
            "chat_id": self.chat,
            "title": f"{TITLE} ({time.time_ns()})",
            "archived": True,
            "deleted": deleted,
        }
        rows = await self._ask(_SAVED, "save_chats", p_chats=[edit])
        _require([row.status for row in rows] == ["saved"], "save_chats does not save a chat")

    async def _append(self, message_id: str) -> None:
        message = {"message_id": message_id, "role": "user", "content": "?"}
        chat, messages = {"p_chat_id": self.chat}, [message]
        (first,) = await self._ask(_APPENDED, "append_messages", **chat, p_messages=messages)
        _require(
            first.status in ("inserted", "duplicate"), f"append_messages says {first.status} to a new message"
        )
        (again,) = await self._ask(_APPENDED, "append_messages", **chat, p_messages=messages)
        _require(
            (again.status, again.sequence_num) == ("duplicate", first.sequence_num),
            "append_messages does not know a message again",
        )
        listed = await self._ask(_LISTED, "list_messages", **chat, p_before=first.sequence_num + 1, p_limit=1)
        _require(
            [row.message_id for row in listed] == [message_id],
            "list_messages lacks a message that was just appended",
        )
        count = await self._ask(_COUNT, "count_messages", **chat)
        _require(count >= 1, "count_messages does not count a message that was just appended")

    async def _ask(self, adapter: TypeAdapter[T], function: str, **arguments: object) -> T:
        answer = await self.examined.call(function, **arguments)
        if answer.fault is not None:
            raise TripFailed(f"{function} fails ({answer.code or answer.status})")
        try:
            return adapter.validate_python(answer.data)
        except ValidationError:
            raise TripFailed(f"{function} answers in a shape of its own") from None


def _require(held: bool, otherwise: str) -> None:
    if not held:
        raise TripFailed(otherwise)
