"""View models as pure functions: what the words and rows are for a given state."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.assets import resources
from desktop.viewmodels.account_steps import Inputs, Step, derive, first_missing
from desktop.viewmodels.chat_list import derive_rows as chat_rows
from desktop.viewmodels.composer import Outgoing, Writing, refused, saved, sent
from desktop.viewmodels.message_rows import MessageRow, derive_inputs, derive_row
from desktop.viewmodels.preferences import Theme, theme_of, wants_dark
from desktop.viewmodels.rows import RowsModel, camel
from desktop.viewmodels.status_words import Action, history_note, note, sync_status, until_other_words
from desktop.viewmodels.stretch import Stretch, place, read
from desktop.viewmodels.sync_status import Inputs as SyncInputs
from desktop.viewmodels.sync_status import derive as derive_sync
from storage.records import (
    LOCAL_ACCOUNT,
    Account,
    AccountId,
    Chat,
    ChatId,
    Hole,
    Message,
    MessageId,
    MessageStatus,
    Page,
    Position,
    Role,
    SyncState,
)
from sync.status import Phase, SyncStatus

NOW = datetime(2026, 11, 21, 12, 0).astimezone()
ICONS = resources() / "icons"
ACCOUNT = Account(AccountId("a"), "http://127.0.0.1:1", "key", "ada@example.org", "u", signed_in=True)


def at(day: int, hour: int = 9) -> str:
    return datetime(2026, 11, day, hour).astimezone().astimezone(UTC).isoformat()


def message_rows(held: Sequence[Message], *, complete: bool) -> list[MessageRow]:
    return [
        derive_row(inputs) for inputs in derive_inputs(held, complete=complete, rich=False, today=NOW.date())
    ]


def chat(title: str, updated_at: str = "", **other: object) -> Chat:
    base = Chat(
        ChatId(title),
        LOCAL_ACCOUNT,
        title,
        None,
        None,
        False,
        False,
        False,
        "",
        at(1),
        updated_at or at(21),
        0,
        0,
        None,
    )
    return replace(base, **other)  # type: ignore[arg-type]


def message(number: int, created_at: str = "", **other: object) -> Message:
    base = Message(
        ChatId("c"), MessageId(f"m{number}"), number, Role.USER, ({"type": "text", "text": f"text {number}"},), None, None,
        MessageStatus.COMPLETE, SyncState.SYNCED, None, created_at or at(21), number,
    )  # fmt: skip
    return replace(base, **other)  # type: ignore[arg-type]


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_words_that_say_what_to_do(phase: Phase) -> None:
    said = sync_status(SyncStatus(phase, pending=2, last_error="It broke: try again."))
    assert said.line
    assert said.explanation.endswith(".")
    assert said.tone in {"quiet", "amber", "red"}
    assert said.actions
    assert (ICONS / f"{said.icon}.svg").exists()


def test_each_class_of_failure_has_a_sign_and_a_line_of_its_own() -> None:
    failures = set(Phase) - {Phase.SYNCED, Phase.SYNCING}
    said = [sync_status(SyncStatus(phase, pending=1)) for phase in failures]
    assert len({each.icon for each in said}) == len({each.line for each in said}) == len(failures)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (SyncStatus(Phase.SIGNED_OUT), "On this computer only · Sign in to sync"),
        (SyncStatus(Phase.OFFLINE), "Offline"),
        (SyncStatus(Phase.OFFLINE, pending=1), "Offline · 1 message not yet synced"),
        (SyncStatus(Phase.PENDING, pending=3), "3 messages not yet synced"),
        (SyncStatus(Phase.SYNCED), "Synced"),
        (SyncStatus(Phase.SYNCED, rejected=1), "1 message set aside"),
        (SyncStatus(Phase.SYNCED, rejected=3, conflicts=2), "2 messages need your choice"),
        (SyncStatus(Phase.SYNCED, missing=38_000, known=100_000), "Fetching history · 62 %"),
        (SyncStatus(Phase.SYNCING, missing=1, known=1_000_000), "Fetching history · 99 %"),
        (SyncStatus(Phase.QUOTA), "No room left on the server"),
        (SyncStatus(Phase.DISK_FULL), "Disk full · sync is paused"),
        (SyncStatus(Phase.ACCOUNT_GONE), "This account is gone from its server"),
        (SyncStatus(Phase.UPDATE_NEEDED), "Update Homing to sync"),
        (SyncStatus(Phase.ERROR, last_error="Broken: ask.\nmore"), "Broken: ask."),
    ],
)
def test_the_status_line(status: SyncStatus, line: str) -> None:
    assert sync_status(status).line == line


@pytest.mark.parametrize("phase", [Phase.SYNCING, Phase.SYNCED])
def test_fetching_history_is_no_alarm(phase: Phase) -> None:
    assert sync_status(SyncStatus(phase, missing=5, known=10)).tone == "quiet"


@pytest.mark.parametrize(
    ("wait", "line", "changes_in"),
    [
        (5.0, "Server busy · next try within a minute", None),
        (61.0, "Server busy · next try in about 2 minutes", 1.0),
        (150.0, "Server busy · next try in about 3 minutes", 30.0),
        (3 * 3600.0, "Server busy · next try in about 3 hours", 60.0),
    ],
)
def test_a_busy_server_says_when_the_next_try_comes(wait: float, line: str, changes_in: float | None) -> None:
    assert sync_status(SyncStatus(Phase.BUSY), wait).line == line
    assert until_other_words(wait) == changes_in


def test_what_is_set_aside_is_told_beside_another_trouble() -> None:
    assert note(SyncStatus(Phase.OFFLINE, rejected=2)) == "2 messages set aside"
    assert note(SyncStatus(Phase.OFFLINE, rejected=2, conflicts=1)) == "1 message needs your choice"
    assert note(SyncStatus(Phase.SYNCED, rejected=2)) == ""
    assert note(SyncStatus(Phase.SYNCED, rejected=3, conflicts=1)) == "2 messages set aside"


@pytest.mark.parametrize("phase", list(Phase))
def test_what_is_not_here_is_explained_in_every_phase(phase: Phase) -> None:
    assert "messages" in history_note(phase)


def test_syncing_is_offered_only_with_a_session() -> None:
    signed_out = derive_sync(SyncInputs(SyncStatus(Phase.SIGNED_OUT), signed_in=False), NOW)
    synced = derive_sync(SyncInputs(SyncStatus(Phase.SYNCED), signed_in=True), NOW)
    expired = derive_sync(SyncInputs(SyncStatus(Phase.NEEDS_SIGN_IN), signed_in=True), NOW)
    assert [[action["text"] for action in props.actions] for props in (signed_out, synced, expired)] == [
        ["Sign in"],
        ["Sync now"],
        ["Sign in again"],
    ]


def test_chats_are_grouped_by_day_with_pinned_first() -> None:
    listed = [
        chat("today"), chat("yesterday", at(20)), chat("older", at(3)), chat("pinned", at(2), pinned=True),
    ]  # fmt: skip
    rows = chat_rows(listed, needle="", account=None, now=NOW)
    assert [(row.title, row.section) for row in rows] == [
        ("pinned", "Pinned"), ("today", "Today"), ("yesterday", "Yesterday"), ("older", "Earlier"),
    ]  # fmt: skip


def test_a_chat_from_a_clock_that_runs_ahead_is_of_today() -> None:
    (row,) = chat_rows([chat("future", "2031-01-01T00:00:00Z")], needle="", account=None, now=NOW)
    assert row.section == "Today"


@pytest.mark.parametrize(
    ("facts", "mark", "count"),
    [
        ({}, "", 0),
        ({"pending": 2}, "pending", 2),
        ({"pending": 2, "rejected": 1}, "rejected", 1),
        ({"sync_error": "The title was refused: rename it."}, "rejected", 0),
    ],
)
def test_a_chat_s_mark(facts: dict[str, object], mark: str, count: int) -> None:
    (row,) = chat_rows([chat("a", **facts)], needle="", account=None, now=NOW)  # type: ignore[arg-type]
    assert (row.mark, row.mark_count) == (mark, count)


def test_local_chats_are_marked_only_for_somebody_signed_in() -> None:
    (signed_out,) = chat_rows([chat("a")], needle="", account=None, now=NOW)
    (signed_in,) = chat_rows([chat("a")], needle="", account=ACCOUNT.account_id, now=NOW)
    assert (signed_out.local_only, signed_in.local_only) == (False, True)


def test_a_chat_that_stays_here_does_not_look_as_if_it_waited() -> None:
    (row,) = chat_rows([chat("a", pending=3)], needle="", account=ACCOUNT.account_id, now=NOW)
    assert row.mark == ""


def test_the_filter_ignores_case_and_untitled_chats_have_a_name() -> None:
    listed = [chat("Straße nach Lissabon"), chat("")]
    assert [row.title for row in chat_rows(listed, needle=" STRASSE ", account=None, now=NOW)] == [
        "Straße nach Lissabon"
    ]
    assert chat_rows(listed, needle="new", account=None, now=NOW)[0].title == "New chat"


def test_a_day_begins_at_its_oldest_message() -> None:
    held = [message(3, at(21)), message(2, at(21, 8)), message(1, at(20))]
    rows = message_rows(held, complete=True)
    assert [row.day for row in rows] == ["", "Today", "Yesterday"]


def test_the_oldest_row_of_an_incomplete_window_begins_no_day() -> None:
    assert message_rows([message(1)], complete=False)[0].day == ""


@pytest.mark.parametrize(
    ("state", "error", "text"),
    [
        (SyncState.PENDING, None, "Saved here · not yet synced"),
        (SyncState.SYNCED, None, "Synced"),
        (SyncState.REJECTED, "too long: shorten it", "Set aside: too long: shorten it"),
    ],
)
def test_the_badge_says_where_a_message_lives(state: SyncState, error: str | None, text: str) -> None:
    (row,) = message_rows([message(1, sync_state=state, sync_error=error)], complete=True)
    assert row.badge_text == text
    assert text in row.spoken


@pytest.mark.parametrize("stamp", ["", "not a time", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_no_time_breaks_a_row(stamp: str) -> None:
    assert message_rows([replace(message(1), created_at=stamp)], complete=True)


def test_a_sent_text_leaves_when_it_is_saved_and_what_was_typed_meanwhile_stays() -> None:
    writing, out = sent(Writing(text="hello"), MessageId("1"))
    assert out == Outgoing("hello", MessageId("1"))
    writing, span = saved(replace(writing, text="helloworld"), out)
    assert (writing, span) == (Writing(text="world"), (0, 5))


def test_a_second_enter_sends_only_the_fresh_text() -> None:
    writing, first = sent(Writing(text="one"), MessageId("1"))
    writing, second = sent(replace(writing, text="onetwo"), MessageId("2"))
    assert second is not None
    assert first is not None
    assert second.text == "two"
    writing, span = saved(writing, first)
    assert span == (0, 3)
    writing, span = saved(writing, second)
    assert (writing.text, span) == ("", (0, 3))


def test_a_refused_text_stays_and_goes_again_with_the_same_id() -> None:
    writing, out = sent(Writing(text="hello"), MessageId("1"))
    assert out is not None
    writing = refused(writing, out)
    assert writing.text == "hello"
    _, again = sent(writing, MessageId("2"))
    assert again == out


def test_a_refused_text_that_was_edited_is_another_message() -> None:
    writing, out = sent(Writing(text="hello"), MessageId("1"))
    assert out is not None
    _, again = sent(replace(refused(writing, out), text="hello there"), MessageId("2"))
    assert again == Outgoing("hello there", MessageId("2"))


def test_a_later_text_that_is_saved_leaves_the_refused_one_alone() -> None:
    writing, first = sent(Writing(text="one"), MessageId("1"))
    writing, second = sent(replace(writing, text="onetwo"), MessageId("2"))
    assert first is not None
    assert second is not None
    writing, span = saved(refused(writing, first), second)
    assert (writing.text, span) == ("one", (3, 6))


def test_a_text_edited_while_it_was_leaving_stays() -> None:
    writing, out = sent(Writing(text="hello"), MessageId("1"))
    assert out is not None
    writing, span = saved(replace(writing, text="hallo"), out)
    assert (writing.text, span) == ("hallo", None)


def test_the_steps_of_the_account_dialog() -> None:
    assert derive(Inputs()).step == Step.CREDENTIALS
    mine = Inputs(account=ACCOUNT, known=(ACCOUNT,))
    assert derive(mine).step == Step.ACCOUNTS
    assert derive(replace(mine, just_signed_in=True, unadopted=2)).step == Step.ADOPTION
    assert derive(replace(mine, moving=True, unadopted=2)).step == Step.ADOPTION
    assert derive(replace(mine, leaving=True)).step == Step.SIGN_OUT
    assert derive(replace(mine, leaving=True, unsent=3)).step == Step.UNSENT
    assert derive(replace(mine, adding=True)).step == Step.CREDENTIALS
    assert derive(replace(mine, phase=Phase.NEEDS_SIGN_IN)).step == Step.CREDENTIALS
    assert derive(replace(mine, phase=Phase.NEEDS_SIGN_IN, listing=True)).step == Step.ACCOUNTS
    assert derive(replace(mine, phase=Phase.ACCOUNT_GONE)).step == Step.GONE
    assert derive(Inputs(account=None, known=(ACCOUNT,))).step == Step.ACCOUNTS


def test_every_account_says_its_state() -> None:
    out = replace(ACCOUNT, account_id=AccountId("b"), signed_in=False)
    gone = replace(ACCOUNT, account_id=AccountId("c"), gone=True)
    other = replace(ACCOUNT, account_id=AccountId("d"))
    shown = derive(Inputs(account=ACCOUNT, known=(ACCOUNT, out, gone, other))).accounts
    assert [row["state"] for row in shown] == [
        "In use",
        "Signed out · its chats are closed",
        "Gone from its server",
        "Signed in",
    ]
    assert [row["current"] for row in shown] == [True, False, False, False]


def test_an_account_that_is_not_in_use_says_what_it_has_not_sent() -> None:
    out = replace(ACCOUNT, account_id=AccountId("b"), signed_in=False)
    other = replace(ACCOUNT, account_id=AccountId("d"))
    waiting = {AccountId("b"): 2, AccountId("d"): 1}
    shown = derive(Inputs(account=ACCOUNT, known=(out, other), waiting=waiting)).accounts
    assert [row["state"] for row in shown] == [
        "Signed out · 2 messages not yet synced",
        "Signed in · 1 message not yet synced",
    ]


def test_what_is_refused_can_all_be_retried_though_other_messages_need_a_choice() -> None:
    assert Action.RETRY_ALL in sync_status(SyncStatus(Phase.SYNCED, rejected=3, conflicts=2)).actions
    assert Action.RETRY_ALL not in sync_status(SyncStatus(Phase.SYNCED, rejected=2, conflicts=2)).actions


def stretch_of(numbers: Sequence[int], holes: Sequence[Hole], *, across: bool, limit: int = 50) -> Stretch:
    """What is read of a chat that holds these numbers, newest first, around these holes."""

    def page(before: Position | None, limit: int) -> Page:
        end = before.sequence_num if before and before.sequence_num is not None else 10**9
        gap = next((hole for hole in sorted(holes, key=lambda hole: -hole.last) if hole.first < end), None)
        floor = gap.last if gap else 0
        held = [message(n) for n in numbers if floor < n < end]
        if len(held) > limit:
            return Page(tuple(held[:limit]), place(held[limit - 1]))
        return Page(tuple(held), None, gap)

    return read(page, None, limit, across=across)


def test_a_stretch_ends_at_a_hole_or_names_it() -> None:
    middle, end = Hole(ChatId("c"), 4, 6), Hole(ChatId("c"), 1, 1)
    numbers = [9, 8, 7, 3, 2]
    waiting = stretch_of(numbers, [middle, end], across=False)
    assert ([m.sequence_num for m in waiting.held], waiting.gap) == ([9, 8, 7], middle)
    across = stretch_of(numbers, [middle, end], across=True)
    assert [m.sequence_num for m in across.held] == numbers
    assert (across.holes, across.gap, across.newest_hole) == ({3: middle}, end, middle)
    assert across.cut(3).older == place(message(7))
    assert across.without_newest(2).holes == {1: middle}


def test_a_chat_with_nothing_here_is_one_hole() -> None:
    whole = Hole(ChatId("c"), 1, 40)
    for across in (False, True):
        stretch = stretch_of([], [whole], across=across)
        assert (stretch.held, stretch.holes, stretch.gap) == ((), {}, whole)


def test_no_day_begins_behind_a_hole() -> None:
    held = [message(9, at(21)), message(3, at(20))]
    inputs = derive_inputs(held, complete=True, rich=False, today=NOW.date(), breaks={1: None})
    assert [each.day for each in inputs] == ["", "Yesterday"]


def test_what_is_missing_is_asked_for_in_order() -> None:
    assert "address" in first_missing(url="", key="", email="", password="")
    assert "key" in first_missing(url="x", key=" ", email="", password="")
    assert first_missing(url="x", key="k", email="e", password="p") == ""


@pytest.mark.parametrize(
    ("theme", "system", "dark"),
    [
        (Theme.SYSTEM, Qt.ColorScheme.Dark, True),
        (Theme.SYSTEM, Qt.ColorScheme.Unknown, False),
        (Theme.LIGHT, Qt.ColorScheme.Dark, False),
        (Theme.DARK, Qt.ColorScheme.Light, True),
    ],
)
def test_the_theme(theme: Theme, system: Qt.ColorScheme, dark: bool) -> None:
    assert wants_dark(theme, system) is dark
    assert theme_of("a theme of the future") is Theme.SYSTEM


def test_a_list_becomes_another_with_the_fewest_signals(qtbot: QtBot) -> None:
    model: RowsModel[MessageRow] = RowsModel(MessageRow)
    told: list[str] = []
    model.rowsInserted.connect(lambda _, first, last: told.append(f"insert {first}-{last}"))
    model.rowsRemoved.connect(lambda _, first, last: told.append(f"remove {first}-{last}"))
    model.rowsMoved.connect(lambda *_: told.append("move"))
    model.dataChanged.connect(lambda a, _, roles: told.append(f"change {a.row()} {len(roles)}"))

    def become(*held: Message) -> list[str]:
        told.clear()
        model.become(message_rows(held, complete=False))
        assert [row.message_id for row in model.rows] == [m.message_id for m in held]
        return list(told)

    assert become(message(3), message(2), message(1)) == ["insert 0-2"]
    assert become(message(3), message(2), message(1)) == []
    assert become(message(5), message(4), message(3), message(2), message(1)) == ["insert 0-1"]
    assert become(message(5), message(1)) == ["remove 1-3"]
    assert become(message(1), message(5)) == ["move"]
    assert become(message(1), message(5, sync_state=SyncState.PENDING)) == ["change 1 3"]
    assert camel("badge_text") == "badgeText"
