"""`homing chat`: create, list and change chats in the local store."""

from collections.abc import Callable
from dataclasses import asdict

import click

from desktop.commands.options import GlobalOptions, HomingGroup, pass_options
from storage import accounts, chats
from storage.records import Chat, ChatId
from storage.transaction import Transaction


@click.group(cls=HomingGroup)
def chat() -> None:
    """Create, list, rename, pin, archive, delete and restore chats."""


@chat.command()
@click.argument("title")
@pass_options
def new(options: GlobalOptions, title: str) -> None:
    """Create a chat and print its id."""
    with options.store() as store:
        owner = store.read(accounts.shown)[0]
        made = store.write(lambda tx: chats.create(tx, title, account_id=owner)).result()
    options.say({"chat_id": made.chat_id}, made.chat_id)


@chat.command(name="list")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option("--archived", is_flag=True, help="Those in the archive instead.")
@pass_options
def list_(options: GlobalOptions, limit: int, archived: bool) -> None:
    """List chats, the one written in last first."""
    with options.store() as store:
        listed = store.read(
            lambda db: chats.list_chats(db, accounts.shown(db), limit=limit, archived=archived)
        )
    for one in listed:
        options.say(asdict(one), _line(one))


def _line(one: Chat) -> str:
    waiting = f"  ({one.pending} not yet synced)" if one.pending else ""
    aside = f"  ({one.rejected} set aside)" if one.rejected else ""
    return f"{one.chat_id}  {one.title or 'Untitled'}{waiting}{aside}"


@chat.command()
@click.argument("chat_id", metavar="CHAT")
@click.argument("title")
@pass_options
def rename(options: GlobalOptions, chat_id: str, title: str) -> None:
    """Give a chat another title."""
    renamed = _change(options, chat_id, lambda tx, chat: chats.rename(tx, chat, title))
    options.say({"chat_id": renamed.chat_id, "title": renamed.title}, f"Renamed to {renamed.title}")


_undo = click.option("--undo", is_flag=True, help="Take it back.")


@chat.command()
@click.argument("chat_id", metavar="CHAT")
@_undo
@pass_options
def pin(options: GlobalOptions, chat_id: str, undo: bool) -> None:
    """Keep a chat at the top of the list."""
    changed = _change(options, chat_id, lambda tx, chat: chats.pin(tx, chat, not undo))
    options.say(
        {"chat_id": changed.chat_id, "pinned": changed.pinned}, "Pinned" if changed.pinned else "Not pinned"
    )


@chat.command()
@click.argument("chat_id", metavar="CHAT")
@_undo
@pass_options
def archive(options: GlobalOptions, chat_id: str, undo: bool) -> None:
    """Take a chat out of the list without deleting it."""
    changed = _change(options, chat_id, lambda tx, chat: chats.archive(tx, chat, not undo))
    options.say(
        {"chat_id": changed.chat_id, "archived": changed.archived},
        "Archived" if changed.archived else "Back in the list",
    )


@chat.command()
@click.argument("chat_id", metavar="CHAT")
@pass_options
def delete(options: GlobalOptions, chat_id: str) -> None:
    """Delete a chat on every device. `homing chat restore` brings it back."""
    deleted = _change(options, chat_id, chats.delete)
    options.say(
        {"chat_id": deleted.chat_id, "deleted": deleted.deleted},
        f"Deleted: homing chat restore {deleted.chat_id} brings it back",
    )


@chat.command()
@click.argument("chat_id", metavar="CHAT")
@pass_options
def restore(options: GlobalOptions, chat_id: str) -> None:
    """Bring a deleted chat back."""
    restored = _change(options, chat_id, chats.restore)
    options.say({"chat_id": restored.chat_id, "deleted": restored.deleted}, "Restored")


def _change(options: GlobalOptions, chat_id: str, change: Callable[[Transaction, ChatId], Chat]) -> Chat:
    def job(tx: Transaction) -> Chat:
        return change(tx, chats.get_shown(tx.db, ChatId(chat_id)).chat_id)

    with options.store() as store:
        return store.write(job).result()
