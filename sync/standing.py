"""The state of sync as the store alone tells it: for a process that does not hold the engine."""

from storage import accounts
from storage.inbound import history
from storage.records import LOCAL_ACCOUNT, Account
from storage.standing import unsynced
from storage.store import Reader
from sync.status import Phase, SyncStatus


def status_of(db: Reader, account: Account | None) -> SyncStatus:
    """What is known of the account, or of what was written signed out."""
    account_id = account.account_id if account else LOCAL_ACCOUNT
    counts = unsynced.counts(db, [account_id])
    facts = accounts.sync_facts(db, account_id)
    missing, known = history.missing(db, [account_id])
    return SyncStatus(
        _phase(account, counts.pending),
        counts.pending,
        counts.rejected,
        counts.oldest_pending_at,
        facts.last_success_at,
        facts.last_error,
        conflicts=counts.conflicts,
        missing=missing,
        known=known,
    )


def _phase(account: Account | None, pending: int) -> Phase:
    if account is None:
        return Phase.SIGNED_OUT
    if account.gone:
        return Phase.ACCOUNT_GONE
    if not account.signed_in:
        return Phase.NEEDS_SIGN_IN
    return Phase.PENDING if pending else Phase.SYNCED
