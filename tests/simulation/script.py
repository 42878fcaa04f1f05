"""What people and fate do in a session: drawn from a seed, or written down, so that it can be shrunk and kept."""

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from random import Random

from tests.simulation.faults import Faults, draw_faults


class Kind(StrEnum):
    """One thing that a person does at a device, or that befalls it or the server."""

    WRITE = "write"
    NEW_CHAT = "new-chat"
    CRASH = "crash"
    FLAP = "flap"
    SIGN_OUT = "sign-out"
    SWITCH = "switch"
    ADOPT = "adopt"
    RENAME = "rename"
    DELETE_CHAT = "delete-chat"
    ERASE = "erase"
    CLEAR = "clear"
    SAME_ID = "same-id"
    RESOLVE = "resolve"
    RETRY = "retry"
    LOOK = "look"
    ROUND = "round"
    PROJECT = "project"
    PIN = "pin"
    SLEEP = "sleep"
    FULL = "full"
    AWAY = "away"
    CORRUPT = "corrupt"
    BACK_UP = "back-up"
    RESTORE = "restore"
    TOMBSTONE = "tombstone"
    FOREIGN = "foreign"
    USAGE = "usage"
    UPGRADE = "upgrade"
    EARLIER = "earlier"


FATES: tuple[Kind, ...] = tuple(
    kind for kind in Kind if kind not in (Kind.WRITE, Kind.NEW_CHAT, Kind.UPGRADE, Kind.RESTORE, Kind.EARLIER)
)


@dataclass(frozen=True)
class Act:
    """At a virtual second, at one of the devices; `salt` draws the particulars, so that no act depends on another."""

    at: float
    device: int
    kind: Kind
    salt: int


@dataclass(frozen=True)
class Script:
    """All of a session but what its engines decide. `starts` has one virtual second per device."""

    seed: int
    faults: Faults
    acts: tuple[Act, ...]
    starts: tuple[float, ...]
    storm: float
    accounts: int = 1
    modern: bool = True
    most_messages: int = 6
    most_rows: int = 1000


def draw(seed: int, *, long: bool = False) -> Script:
    """Most sessions are short and few are long: so many seeds fit in a minute, and long tangles occur too."""
    random = Random(seed)
    length = 1.0 if long else random.random()
    if length < 0.78:
        count, storm, devices = random.randint(2, 5), 3 + random.random() * 7, random.choice((2, 2, 2, 3))
    elif length < 0.97:
        count, storm, devices = random.randint(6, 9), 8 + random.random() * 20, random.choice((2, 3))
    else:
        count, storm, devices = random.randint(16, 28), 30 + random.random() * 60, 3
    modern = random.random() < 0.88
    fates: list[Kind] = random.sample(FATES, random.choice((1, 2, 3, 4)))
    if Kind.BACK_UP in fates:
        fates.append(Kind.RESTORE)
    if not modern:
        fates.append(Kind.UPGRADE)
    if seed % 10 == 0:
        fates.append(Kind.EARLIER)
    acts = [
        Act(
            round(random.random() * storm, 3),
            random.randrange(devices),
            random.choice(fates)
            if random.random() < 0.5
            else random.choice((Kind.WRITE, Kind.WRITE, Kind.NEW_CHAT)),
            random.getrandbits(32),
        )
        for _ in range(count)
    ]
    starts = [round(random.random() * 2, 3) for _ in range(devices)]
    if random.random() < 0.3:
        starts[-1] = round(storm, 3)
    return Script(
        seed,
        draw_faults(random),
        tuple(sorted(acts, key=lambda act: act.at)),
        tuple(starts),
        storm,
        accounts=2 if Kind.SWITCH in fates else 1,
        modern=modern,
        most_messages=random.choice((3, 6, 6)),
        most_rows=random.choice((2, 5, 1000, 1000)),
    )


def dump(script: Script) -> str:
    """One line, for the library of scripts that once failed."""
    fields = asdict(script)
    fields["faults"] = {name: value for name, value in asdict(script.faults).items() if value}
    fields["acts"] = [[act.at, act.device, act.kind.value, act.salt] for act in script.acts]
    return json.dumps(fields, separators=(",", ":"))


def load(line: str) -> Script:
    """What `dump` wrote."""
    fields = json.loads(line)
    fields["faults"] = Faults(**fields["faults"])
    fields["acts"] = tuple(Act(at, device, Kind(kind), salt) for at, device, kind, salt in fields["acts"])
    fields["starts"] = tuple(fields["starts"])
    return Script(**fields)


def smaller(script: Script) -> list[Script]:
    """Every script with one act or one kind of bad weather less."""
    fewer = [
        replace(script, acts=script.acts[:index] + script.acts[index + 1 :])
        for index in range(len(script.acts))
    ]
    calmer = [
        replace(script, faults=replace(script.faults, **{name: 0.0}))
        for name, value in asdict(script.faults).items()
        if value
    ]
    return fewer + calmer
