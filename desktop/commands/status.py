"""`homing status`: who is signed in, what waits, and when sync last worked."""

from datetime import UTC, datetime
from typing import Any

import click

from desktop.commands.options import GlobalOptions, HomingCommand, pass_options
from storage import accounts, outbox
from storage.records import LOCAL_ACCOUNT, AccountId


@click.command(cls=HomingCommand)
@pass_options
def status(options: GlobalOptions) -> None:
    """Show accounts, messages by sync state, and the last success and error of sync."""
    with options.store() as store:
        remembered = store.read(accounts.list_accounts)
        active = store.read(accounts.active)
        owners = [AccountId(one.account_id) for one in remembered] + [LOCAL_ACCOUNT]
        counts = store.read(lambda db: outbox.counts(db, owners))
        synced = store.read(lambda db: outbox.synced_count(db, owners))
        facts = store.read(lambda db: accounts.sync_facts(db, active.account_id)) if active else None
    document: dict[str, Any] = {
        "account": active.email if active else None,
        "accounts": [
            {"account_id": one.account_id, "email": one.email, "url": one.url, "signed_in": one.signed_in}
            for one in remembered
        ],
        "pending": counts.pending,
        "synced": synced,
        "rejected": counts.rejected,
        "oldest_pending_seconds": _age(counts.oldest_pending_at),
        "last_success_at": facts.last_success_at if facts else None,
        "last_error": facts.last_error if facts else None,
    }
    options.say(document, _text(document))


def _age(moment: str | None) -> float | None:
    if moment is None:
        return None
    # A clock that was set back must not show a message from the future.
    return max(0.0, round((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds(), 1))


def _text(document: dict[str, Any]) -> str:
    lines = [
        f"Account        {document['account'] or 'signed out'}",
        f"Synced         {document['synced']}",
        f"Not yet synced {document['pending']}",
        f"Set aside      {document['rejected']}",
    ]
    if document["oldest_pending_seconds"] is not None:
        lines.append(f"Oldest waits   {document['oldest_pending_seconds']:.0f} s")
    lines.append(f"Last success   {document['last_success_at'] or 'never'}")
    if document["last_error"]:
        lines.append(f"Last error     {document['last_error']}")
    return "\n".join(lines)
