"""Snapshots of a project's files: content-addressed, capped, and never lost to a device that did not see the last one."""

import hashlib
import json
import uuid
from functools import partial
from typing import Any

import pytest

from storage.digests import measured
from tests.fakes.cluster import Caller, refusal

CAP, WARNING = 50_000_000, 45_000_000
EMPTY_FILE = len('[{"a": ""}, null]')

FILES = {"src/app.ts": {"type": "file", "content": "let a = 1", "isBinary": False}, "src": None}
AS_STORED = '[{"src": null, "src/app.ts": {"type": "file", "content": "let a = 1", "isBinary": false}}, "s"]'


@pytest.fixture
def project(anna: Caller) -> str:
    return anna.new_project("Shop")


def _save_large(caller: Caller, project: str, octets: int) -> Any:
    """Saves a snapshot of just that size, which the server makes itself."""
    call = "select save_snapshot(%s, jsonb_build_object('files', jsonb_build_object('a', repeat('x', %s))))"
    return caller.rows(call, project, octets - EMPTY_FILE)[0][0]


def test_what_was_saved_comes_back_with_the_hash_of_it(anna: Caller, project: str) -> None:
    expected = hashlib.sha256(AS_STORED.encode()).hexdigest()
    answer = anna.save_snapshot(project, {"files": FILES, "summary": "s", "from_the_future": 1})
    assert answer == {
        "status": "saved", "content_hash": expected, "octets": len(AS_STORED), "revision": 1,
        "warning": None, "reason": None,
    }  # fmt: skip
    snapshot = anna.get_snapshot(project)
    assert snapshot.pop("created_at") == snapshot.pop("updated_at")
    assert snapshot == {
        "project_id": project, "files": FILES, "summary": "s", "content_hash": expected,
        "octets": answer["octets"], "revision": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        'é \U0001f600 "\\/\b\f\n\r\t\x01\x1f\x7f\u2028',
        {"b": 1, "a": 2, "aa": 3, "é": 4, "zz": 5, "A": 6},
        [0, -1, 10**20, 1.0, 1.50, -0.0, 0.0, 1e20, 1e-7, 123456.789e3, 5e-324, True, None],
        [[], {}, [{}], ""],
    ],
)
def test_a_device_knows_the_hash_before_it_saves(anna: Caller, project: str, value: Any) -> None:
    answer = anna.save_snapshot(project, {"files": {"file": value}, "summary": None})
    assert measured({"file": value}, None) == (answer["content_hash"], answer["octets"])


def test_a_retry_changes_nothing_whatever_it_expects(anna: Caller, project: str) -> None:
    first = anna.save_snapshot(project, {"files": FILES}, "")
    before = anna.pull(None, 0)
    for expected in (None, "", first["content_hash"], "f" * 64):
        assert anna.save_snapshot(project, {"files": FILES}, expected) == first | {"status": "duplicate"}
    assert anna.pull(None, 0) == before


def test_a_device_that_did_not_see_the_last_snapshot_does_not_replace_it(anna: Caller, project: str) -> None:
    first = anna.save_snapshot(project, {"files": {"a": 1}})
    second = anna.save_snapshot(project, {"files": {"a": 2}}, first["content_hash"])
    assert (second["status"], second["revision"]) == ("saved", 2)
    for stale in (first["content_hash"], "", "x"):
        late = anna.save_snapshot(project, {"files": {"a": 3}}, stale)
        assert late.pop("reason").endswith(".")
        assert late == {key: second[key] for key in second if key != "reason"} | {"status": "conflict"}
    assert anna.get_snapshot(project)["files"] == {"a": 2}
    assert anna.save_snapshot(project, {"files": {"a": 3}})["status"] == "saved"


def test_a_snapshot_that_is_expected_where_none_is_conflicts(anna: Caller, project: str) -> None:
    answer = anna.save_snapshot(project, {"files": {}}, "f" * 64)
    assert (answer["status"], answer["content_hash"], answer["revision"]) == ("conflict", None, None)
    assert refusal(lambda: anna.get_snapshot(project)) == "PT404"


