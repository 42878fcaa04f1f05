"""`homing send` and `homing history`: write a message down, and read a chat back, newest first."""

import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final, assert_never

import click

from desktop.commands.options import GlobalOptions, HomingCommand, pass_options
from storage import chats, messages
from storage.content import plain_text
from storage.records import ChatId, Message, Position, SyncState
from storage.transaction import Transaction

if TYPE_CHECKING:
    from storage.store import Store

PAGE: Final = 500


@click.command(cls=HomingCommand)
@click.argument("chat_id", metavar="CHAT")
@click.argument("text")
@pass_options
def send(options: GlobalOptions, chat_id: str, text: str) -> None:
    """Commit a user message as pending and return. TEXT - reads standard input, without its last line break."""
    if text == "-":
        text = _standard_input()
    with options.store() as store:
        saved = store.write(partial(_commit, chat_id=ChatId(chat_id), text=text)).result()
    options.say(
        {"chat_id": saved.chat_id, "message_id": saved.message_id, "sync_state": saved.sync_state},
        f"Saved here, not yet synced: {saved.message_id}",
    )


def _commit(tx: Transaction, chat_id: ChatId, text: str) -> Message:
    chats.get_shown(tx.db, chat_id)
    return messages.commit(tx, chat_id, text, clear_draft=False)


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise click.ClickException(
            "The text is not UTF-8: convert it first, for example with iconv."
        ) from error


@click.command(cls=HomingCommand)
@click.argument("chat_id", metavar="CHAT")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option("--before", type=click.IntRange(1), help="Only what is older than this sequence number.")
@pass_options
def history(options: GlobalOptions, chat_id: str, limit: int, before: int | None) -> None:
    """Print a chat's messages, newest first."""
    chat = ChatId(chat_id)
    with options.store() as store:
        store.read(lambda db: chats.get_shown(db, chat))
        for message in _newest_first(store, chat, before, limit):
            options.say(_document(message), _line(message))


def _newest_first(store: "Store", chat: ChatId, before: int | None, limit: int) -> Iterator[Message]:
    """Read page by page, so that a long history starts to print at once and never fills the memory."""
    start = None if before is None else Position(before, 0)
    while limit > 0:
        page = store.read(partial(messages.page, chat_id=chat, before=start, limit=min(limit, PAGE)))
        yield from page.messages
        if page.gap is not None and len(page.messages) < limit:
            click.echo("Older messages are not on this computer yet: run homing sync.", err=True)
        if page.older is None:
            return
        start, limit = page.older, limit - len(page.messages)


def _document(message: Message) -> dict[str, Any]:
    return {
        "chat_id": message.chat_id,
        "message_id": message.message_id,
        "sequence_num": message.sequence_num,
        "role": message.role,
        "content": list(message.content),
        "sync_state": message.sync_state,
        "sync_error": message.sync_error,
        "status": message.status,
        "created_at": message.created_at,
    }


def _line(message: Message) -> str:
    match message.sync_state:
        case SyncState.SYNCED:
            place = f"#{message.sequence_num}"
        case SyncState.PENDING:
            place = "not yet synced"
        case SyncState.REJECTED:
            place = f"set aside: {message.sync_error}"
        case _:
            assert_never(message.sync_state)
    return f"[{place}] {message.role}, {message.created_at}\n{plain_text(message.content)}\n"
