"""`homing project` as a person types it, on two devices."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.flows.homing_process import Device, Server


def content(**files: str) -> str:
    return json.dumps({"files": files, "summary": None})


def test_a_project_and_its_files_reach_the_other_device_and_a_clash_is_chosen_between(
    server: Server, device: Callable[[str], Device], tmp_path: Path
) -> None:
    laptop, phone = device("laptop"), device("phone")
    email = f"{uuid.uuid4().hex[:12]}@example.org"
    laptop.ok("account", "sign-up", *server.credentials(email))
    phone.ok("account", "sign-in", *server.credentials(email))
    project = laptop.ok("project", "new", "Home").document["project_id"]
    chat = laptop.ok("chat", "new", "Trip").document["chat_id"]
    laptop.ok("project", "add", project, chat)
    laptop.ok("project", "save", project, "-", stdin=content(a="one"))
    laptop.ok("sync")
    phone.ok("sync")
    (known,) = phone.ok("project", "list").rows
    assert (known["name"], known["files"]["here"], known["files"]["pending"]) == ("Home", False, False)
    assert phone.ok("chat", "list").rows[0]["project_id"] == project
    assert phone.ok("project", "get", project, "-").document == json.loads(content(a="one"))

    laptop.ok("project", "save", project, "-", stdin=content(a="laptop"))
    phone.ok("project", "save", project, "-", stdin=content(a="phone"))
    phone.ok("project", "rename", project, "House")
    laptop.ok("sync")
    phone.ok("sync")
    (clash,) = phone.ok("project", "list").rows
    assert clash["files"]["sync_error"]
    theirs = tmp_path / "theirs.json"
    phone.ok("project", "get", project, str(theirs))
    assert json.loads(theirs.read_text()) == json.loads(content(a="laptop"))
    phone.ok("project", "keep", project, "mine")
    phone.ok("sync")
    laptop.ok("sync")
    assert laptop.ok("project", "get", project, "-").document == json.loads(content(a="phone"))
    laptop.ok("project", "delete", project)
    laptop.ok("sync")
    phone.ok("sync")
    assert phone.ok("project", "list").rows == []


def test_what_cannot_be_is_told_in_one_line(device: Callable[[str], Device]) -> None:
    laptop = device("laptop")
    project = laptop.ok("project", "new", "Home").document["project_id"]
    for words, stdin in (
        (("save", project, "-"), "[]"),
        (("save", project, "-"), '{"files": {"a": "\\u0000"}}'),
        (("get", project, "-"), None),
        (("rename", "nowhere", "x"), None),
    ):
        answer = laptop.run("project", *words, stdin=stdin)
        assert (answer.status, answer.out, len(answer.err.strip().splitlines())) == (1, "", 1), answer
