"""A spoiled file is never taken for a sound one, and what is only here survives it (I33)."""

import random
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.rescue import salvage
from storage.store import Store
from tests.fakes import damage, inhabited
from tests.fakes.damage import Seen, Spoiled

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SEED = 20261121


class Patients:
    """One store twice, closed and as a killed process left it, and copies of both to be spoiled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = folder / "profile" / "homing.sqlite3"
        store = Store.open(path)
        inhabited.fill(store, synced=12)
        damage.copy(path, folder / "killed" / path.name)
        store.close()
        damage.copy(path, folder / "closed" / path.name)
        self._maps = {kind: damage.mapped(folder / kind / path.name) for kind in ("killed", "closed")}
        self.sound = damage.see(self.fresh("closed"))
        self._unsent = {each.message_id for each in self.sound.messages if each.sync_state != "synced"}

    def fresh(self, kind: str) -> Path:
        path = self._folder / "patient" / "homing.sqlite3"
        shutil.rmtree(path.parent, ignore_errors=True)
        damage.copy(self._folder / kind / path.name, path)
        return path

    def unharmed(self, kind: str, spoiled: Spoiled) -> set[str]:
        """The unsent messages of which every piece lies on some page that was not touched."""
        left: set[str] = set()
        for page in self._maps[kind]:
            if not page.is_touched(spoiled):
                left |= page.pieces
        return {name for name in self._unsent if left.issuperset(inhabited.pieces(name))}


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Patients:
    return Patients(tmp_path_factory.mktemp("patients"))


def suffer(patients: Patients, count: int, seed: int) -> Counter[str]:
    chance = random.Random(seed)
    outcomes: Counter[str] = Counter()
    for number in range(count):
        way = list(damage.WAYS)[number % len(damage.WAYS)]
        kind = "killed" if damage.WAYS[way][0] or number % 3 == 0 else "closed"
        path = patients.fresh(kind)
        spoiled = damage.spoil(path, way, chance)
        seen = damage.see(path)
        if seen.alarm is None:
            assert seen == patients.sound, f"silent: {spoiled} in the {kind} store, number {number}"
            outcomes["harmless"] += 1
        else:
            outcomes["noticed"] += 1
            cured = cure(path)
            assert cured.alarm is None, f"not cured: {spoiled}, number {number}: {cured.alarm}"
            lost = patients.unharmed(kind, spoiled) - {message.message_id for message in cured.messages}
            assert not lost, f"lost {lost}: {spoiled} in the {kind} store, number {number}"
            outcomes["kept"] += sum(message.sync_state != "synced" for message in cured.messages)
    return outcomes


def cure(path: Path) -> Seen:
    spoiled = path.read_bytes()
    rescue = salvage.rescue(path, NOW)
    assert rescue.aside.read_bytes() == spoiled
    return damage.see(path)


def test_no_damage_is_silent_and_what_is_only_here_survives_it(patients: Patients) -> None:
    outcomes = suffer(patients, 500, SEED)
    assert outcomes["noticed"] > 250
    assert outcomes["harmless"] > 50


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
def test_no_damage_is_silent_at_length(patients: Patients, seed: int) -> None:
    suffer(patients, 500, seed)
