"""`homing status`: who is signed in, what waits, and when sync last worked."""

from datetime import UTC, datetime
from typing import Any

import click

from desktop.commands.options import GlobalOptions, HomingCommand, pass_options
from storage import accounts, chats
from storage.inbound import history
from storage.records import LOCAL_ACCOUNT, Account
from storage.standing import unsynced
from storage.store import Reader


@click.command(cls=HomingCommand)
@pass_options
def status(options: GlobalOptions) -> None:
    """Show the active account's messages by sync state, its last success and error, and the other accounts."""
    with options.store() as store:
        document = store.read(_document)
    options.say(document, _text(document))


def _document(db: Reader) -> dict[str, Any]:
    """What is the active account's, signed out what nobody's; accounts are never added up."""
    active = accounts.active(db)
    owner = [active.account_id if active else LOCAL_ACCOUNT]
    counts = unsynced.counts(db, owner)
    facts = accounts.sync_facts(db, active.account_id) if active else None
    missing, known = history.missing(db, owner)
    return {
        "account": active.email if active else None,
        "account_id": active.account_id if active else None,
        "gone": active is not None and active.gone,
        "signed_in": active is not None and active.signed_in,
        "accounts": [_account(db, one) for one in accounts.list_accounts(db)],
        "pending": counts.pending,
        "synced": unsynced.synced_count(db, owner),
        "rejected": counts.rejected,
        "conflicts": counts.conflicts,
        "missing": missing,
        "known": known,
        "signed_out_chats": chats.unadopted(db),
        "oldest_pending_seconds": _age(counts.oldest_pending_at),
        "last_success_at": facts.last_success_at if facts else None,
        "last_error": facts.last_error if facts else None,
    }


def _account(db: Reader, one: Account) -> dict[str, Any]:
    counts = unsynced.counts(db, [one.account_id])
    return {
        "account_id": one.account_id,
        "email": one.email,
        "url": one.url,
        "signed_in": one.signed_in,
        "gone": one.gone,
        "pending": counts.pending,
        "rejected": counts.rejected,
    }


def _age(moment: str | None) -> float | None:
    if moment is None:
        return None
    # A clock that was set back must not show a message from the future.
    return max(0.0, round((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds(), 1))


def _text(document: dict[str, Any]) -> str:
    lines = [
        f"Account        {_who(document)}",
        f"Synced         {document['synced']}",
        f"Not yet synced {document['pending']}",
        f"Set aside      {document['rejected'] - document['conflicts']}",
    ]
    if document["conflicts"]:
        lines.append(f"Needs a choice {document['conflicts']}")
    if document["missing"]:
        lines.append(f"Not here yet   {document['missing']} of {document['known']}")
    if document["oldest_pending_seconds"] is not None:
        lines.append(f"Oldest waits   {document['oldest_pending_seconds']:.0f} s")
    lines.append(f"Last success   {document['last_success_at'] or 'never'}")
    if document["last_error"]:
        lines.append(f"Last error     {document['last_error']}")
    lines += [_other(one) for one in document["accounts"] if one["account_id"] != document["account_id"]]
    if document["account"] and document["signed_out_chats"]:
        lines.append(f"In no account  {document['signed_out_chats']} chats, on this computer only")
    return "\n".join(lines)


def _who(document: dict[str, Any]) -> str:
    if document["account"] is None:
        return "signed out"
    if document["gone"]:
        return f"{document['account']} (deleted on its server; homing account release keeps its chats)"
    return document["account"] if document["signed_in"] else f"{document['account']} (sign in again)"


def _other(one: dict[str, Any]) -> str:
    waits = f"{one['pending']} not yet synced, {one['rejected']} set aside"
    return f"Other account  {one['email']}: {waits if one['pending'] or one['rejected'] else 'all synced'}"
