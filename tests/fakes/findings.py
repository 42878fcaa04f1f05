"""What became of everything that a storm's clients were told; all zero when every promise was kept."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.cluster import User
from tests.fakes.ledger import faults

Key = tuple[Any, ...]
_IDENTITY = {
    "chat": ("chat_id",),
    "message": ("chat_id", "message_id"),
    "usage": ("chat_id", "message_id"),
    "project": ("project_id",),
    "snapshot": ("project_id",),
    "context": ("chat_id", "source"),
}


@dataclass(frozen=True)
class Append:
    """A batch and when its client first asked and first heard, by one clock for all clients."""

    chat: str
    ids: tuple[str, ...]
    numbers: tuple[int, ...]
    asked: float
    heard: float


@dataclass
class Told:
    """All that clients were told, `mirror`: what a device holds that only ever read on from its cursor, and `devices`:

    what those hold that also moved their cursors by the spans of their pushes.
    """

    appends: list[Append] = field(default_factory=list)
    deleted: set[tuple[str, str]] = field(default_factory=set)
    finished: set[tuple[str, str]] = field(default_factory=set)
    mirror: dict[Key, int] = field(default_factory=dict)
    devices: list[dict[Key, int]] = field(default_factory=list)
    rewound: int = 0


@dataclass
class Findings:
    """How often a promise was broken, and what the tables say themselves."""

    lost: int = 0
    doubled: int = 0
    gaps: int = 0
    out_of_order: int = 0
    missed: int = 0
    came_back: int = 0
    rewound: int = 0
    faults: list[str] = field(default_factory=list)


def changed_places(answer: Mapping[str, Any]) -> dict[Key, int]:
    """The change number of each row of a pull, by what identifies the row."""
    return {
        (each["kind"], *(each["row"][name] for name in _IDENTITY[each["kind"]])): each["change"]
        for each in answer["changes"]
    }


def judge(user: User, told: Told) -> Findings:
    """Compares what was told with what is stored."""
    with user.signed_in() as caller, user.database.connect() as admin:
        stored = caller.rows(
            "select chat_id::text, message_id, sequence_num, deleted_at is null, status from public.messages"
        )
        final: dict[Key, int] = {}
        epoch, cursor, more = None, 0, True
        while more:
            answer = caller.pull(epoch, cursor, 5000)
            epoch, cursor, more = answer["epoch"], answer["cursor"], answer["more"]
            final |= changed_places(answer)
        broken = faults(admin)
    numbers = {(chat, message_id): number for chat, message_id, number, _, _ in stored}
    living = {(chat, message_id) for chat, message_id, _, alive, _ in stored if alive}
    complete = {(chat, message_id) for chat, message_id, _, _, status in stored if status == "complete"}
    places = [(chat, number) for chat, _, number, _, _ in stored]
    return Findings(
        lost=_lost(told.appends, numbers) + len(told.finished - complete - told.deleted),
        doubled=len(places) - len(set(places)) + len(stored) - len(numbers),
        gaps=_gaps(set(places)),
        out_of_order=_out_of_order(told.appends),
        missed=sum(
            held.get(key) != change for held in (told.mirror, *told.devices) for key, change in final.items()
        ),
        came_back=len(told.deleted & living),
        rewound=told.rewound,
        faults=broken,
    )


def _lost(appends: Iterable[Append], numbers: Mapping[tuple[str, str], int]) -> int:
    return sum(
        numbers.get((each.chat, message_id)) != number
        for each in appends
        for message_id, number in zip(each.ids, each.numbers, strict=True)
    )


def _gaps(places: Set[tuple[str, int]]) -> int:
    last: dict[str, int] = {}
    for chat, number in places:
        last[chat] = max(number, last.get(chat, 0))
    return sum(last.values()) - len(places)


def _out_of_order(appends: list[Append]) -> int:
    """How many batches hold a number below one that was acknowledged before the batch was first sent."""
    wrong = 0
    for chat in {each.chat for each in appends}:
        here = [each for each in appends if each.chat == chat]
        by_answer = sorted(here, key=lambda each: each.heard)
        place = highest = 0
        for each in sorted(here, key=lambda each: each.asked):
            while by_answer[place].heard < each.asked:
                highest = max(highest, *by_answer[place].numbers)
                place += 1
            wrong += min(each.numbers) < highest
    return wrong
