"""Context pinned to a chat: whole or empty with a reason, clean, capped alike on every device, apart from the messages."""

import hashlib
import itertools
import threading
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.fakes.cluster import Caller, Database, refusal, text

KIB = 1024
ALL = "source, kind, name, status, reason, body, source_hash, content_hash, octets, deleted"


def _sha256(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()


EMPTY = _sha256("")


def resource(source: str, body: str | None = "text", **fields: object) -> dict[str, object]:
    return {"source": source, "kind": "document", "body": body} | fields


@pytest.fixture
def chat(anna: Caller) -> str:
    return anna.new_chat()


@pytest.fixture
def phone(anna: Caller, database: Database) -> Iterator[Caller]:
    """Another device of Anna's."""
    with database.as_user(str(anna.rows("select auth.uid()")[0][0])) as caller:
        yield caller


def _statuses(caller: Caller, chat: str) -> dict[str, str]:
    query = "select source, status from public.chat_context where chat_id = %s and not deleted"
    return {str(source): str(status) for source, status in caller.rows(query, chat)}


def _body(caller: Caller, chat: str, source: str) -> Any:
    query = "select body from public.chat_context where chat_id = %s and source = %s"
    return caller.rows(query, chat, source)[0][0]


def _everything(caller: Caller, chat: str) -> list[tuple[Any, ...]]:
    return caller.rows(f"select {ALL} from public.chat_context where chat_id = %s order by source", chat)


def test_a_pinned_resource_is_whole_and_has_its_hashes(anna: Caller, chat: str) -> None:
    sent = resource("a/AGENTS.md", "Be kind.<!-- no -->", kind="instruction_file", name="AGENTS.md")
    stored = _sha256("Be kind.")
    assert anna.pin(chat, sent) == [("a/AGENTS.md", "pinned", "ok", stored, None)]
    assert _everything(anna, chat) == [
        ("a/AGENTS.md", "instruction_file", "AGENTS.md", "ok", None, "Be kind.", _sha256("Be kind.<!-- no -->"),
         stored, 8, False),
    ]  # fmt: skip


def test_a_retry_is_a_duplicate_and_another_text_is_pinned_in_its_place(anna: Caller, chat: str) -> None:
    anna.pin(chat, resource("a"), resource("b"))
    before = anna.pull(None, 0)
    assert [row[1] for row in anna.pin(chat, resource("a"), resource("b"))] == ["duplicate", "duplicate"]
    assert anna.pull(None, 0) == before
    assert [row[1] for row in anna.pin(chat, resource("a"), resource("b", "new"))] == ["duplicate", "pinned"]
    assert [each["change"] for each in anna.pull(None, 0)["changes"]] == [1, 2, 4]


@pytest.mark.parametrize(
    "bad",
    [
        7,
        {},
        {"source": None},
        {"source": 7},
        {"source": ""},
        {"source": "x" * 1025},
        pytest.param(
            {"source": "".join(map(chr, range(0x20000, 0x20400)))}, id="a source too large for an index"
        ),
        {"kind": None},
        {"kind": "plugin"},
        {"kind": "hook"},
        {"kind": "subagent"},
        {"kind": "command"},
        {"kind": "recipe"},
        {"kind": ["document"]},
        {"name": 7},
        {"name": "x" * 201},
        {"status": "fine"},
        {"status": 7},
        {"status": "unreadable"},
        {"status": "unreadable", "reason": "\u200b"},
        {"reason": 7},
        {"reason": "x" * 1001},
        {"body": None},
        {"body": 7},
        {"body": {}},
        {"source_hash": "F" * 64},
        {"source_hash": "f" * 63},
        {"kind": "mcp_config"},
        {"kind": "mcp_config", "source_hash": "f" * 64},
        {"kind": "mcp_config", "body": None},
    ],
    ids=str,
)
def test_one_bad_resource_is_rejected_with_a_reason_and_the_others_are_pinned(
    anna: Caller, chat: str, bad: Any
) -> None:
    if isinstance(bad, dict) and bad:
        bad = resource("bad") | bad
    answer = anna.pin(chat, resource("a"), bad, resource("b"))
    assert [row[1] for row in answer] == ["pinned", "rejected", "pinned"]
    assert answer[1][2:4] == (None, None)
    assert answer[1][4].endswith(".")
    assert _statuses(anna, chat) == {"a": "ok", "b": "ok"}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("{}, '{{}}'", "PT400"),
        ("{}, null", "PT400"),
        ("null, '[]'", "PT400"),
        ("gen_random_uuid(), '[]'", "PT404"),
        ("{}, (select jsonb_agg(i) from generate_series(1, 501) as i)", "PT413"),
    ],
)
@pytest.mark.parametrize("function", ["pin_context", "unpin_context"])
def test_a_call_that_is_no_list_or_too_long_or_for_no_chat_is_refused(
    anna: Caller, chat: str, function: str, call: str, code: str
) -> None:
    arguments = call.format(f"'{chat}'")
    assert refusal(lambda: anna.rows(f"select {function}({arguments})")) == code


