"""`homing chat`: create, list and rename chats in the local store."""

from dataclasses import asdict
from functools import partial

import click

from desktop.commands.options import GlobalOptions, HomingGroup, pass_options
from storage import accounts, chats
from storage.records import Chat, ChatId
from storage.transaction import Transaction


@click.group(cls=HomingGroup)
def chat() -> None:
    """Create, list and rename chats."""


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
@pass_options
def list_(options: GlobalOptions, limit: int) -> None:
    """List chats, the one written in last first."""
    with options.store() as store:
        listed = store.read(lambda db: chats.list_chats(db, accounts.shown(db), limit=limit))
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
    with options.store() as store:
        renamed = store.write(partial(_rename, chat_id=ChatId(chat_id), title=title)).result()
    options.say({"chat_id": renamed.chat_id, "title": renamed.title}, f"Renamed to {renamed.title}")


def _rename(tx: Transaction, chat_id: ChatId, title: str) -> Chat:
    chats.get_shown(tx.db, chat_id)
    return chats.rename(tx, chat_id, title)
