"""Every function of the API, fuzzed: a verdict for each item or a documented error, and every promise kept."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from tests.fakes.bad_input import DOCUMENTED, POSTGRES_OWN, Known, argument, hostile_values
from tests.fakes.belongings import example, furnish
from tests.fakes.cluster import Cluster
from tests.fakes.functions import Function, JsonText, functions
from tests.fakes.ledger import Ledger

CALLS, MANY = 1_500, 250_000
"""As many come over HTTP (tests/server/test_fuzz.py), and the calls that are repeated and hostile besides: 5,000."""

Rows = list[tuple[Any, ...]]


@dataclass
class Range:
    """A database where Anna's connection is fired at and Bert's rows must not move."""

    admin: psycopg.Connection
    anna: str
    bert: str
    known: Known
    api: dict[str, Function]
    ledger: Ledger
    fired: int = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Whatever happens inside is undone."""
        with self.admin.transaction(force_rollback=True):
            yield

    def fire(self, function: Function, arguments: dict[str, Any]) -> Rows | psycopg.Error:
        """Calls as Anna; an error leaves the transaction as it was before the call."""
        self.fired += 1
        claims = json.dumps({"role": "authenticated", "sub": self.anna})
        try:
            with self.admin.transaction():
                self.admin.execute("select set_config('request.jwt.claims', %s, true)", [claims])
                self.admin.execute("set local role authenticated")
                rows = function.run(self.admin, arguments)
                self.admin.execute("reset role")
        except psycopg.Error as error:
            return error
        return rows


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Range]:
    with cluster.database() as database, database.connect() as admin:
        anna, bert = database.new_user(), database.new_user()
        with anna.signed_in() as caller, bert.signed_in() as other:
            known = furnish(caller.connection)
            furnish(other.connection)
        yield Range(admin, anna.user_id, bert.user_id, known, functions(admin), Ledger(admin))


@pytest.mark.parametrize("calls", [CALLS, pytest.param(MANY, marks=pytest.mark.long)])
def test_any_arguments_get_verdicts_or_documented_errors_and_break_no_promise(
    place: Range, calls: int
) -> None:
    # Two calls an example; what takes no JSON is soon exhausted.
    rich = [each for each in place.api.values() if any(one.kind == "jsonb" for one in each.parameters)]
    for function in place.api.values():
        _fuzz(place, function, calls // (2 * len(rich)) + 5)
    assert place.fired >= calls


def _fuzz(place: Range, function: Function, examples: int) -> None:
    arguments = st.fixed_dictionaries(
        {each.name: argument(each.name, each.kind, place.known) for each in function.parameters}
    )
    before = place.ledger.state(place.bert)

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(arguments)
    def fire(chosen: dict[str, Any]) -> None:
        with place.attempt():
            answer = place.fire(function, chosen)
            again = place.fire(function, chosen)
            _check_answer(answer, again, chosen)
            assert place.ledger.faults() == []
            assert place.ledger.state(place.bert) == before

    try:
        fire()
    except HypothesisException:
        raise
    except BaseException as error:
        error.add_note(f"in {function.name}")
        raise


def _check_answer(answer: Rows | psycopg.Error, again: Rows | psycopg.Error, chosen: dict[str, Any]) -> None:
    if isinstance(answer, psycopg.Error):
        _check_error(answer)
        return
    lists = {name: value for name, value in chosen.items() if name in _ITEM_LISTS}
    if "p_batches" in chosen:
        _check_push(answer[0][0], chosen)
    elif lists:
        [items] = lists.values()
        assert len(answer) == len(items)
        for row in answer:
            assert "rejected" not in row or str(row[-1]).endswith("."), row


def _check_push(answer: dict[str, Any], chosen: dict[str, Any]) -> None:
    for name in ("projects", "chats", "batches"):
        assert len(answer[name]) == len(chosen[f"p_{name}"])
    for batch, sent in zip(answer["batches"], chosen["p_batches"], strict=True):
        assert len(batch["verdicts"]) == (0 if batch["fault"] else len(sent["messages"]))
    verdicts = [*answer["projects"], *answer["chats"]]
    for verdict in verdicts + [each for batch in answer["batches"] for each in batch["verdicts"]]:
        assert verdict["status"] != "rejected" or verdict["reason"].endswith("."), verdict


_ITEM_LISTS = ("p_messages", "p_chats", "p_projects", "p_message_ids", "p_resources", "p_sources")


def _check_error(error: psycopg.Error) -> None:
    assert error.sqlstate in DOCUMENTED | POSTGRES_OWN, (error.sqlstate, str(error))
    if error.sqlstate in DOCUMENTED:
        assert error.diag.message_hint, str(error)
        assert str(error.diag.message_primary).endswith("."), str(error)


def test_the_same_call_again_changes_nothing(place: Range) -> None:
    for function in place.api.values():
        _repeat(place, function)


def _repeat(place: Range, function: Function) -> None:
    arguments = st.fixed_dictionaries(
        {
            each.name: argument(each.name, each.kind, place.known) | st.just(example(each.name, place.known))
            for each in function.parameters
        }
    )

    @settings(
        max_examples=20,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(arguments)
    def repeat(chosen: dict[str, Any]) -> None:
        chosen = {name: _once(value) for name, value in chosen.items()}
        with place.attempt():
            answer = place.fire(function, chosen)
            if isinstance(answer, psycopg.Error):
                return
            after = place.ledger.state(place.anna)
            again = place.fire(function, chosen)
            assert not isinstance(again, psycopg.Error), (function.name, again)
            assert place.ledger.state(place.anna) == after, function.name
            assert len(again) == len(answer)

    repeat()


def _once(value: Any) -> Any:
    """A list without items that name the same thing: two titles for one chat alternate whenever they are sent."""
    if not isinstance(value, list):
        return value
    ids = [_id(item) for item in value]
    return [item for place, item in enumerate(value) if ids[place] is None or ids[place] not in ids[:place]]


def _id(item: Any) -> Any:
    names = ("message_id", "chat_id", "project_id", "source")
    return next((item[name] for name in names if name in item), None) if isinstance(item, dict) else None


def test_hostile_json_anywhere_is_answered(place: Range) -> None:
    wrong = []
    for function in place.api.values():
        for parameter in function.parameters:
            if parameter.kind != "jsonb":
                continue
            others = {each.name: example(each.name, place.known) for each in function.parameters}
            for label, raw in hostile_values(parameter.name):
                with place.attempt():
                    answer = place.fire(function, others | {parameter.name: JsonText(raw)})
                    try:
                        if isinstance(answer, psycopg.Error):
                            _check_error(answer)
                    except AssertionError as fault:
                        wrong.append((function.name, parameter.name, label, str(fault)[:200]))
    assert wrong == []