def test_a_strangers_chat_and_a_deleted_one_take_nothing(anna: Caller, bert: Caller, chat: str) -> None:
    anna.pin(chat, resource("a"))
    for call in (partial(bert.pin, chat, resource("b")), partial(bert.unpin, chat, "a")):
        assert refusal(call) == "PT404"
    anna.save({"chat_id": chat, "deleted": True})
    for call in (partial(anna.pin, chat, resource("b")), partial(anna.unpin, chat, "a")):
        assert refusal(call) == "PT410"
    assert _statuses(anna, chat) == {"a": "ok"}


INVISIBLE = {
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "right-to-left override": "\u202e",
    "left-to-right isolate": "\u2066",
    "arabic letter mark": "\u061c",
    "tags": "\U000e0001\U000e0069\U000e0067\U000e007f",
    "variation selectors": "\ufe0f\U000e0100",
    "filler": "\u3164",
    "soft hyphen": "\u00ad",
    "escape": "\x1b",
    "delete": "\x7f",
    "next line": "\u0085",
    "musical beam": "\U0001d173",
    "annotation": "\ufff9",
}


@pytest.mark.parametrize("sign", INVISIBLE.values(), ids=INVISIBLE)
def test_what_no_screen_shows_is_not_kept(anna: Caller, chat: str, sign: str) -> None:
    sent = resource("a", f"{sign}ig{sign}{sign}nore{sign}", name=f"n{sign}ame")
    assert anna.pin(chat, sent)[0][1:4] == ("pinned", "ok", _sha256("ignore"))
    assert [row[2:8] for row in _everything(anna, chat)] == [
        ("name", "ok", None, "ignore", _sha256(str(sent["body"])), _sha256("ignore"))
    ]


def test_what_a_screen_shows_is_kept(anna: Caller, chat: str) -> None:
    words = 'Tab\tline\r\n"quoted" \\ é ü 漢字 עברית 🚂 \u00a0 \u2028 \ufffd 🏽 <!- --> a < b'
    anna.pin(chat, resource("a", words))
    assert _body(anna, chat, "a") == words


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a<!-- x -->b", "ab"),
        ("<!-- x\n\ny -->", ""),
        ("a<!---->b<!-- x --><!-- y -->c", "abc"),
        ("a<!-- <!-- x --> b", "a b"),
        ("a<!-- unterminated\nand all of the rest", "a"),
        ("a<!-- x -->b<!-- y", "ab"),
        ("a<\u200b!-\u2060- x -\ufeff->b", "ab"),
        ("a<!-- x --\U000e0041>b", "ab"),
        ("a<!--x--!>b", "a"),
        ("<!--" * 10_000, ""),
        ("<!---->" * 9_000 + "x", "x"),
    ],
    ids=range(11),
)
def test_html_comments_are_not_kept(anna: Caller, chat: str, sent: str, kept: str) -> None:
    assert anna.pin(chat, resource("a", sent))[0][1:3] == ("pinned", "ok")
    assert _body(anna, chat, "a") == kept


@pytest.mark.parametrize("sent", ["<!-<!-- x -->- ignore all of this -->", "<" * 9 + "<!---->!-- x"])
def test_a_comment_that_another_one_hides_leaves_nothing(anna: Caller, chat: str, sent: str) -> None:
    answer = anna.pin(chat, resource("a", sent))
    assert answer[0][:4] == ("a", "pinned", "invalid", EMPTY)
    assert answer[0][4].endswith(".")
    assert _body(anna, chat, "a") == ""


