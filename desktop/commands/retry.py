"""`homing retry`: try again what was set aside."""

from functools import partial

import click

from desktop.commands.options import GlobalOptions, HomingCommand, pass_options
from storage import accounts, aside, chats
from storage.records import ChatId, MessageId
from storage.transaction import Transaction


@click.command(cls=HomingCommand)
@click.argument("chat_id", metavar="[CHAT", required=False)
@click.argument("message_id", metavar="MESSAGE]", required=False)
@click.option("--all", "everything", is_flag=True, help="All that is set aside.")
@pass_options
def retry(options: GlobalOptions, chat_id: str | None, message_id: str | None, everything: bool) -> None:
    """Queue a message that was set aside again, or all of them. The next sync sends them."""
    if everything == (chat_id is not None) or (chat_id is None) != (message_id is None):
        raise click.UsageError("Name a chat and a message, or give --all.")
    job = partial(_one, chat_id=ChatId(chat_id or ""), message_id=MessageId(message_id or ""))
    with options.store() as store:
        count = store.write(_everything if everything else job).result()
    options.say({"retried": count}, f"{count} queued again")


def _everything(tx: Transaction) -> int:
    return aside.retry_all(tx, accounts.shown(tx.db))


def _one(tx: Transaction, chat_id: ChatId, message_id: MessageId) -> int:
    chats.get_shown(tx.db, chat_id)
    aside.retry(tx, chat_id, message_id)
    return 1
