"""Saving projects: only what is sent changes, an address belongs to one of them, and edits arrive in any order."""

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.cluster import Caller, Database, refusal

FIELDS = "name, description, status, url_id, deleted"
TAKEN = "Another project has this address: choose another one."


def _stored(caller: Caller, project: str) -> tuple[object, ...]:
    return tuple(caller.rows(f"select {FIELDS} from public.projects where project_id = %s", project)[0])


def _verdicts(rows: list[tuple[Any, ...]]) -> list[object]:
    return [row[1] for row in rows]


@pytest.fixture
def phone(anna: Caller, database: Database) -> Iterator[Caller]:
    """Another device of Anna's."""
    user = anna.rows("select auth.uid()")[0][0]
    with database.as_user(str(user)) as caller:
        yield caller


def test_the_first_save_makes_the_project_and_later_ones_change_what_they_name(anna: Caller) -> None:
    project = str(uuid.uuid4())
    assert anna.save_projects({"project_id": project}) == [(uuid.UUID(project), "saved", None)]
    assert _stored(anna, project) == ("", "", "draft", None, False)
    anna.save_projects({"project_id": project, "name": "Shop", "description": "d", "status": "published"})
    anna.save_projects({"project_id": project.upper(), "url_id": "shop-1", "from_the_future": [1]})
    assert _stored(anna, project) == ("Shop", "d", "published", "shop-1", False)
    anna.save_projects({"project_id": project, "url_id": None, "deleted": True})
    assert _stored(anna, project) == ("Shop", "d", "published", None, True)


def test_a_retry_takes_no_change_number_and_a_change_takes_one(anna: Caller) -> None:
    project = {"project_id": str(uuid.uuid4()), "name": "x", "url_id": "y"}
    for _ in range(3):
        assert _verdicts(anna.save_projects(project, project)) == ["saved", "saved"]
    assert anna.rows("select head from public.owner_heads") == [(1,)]
    anna.save_projects(project | {"name": "y"})
    assert anna.rows("select change, head from public.projects join public.owner_heads using (owner_id)") == [
        (2, 2)
    ]


@pytest.mark.parametrize(
    "bad",
    [
        7,
        {},
        {"project_id": None},
        {"project_id": "not-a-uuid"},
        {"name": None},
        {"name": 7},
        {"name": "x" * 1001},
        {"description": None},
        {"description": "x" * 10_001},
        {"status": None},
        {"status": "deleted"},
        {"status": 1},
        {"url_id": 7},
        {"url_id": ""},
        {"url_id": "x" * 201},
        {"url_id": "../x"},
        {"url_id": "x\n"},
        {"deleted": None},
        {"deleted": "yes"},
    ],
    ids=str,
)
def test_one_bad_project_is_rejected_with_a_reason_and_the_others_are_saved(anna: Caller, bad: Any) -> None:
    projects = [str(uuid.uuid4()) for _ in range(3)]
    if isinstance(bad, dict) and bad and "project_id" not in bad:
        bad = {"project_id": projects[1], **bad}
    answer = anna.save_projects({"project_id": projects[0]}, bad, {"project_id": projects[2]})
    assert _verdicts(answer) == ["saved", "rejected", "saved"]
    assert answer[1][2].endswith(".")
    stored = {str(row[0]) for row in anna.rows("select project_id from public.projects")}
    assert stored == {projects[0], projects[2]}


def test_the_longest_fields_are_saved(anna: Caller) -> None:
    longest = {"name": "é" * 1000, "description": "é" * 10_000, "url_id": "A-z_0.~" * 28}
    assert _verdicts(anna.save_projects({"project_id": str(uuid.uuid4()), **longest})) == ["saved"]


@pytest.mark.parametrize(
    ("projects", "code"),
    [
        ("'{}'", "PT400"),
        ("null", "PT400"),
        ("(select jsonb_agg(i) from generate_series(1, 501) as i)", "PT413"),
    ],
)
def test_a_call_that_is_no_list_or_too_long_is_refused(anna: Caller, projects: str, code: str) -> None:
    assert refusal(lambda: anna.rows(f"select save_projects({projects})")) == code


