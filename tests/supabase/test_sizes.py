"""How large a value is, as compact JSON, told in a time that grows with the value and no faster."""

import json
import time

import pytest

from tests.fakes.cluster import Database

VALUES = {
    "numbers": list(range(1_000)),
    "separators in a text": 'a,b:c "d", \\ "e": f' * 50,
    "objects": [{"a": 1, "b,": ["x,y: z", '"'] * 3, "c:": {}}] * 50,
    "backslashes": ["\\", '\\"', '"'] * 50,
    "nothing": [[], {}, "", None],
    "other scripts": {"ключ, раз": "значение: два", "键": "值"},
}


def _measured(database: Database, value: object) -> int:
    with database.connect() as admin:
        found = admin.execute("select homing.compact_octets(%s)", [json.dumps(value)]).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_is_as_large_as_a_client_writes_it(database: Database, value: object) -> None:
    written = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    assert _measured(database, value) == len(written)


def test_sixteen_times_the_numbers_take_about_sixteen_times_as_long(database: Database) -> None:
    def seconds(count: int) -> float:
        began = time.perf_counter()
        _measured(database, list(range(count)))
        return time.perf_counter() - began

    seconds(1_000)
    assert min(seconds(320_000) for _ in range(2)) < 64 * min(seconds(20_000) for _ in range(3))