def test_an_mcp_config_is_known_by_its_hash_alone(anna: Caller, chat: str) -> None:
    config = {"source": ".mcp.json", "kind": "mcp_config", "source_hash": "a" * 64}
    secret = resource(".mcp.json", '{"token": "s3cr3t"}', kind="mcp_config")
    assert anna.pin(chat, config, secret)[0][1:4] == ("pinned", "ok", EMPTY)
    assert anna.pin(chat, config)[0][1] == "duplicate"
    assert anna.pin(chat, config | {"source_hash": "b" * 64})[0][1] == "pinned"
    assert [row[5:7] for row in _everything(anna, chat)] == [("", "b" * 64)]
    assert "s3cr3t" not in str(anna.rows("select * from public.chat_context"))


def test_what_the_client_could_not_read_is_pinned_empty_with_its_reason(anna: Caller, chat: str) -> None:
    for status in ("oversize", "unreadable", "invalid", "excluded"):
        sent = resource(status, "not kept", status=status, reason="Leaves\u202e the folder.")
        assert anna.pin(chat, sent) == [(status, "pinned", status, EMPTY, "Leaves the folder.")]
    assert {row[5:7] for row in _everything(anna, chat)} == {("", _sha256("not kept"))}


@pytest.mark.parametrize(
    ("size", "status"), [(64 * KIB, "ok"), (64 * KIB + 1, "oversize"), (2048 * KIB, "oversize")]
)
def test_a_resource_of_more_than_64_kib_is_kept_without_its_text(
    anna: Caller, chat: str, size: int, status: str
) -> None:
    words = "é" * (size // 2) + "x" * (size % 2)
    assert anna.pin(chat, resource("a", words))[0][1:3] == ("pinned", status)
    assert anna.pin(chat, resource("a", words))[0][1:3] == ("duplicate", status)
    assert _body(anna, chat, "a") == (words if status == "ok" else "")
    assert _everything(anna, chat)[0][6] == _sha256(words)


def test_beyond_2_mib_the_last_sources_are_excluded_whatever_came_first(anna: Caller) -> None:
    """A small one behind the line is excluded too: else it would depend on who asked first."""
    full = {f"{number:02}": "x" * 64 * KIB for number in range(33)} | {"99": "small"}
    expected = {source: "excluded" if source in ("32", "99") else "ok" for source in full}
    orders = [sorted(full), sorted(full, reverse=True), sorted(full, key=_sha256)]
    ends = []
    for order, size in itertools.product(orders, (1, 7, 34)):
        chat = anna.new_chat()
        for start in range(0, len(order), size):
            anna.pin(chat, *[resource(source, full[source]) for source in order[start : start + size]])
        assert _statuses(anna, chat) == expected
        ends.append(_everything(anna, chat))
    assert all(end == ends[0] for end in ends)
    excluded = {row[0]: row for row in ends[0]}["99"]
    assert (excluded[5], excluded[7], excluded[8]) == ("", EMPTY, 5)
    assert excluded[4].endswith(".")


def test_beyond_500_resources_the_last_sources_are_excluded(anna: Caller, chat: str) -> None:
    later = [resource(f"m{number:03}") for number in range(499)]
    assert {row[2] for row in anna.pin(chat, *later)} == {"ok"}
    assert anna.pin(chat, resource("z"), resource("a"))[0][1:3] == ("pinned", "excluded")
    assert anna.pin(chat, resource("b"))[0][2] == "ok"
    statuses = _statuses(anna, chat)
    assert [source for source in statuses if statuses[source] == "excluded"] == ["m498", "z"]


def test_sources_are_ordered_alike_whatever_the_language_of_the_server(anna: Caller, chat: str) -> None:
    sizes = dict.fromkeys([f"{n:02}" for n in range(31)], "x" * 64 * KIB)
    anna.pin(chat, *[resource(source, body) for source, body in sizes.items()])
    anna.pin(chat, *[resource(source, "x" * 60 * KIB) for source in ("é", "a", "Z", "_")])
    statuses = _statuses(anna, chat)
    assert [source for source in sorted(statuses) if statuses[source] == "excluded"] == ["_", "a", "é"]


def test_what_was_excluded_finds_room_once_it_is_pinned_again(anna: Caller, chat: str) -> None:
    bodies = {f"{number:02}": "x" * 64 * KIB for number in range(33)}
    anna.pin(chat, *[resource(source, body) for source, body in bodies.items()])
    last = resource("32", bodies["32"])
    assert anna.pin(chat, last)[0][1:3] == ("duplicate", "excluded")
    anna.unpin(chat, "00")
    assert _statuses(anna, chat)["32"] == "excluded"
    assert anna.pin(chat, last)[0][1:3] == ("pinned", "ok")
    assert _body(anna, chat, "32") == bodies["32"]


def test_a_source_twice_in_one_call_ends_as_the_last_one_says(anna: Caller, chat: str) -> None:
    answer = anna.pin(chat, resource("a", "one"), resource("b"), resource("a", "two"))
    assert [row[1] for row in answer] == ["pinned", "pinned", "pinned"]
    assert answer[0][3] == answer[2][3] == _sha256("two")
    assert _body(anna, chat, "a") == "two"


def test_unpinning_leaves_a_tombstone_that_syncs_and_can_be_pinned_again(anna: Caller, chat: str) -> None:
    anna.pin(chat, resource("a", "secret", name="A"), resource("b"))
    assert anna.unpin(chat, "a", "nothing", 7, "a") == [
        ("a", "unpinned", None),
        ("nothing", "rejected", "There is no such resource."),
        (None, "rejected", "There is no such resource."),
        ("a", "unpinned", None),
    ]
    before = anna.pull(None, 0)
    assert anna.unpin(chat, "a") == [("a", "unpinned", None)]
    assert anna.pull(None, 0) == before
    change = before["changes"][-1]
    row = change["row"]
    assert (change["change"], change["kind"], row["source"], row["deleted"]) == (4, "context", "a", True)
    assert (row["body"], row["content_hash"], row["octets"]) == ("", EMPTY, 0)
    assert anna.pin(chat, resource("a", "secret", name="A"))[0][1] == "pinned"
    assert (_body(anna, chat, "a"), _statuses(anna, chat)) == ("secret", {"a": "ok", "b": "ok"})


def test_pins_touch_neither_the_chat_nor_its_messages(anna: Caller, chat: str) -> None:
    anna.append(chat, [text("m")])
    untouched = "select chat.*, message.* from public.chats as chat, public.messages as message"
    before = anna.rows(untouched)
    anna.pin(chat, resource("a"))
    anna.unpin(chat, "a")
    assert anna.rows(untouched) == before


def test_a_pull_brings_the_text_and_everything_about_it(anna: Caller, chat: str) -> None:
    anna.pin(chat, resource("a", "text", name="A", kind="skill"))
    change = anna.pull(None, 0)["changes"][-1]
    assert change["row"].pop("created_at") == change["row"].pop("updated_at")
    assert change == {
        "change": 2, "kind": "context", "row": {
            "chat_id": chat, "source": "a", "kind": "skill", "name": "A", "status": "ok", "reason": None,
            "body": "text", "source_hash": _sha256("text"), "content_hash": _sha256("text"), "octets": 4,
            "deleted": False,
        },
    }  # fmt: skip


def test_two_devices_that_pin_at_once_end_with_the_same_and_lose_nothing(
    anna: Caller, phone: Caller, chat: str
) -> None:
    def pin(device: Caller, odd: int) -> None:
        for number in range(odd, 40, 2):
            device.pin(chat, resource(f"{number:02}", f"{number}" * 32 * KIB))

    devices = [threading.Thread(target=pin, args=each) for each in ((anna, 1), (phone, 0))]
    for device in devices:
        device.start()
    for device in devices:
        device.join()
    assert _statuses(anna, chat) == {f"{n:02}": "excluded" if n >= 37 else "ok" for n in range(40)}
    changes = anna.pull(None, 0, 5000)["changes"]
    numbers = [each["change"] for each in changes]
    assert numbers == sorted(set(numbers))
    assert len(_everything(anna, chat)) == 40


def test_a_chat_has_an_end_of_different_resources(anna: Caller, chat: str) -> None:
    for start in range(0, 5000, 500):
        anna.pin(chat, *[resource(f"{start + number}", "x") for number in range(500)])
    before = _everything(anna, chat)
    assert refusal(lambda: anna.pin(chat, resource("one more"))) == "PT413"
    assert _everything(anna, chat) == before
    assert [row[1] for row in anna.pin(chat, resource("0", "y"))] == ["pinned"]


def test_context_goes_with_its_chat(database: Database) -> None:
    leaver = database.new_user()
    with leaver.signed_in() as caller:
        caller.pin(caller.new_chat(), resource("a"))
    with database.connect() as admin:
        admin.execute("delete from auth.users where id = %s", [leaver.user_id])
        left = admin.execute(
            "select count(*) from public.chat_context where owner_id = %s", [uuid.UUID(leaver.user_id)]
        ).fetchone()
    assert left == (0,)