def test_an_address_belongs_to_one_project_until_it_is_given_up(anna: Caller, bert: Caller) -> None:
    first, second, new = (str(uuid.uuid4()) for _ in range(3))
    anna.save_projects({"project_id": first, "url_id": "shop"}, {"project_id": second})
    wish = {"project_id": second, "url_id": "shop", "name": "Second"}
    assert anna.save_projects(wish, {"project_id": new, "url_id": "shop"}) == [
        (uuid.UUID(second), "rejected", TAKEN),
        (uuid.UUID(new), "rejected", TAKEN),
    ]
    assert _stored(anna, second) == ("", "", "draft", None, False)
    assert anna.rows("select count(*) from public.projects where project_id = %s", new) == [(0,)]
    assert _verdicts(bert.save_projects(wish)) == ["saved"]

    assert _verdicts(anna.save_projects({"project_id": first, "deleted": True}, wish)) == ["saved", "saved"]
    assert anna.save_projects({"project_id": first, "deleted": False})[0][1:] == ("rejected", TAKEN)
    restored = {"project_id": first, "deleted": False, "url_id": "shop-2"}
    assert _verdicts(anna.save_projects(restored)) == ["saved"]


def test_a_project_that_is_refused_and_then_right_in_one_call_is_saved(anna: Caller) -> None:
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    answer = anna.save_projects(
        {"project_id": first, "url_id": "a"},
        {"project_id": second, "url_id": "a"},
        {"project_id": second, "url_id": "b"},
    )
    assert _verdicts(answer) == ["saved", "rejected", "saved"]
    assert _stored(anna, second)[3] == "b"


def test_two_devices_that_want_one_address_get_it_once(anna: Caller, phone: Caller) -> None:
    answers: list[object] = []

    def save() -> None:
        answers.extend(_verdicts(phone.save_projects({"project_id": str(uuid.uuid4()), "url_id": "shop"})))

    with anna.connection.transaction():
        anna.save_projects({"project_id": str(uuid.uuid4()), "url_id": "shop"})
        other = threading.Thread(target=save)
        other.start()
    other.join()
    assert answers == ["rejected"]
    assert anna.rows("select count(*) from public.projects") == [(1,)]


def test_a_chat_may_name_a_project_that_is_not_there_yet(anna: Caller) -> None:
    project = str(uuid.uuid4())
    assert _verdicts(anna.save({"chat_id": str(uuid.uuid4()), "project_id": project})) == ["saved"]
    assert _verdicts(anna.save_projects({"project_id": project, "deleted": True})) == ["saved"]
    assert anna.rows("select project_id from public.chats") == [(uuid.UUID(project),)]


def test_projects_sync_in_order_of_their_changes_and_so_do_their_tombstones(anna: Caller) -> None:
    first, second = anna.new_project("First"), anna.new_project("Second")
    anna.save_projects({"project_id": first, "deleted": True})
    changes = anna.pull(None, 0)["changes"]
    assert [(each["change"], each["kind"], each["row"]["project_id"]) for each in changes] == [
        (2, "project", second),
        (3, "project", first),
    ]
    row = changes[1]["row"]
    assert row.pop("created_at").endswith("+00:00")
    assert row.pop("updated_at").endswith("+00:00")
    assert row == {
        "project_id": first, "name": "First", "description": "", "status": "draft", "url_id": None, "deleted": True,
    }  # fmt: skip


def test_a_stranger_with_the_same_id_makes_his_own_project(anna: Caller, bert: Caller) -> None:
    project = anna.new_project("Secret")
    before = anna.pull(None, 0)
    assert _verdicts(bert.save_projects({"project_id": project, "deleted": True})) == ["saved"]
    assert bert.rows("select name from public.projects") == [("",)]
    assert anna.pull(None, 0) == before