@pytest.mark.parametrize(
    "snapshot",
    [
        {},
        {"files": None},
        {"files": []},
        {"files": "x"},
        {"files": {}, "summary": 7},
        {"files": {}, "summary": ["x"]},
        {"files": {"a": json.loads("[" * 64 + "]" * 64)}},
    ],
    ids=str,
)
def test_a_snapshot_of_another_shape_is_rejected_with_a_reason(
    anna: Caller, project: str, snapshot: object
) -> None:
    kept = anna.save_snapshot(project, {"files": FILES})
    answer = anna.save_snapshot(project, snapshot)
    assert answer.pop("reason").endswith(".")
    assert answer == {key: kept[key] for key in kept if key != "reason"} | {"status": "rejected"}
    assert anna.get_snapshot(project)["files"] == FILES


@pytest.mark.parametrize("snapshot", [None, 7, [], "x"])
def test_what_is_no_snapshot_at_all_is_refused(anna: Caller, project: str, snapshot: object) -> None:
    assert refusal(lambda: anna.save_snapshot(project, snapshot)) == "PT400"
    assert refusal(lambda: anna.rows("select save_snapshot(%s, null)", project)) == "PT400"


def test_the_warning_comes_at_45_megabytes_and_the_end_after_50(anna: Caller, project: str) -> None:
    for octets, warned in ((WARNING - 1, False), (WARNING, True), (CAP, True)):
        answer = _save_large(anna, project, octets)
        assert (answer["status"], answer["octets"], bool(answer["warning"])) == ("saved", octets, warned)
    assert refusal(lambda: _save_large(anna, project, CAP + 1)) == "PT413"
    stored = "select octets, octet_length(files ->> 'a'), revision from public.project_snapshots"
    assert anna.rows(stored) == [(CAP, CAP - EMPTY_FILE, 3)]


def test_summary_and_files_share_one_cap(anna: Caller, project: str) -> None:
    call = "select save_snapshot(%s, jsonb_build_object('files', '{}'::jsonb, 'summary', repeat('x', %s)))"
    assert refusal(lambda: anna.rows(call, project, CAP - 1)) == "PT413"


def test_numbers_that_swell_are_refused_before_they_are_written_out(anna: Caller, project: str) -> None:
    call = "select save_snapshot(%s, (%s)::jsonb)"
    swelling = '{"files": {"a": [' + ", ".join(["1e-16000"] * 1000) + "]}}"
    assert refusal(lambda: anna.rows(call, project, swelling)) == "PT400"


def test_a_million_numbers_take_no_longer_than_other_files(anna: Caller, project: str) -> None:
    """Reading them was quadratic once: three minutes."""
    numbers = "repeat('1,', 1000000) || '1'"
    call = f"select save_snapshot(%s, ('{{\"files\": {{\"a\": [' || {numbers} || ']}}}}')::jsonb)"
    anna.connection.execute("set statement_timeout = '30s'")
    assert anna.rows(call, project)[0][0]["status"] == "saved"


def test_pulls_carry_what_it_is_and_not_the_files(anna: Caller, project: str) -> None:
    saved = anna.save_snapshot(project, {"files": {"a": "x" * 100_000}, "summary": "s"})
    anna.save_snapshot(project, {"files": {"a": "y"}})
    saved = anna.save_snapshot(project, {"files": {"a": "x" * 100_000}, "summary": "s"})
    changes = anna.pull(None, 0)["changes"]
    assert [(each["change"], each["kind"]) for each in changes] == [(1, "project"), (4, "snapshot")]
    row = changes[1]["row"]
    assert row.pop("created_at") < row.pop("updated_at")
    assert row == {
        "project_id": project, "content_hash": saved["content_hash"], "octets": saved["octets"], "revision": 3,
    }  # fmt: skip


def test_a_strangers_project_and_one_that_is_not_there_answer_the_same(
    anna: Caller, bert: Caller, project: str
) -> None:
    anna.save_snapshot(project, {"files": FILES})
    for each in (project, str(uuid.uuid4())):
        assert refusal(partial(bert.save_snapshot, each, {"files": {}})) == "PT404"
        assert refusal(partial(bert.get_snapshot, each)) == "PT404"
    assert refusal(lambda: anna.save_snapshot(None, {"files": {}})) == "PT400"
    assert anna.get_snapshot(project)["revision"] == 1


def test_a_deleted_project_takes_no_snapshot_and_keeps_the_one_it_has(anna: Caller, project: str) -> None:
    anna.save_snapshot(project, {"files": FILES})
    anna.save_projects({"project_id": project, "deleted": True})
    assert refusal(lambda: anna.save_snapshot(project, {"files": {}})) == "PT410"
    anna.save_projects({"project_id": project, "deleted": False})
    assert anna.get_snapshot(project)["files"] == FILES
