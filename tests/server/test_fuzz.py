"""Thousands of random calls over HTTP: documented errors only, no partial effect, and the server lives on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fakes.bad_input import HOSTILE, argument
from tests.fakes.belongings import example
from tests.fakes.functions import Function
from tests.fakes.served import Served
from tests.fakes.target import Target, body, target

CALLS, MANY = 1_500, 250_000
"""How many calls, in all."""

BATCHES = (
    "append_messages",
    "delete_messages",
    "save_chats",
    "save_projects",
    "pin_context",
    "unpin_context",
)

_RAW = [raw for raw in HOSTILE.values() if len(raw) < 1_000_000]


@dataclass(frozen=True)
class Call:
    """A request as it goes out, and how many items its list has when nothing of it was spoiled."""

    body: str
    content_type: str = "application/json"
    items: int | None = None


@pytest.fixture(scope="module")
def anna(served: Served) -> Iterator[Target]:
    with target(served) as fresh:
        yield fresh


def requests(function: Function, anna: Target) -> st.SearchStrategy[Call]:
    """Mostly arguments that a client could send, with a fault of the transport now and then."""
    arguments = st.fixed_dictionaries(
        {
            each.name: argument(each.name, each.kind, anna.known) | st.just(example(each.name, anna.known))
            for each in function.parameters
        }
    )
    spoiled = st.dictionaries(
        st.sampled_from([*(each.name for each in function.parameters), "p_other"]),
        st.sampled_from(_RAW),
        max_size=1,
    )
    left_out = st.sets(
        st.sampled_from([each.name for each in function.parameters] or ["p_other"]), max_size=1
    )
    kinds = st.sampled_from(["application/json"] * 15 + ["text/plain"])
    cut = st.sampled_from([None] * 15 + [0, 1, -1, -7])

    def made(parts: tuple[dict[str, Any], dict[str, str], set[str], str, int | None]) -> Call:
        given, wrong, missing, kind, end = parts
        chosen = {name: raw for name, raw in (_json(given) | wrong).items() if name not in missing}
        return Call(body(chosen)[:end], kind)

    def sane(given: dict[str, Any]) -> Call:
        items = next((len(value) for value in given.values() if isinstance(value, list)), None)
        return Call(body(_json(given)), items=items if function.name in BATCHES else None)

    fitting = arguments.map(sane)
    return fitting | fitting | st.tuples(arguments, spoiled, left_out, kinds, cut).map(made)


def _json(given: dict[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in given.items()}


@pytest.mark.parametrize("calls", [CALLS, pytest.param(MANY, marks=pytest.mark.long)])
def test_random_calls_get_documented_answers_and_leave_no_half_effects(anna: Target, calls: int) -> None:
    total = sum(len(each.parameters) for each in anna.api.values())
    for function in anna.api.values():
        _fuzz(anna, function, 5 + calls * len(function.parameters) // total)
    assert anna.fired >= calls
    assert anna.faults() == []
    assert anna.ask("GET", "/health").json() == {"status": "ok"}


def _fuzz(anna: Target, function: Function, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        # Shrinking a failure over HTTP takes minutes, and its whole call is told anyway.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(function, anna))
    def fire(call: Call) -> None:
        answer = anna.fire(function.name, call.body, **{"Content-Type": call.content_type})
        if answer.good and call.items is not None:
            _check(call.items, answer.json())

    fire()


def _check(items: int, answer: Any) -> None:
    """One row for each item of a batch, and a reason wherever the verdict is no."""
    assert len(answer) == items
    assert all(row["reason"] for row in answer if row["status"] in ("rejected", "conflict"))
