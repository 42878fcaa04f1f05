"""What a person asks of the server by name: too large to come with every pull."""

from typing import Final

from storage import accounts, projects, snapshots
from storage.records import Account, AccountId, ProjectId
from storage.snapshots import Snapshot
from storage.store import Reader
from sync.backend import Backend
from sync.errors import Refused, SignInAgain
from sync.housekeeping import Housekeeping

_UNKNOWN: Final = "PT404"


async def snapshot(house: Housekeeping, backend: Backend, project_id: ProjectId) -> Snapshot:
    """The files that the server has of a project of the active account, kept here if none wait to be saved.

    By a connection of its own: fifty megabytes hold up no message, and any process of the profile may ask.
    """

    def owner(db: Reader) -> tuple[AccountId, Account | None]:
        return projects.get(db, project_id).account_id, accounts.active(db)

    account_id, account = await house.read(owner)
    if account is None or account.account_id != account_id:
        raise SignInAgain("This project is not of the account that is signed in: sign in to its account.")
    remote = backend.remote(account, await house.connections.keeper(account))
    try:
        fetched = await remote.get_snapshot(project_id)
    except Refused as error:
        if error.code != _UNKNOWN:
            raise
        raise Refused("The server has no files of this project: save some first.", _UNKNOWN) from None
    finally:
        await remote.aclose()
    await house.write(lambda tx: snapshots.keep(tx, fetched))
    return fetched
