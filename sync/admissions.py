"""Who is signed in: signing in and out, switching, adopting, and letting go of an account that is gone."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from storage import accounts, adoption
from storage.records import Account, AccountId, ChatId
from storage.standing import unsynced
from sync.backend import Backend
from sync.errors import Refused, SignInAgain, SyncError, UnsentMessages
from sync.housekeeping import Housekeeping
from sync.login import signing
from sync.login.session import Session, SessionKeeper

FAREWELL: Final = 3.0
"""Seconds that signing out spends on sending what is pending, and again on revoking the login at the server."""

UNKNOWN: Final = "unknown_account"
NOT_GONE: Final = "account_not_gone"


class Admissions:
    """All coroutines run on the runner's loop and raise SyncError or StorageError, one line for people."""

    def __init__(self, house: Housekeeping, backend: Backend) -> None:
        self._house = house
        self._backend = backend

    async def resume(self) -> None:
        """A sign-in that was cut short after its session was durable comes to its end."""
        # Under the lock: a sign-in that is under way just now is not one that was cut short.
        async with self._house.entering:
            account = await self._house.read(signing.intended)
            if account is None:
                return
            with suppress(SyncError):
                session = await (await self._house.connections.keeper(account)).session()
                whole = session is not None and session.user_id == account.user_id
                await self._house.write(signing.complete if whole else signing.abandon)

    async def sign_in(
        self, url: str, key: str, email: str, password: str, *, adopt: bool, new: bool
    ) -> Account:
        """Session first, then the account and its chats in one transaction; a crash between resumes at the start."""
        ask = self._backend.sign_up if new else self._backend.sign_in
        url = self._backend.clean_url(url)
        await asyncio.to_thread(self._backend.open_sessions)
        session = await ask(url, key, email, password)
        account = _account(url, key, session)
        async with self._house.entering:
            await self._house.write(lambda tx: signing.intend(tx, account, adopt=adopt))
            keeper = await self._house.connections.keeper(account)
            await keeper.keep(session)
            await self._house.write(signing.complete)
            await self._house.enter(account)
        return account

    async def switch(self, account_id: AccountId | None) -> None:
        """Leave the active account as it is, signed in and with what waits, and go on with another or with none."""
        async with self._house.entering:
            account = await self._known(account_id) if account_id is not None else None
            await self._house.write(lambda tx: accounts.activate(tx, account_id))
            await self._house.enter(account)

    async def sign_out(self, *, seal: bool) -> None:
        """Send what can be sent, revoke the login, erase its tokens, and seal the account's data.

        UnsentMessages, and nothing has changed, when something is left to send and `seal` does not allow to leave it.
        """
        account = await self._house.read(accounts.active)
        if account is None:
            return
        await self._send_what_waits(account)
        async with self._house.entering:
            if not seal:
                await self._require_all_sent(account)
            keeper = await self._house.connections.keeper(account)
            await self._revoke(account, await _stored(keeper))
            await self._house.enter(None)
            await keeper.forget()
            await self._house.write(lambda tx: signing.leave(tx, account))

    async def adopt(self, chat_ids: Sequence[ChatId] | None) -> int:
        """Move signed-out chats into the active account; the engine starts afresh, its cursor may have moved."""
        async with self._house.entering:
            account = await self._house.read(accounts.active)
            if account is None:
                raise SignInAgain("Nobody is signed in; sign in first.")
            moved = await self._house.write(lambda tx: adoption.adopt(tx, account.account_id, chat_ids))
            await self._house.enter(account)
            return moved

    async def release(self, account_id: AccountId) -> int:
        """Make the chats of an account that is gone signed-out ones. Refused for an account that may come back."""
        async with self._house.entering:
            account = await self._known(account_id)
            if not account.gone:
                raise Refused("This account is not gone: sign in to it, or sign out.", NOT_GONE)
            keeper = await self._house.connections.keeper(account)
            known = self._house.connections.account
            if known is not None and known.account_id == account_id:
                await self._house.enter(None)
            await keeper.forget()
            return await self._house.write(lambda tx: signing.let_go(tx, account))

    async def _known(self, account_id: AccountId) -> Account:
        account = await self._house.read(lambda db: accounts.get(db, account_id))
        if account is None:
            raise Refused("This computer does not know this account: sign in to it.", UNKNOWN)
        return account

    async def _send_what_waits(self, account: Account) -> None:
        """Edits too, which nobody counts."""
        if not account.signed_in:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await (self._house.round() if self._house.syncs else self._house.round_elsewhere())

    async def _require_all_sent(self, account: Account) -> None:
        left = (await self._house.read(lambda db: unsynced.counts(db, [account.account_id]))).pending
        if left:
            raise UnsentMessages(left)

    async def _revoke(self, account: Account, session: Session | None) -> None:
        """Best effort: a server that cannot be reached lets the token run out by itself."""
        if session is not None:
            with suppress(SyncError, TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._backend.sign_out(account, session.access_token)


async def _stored(keeper: SessionKeeper) -> Session | None:
    try:
        return await keeper.session()
    except SignInAgain:
        return None


def _account(url: str, key: str, session: Session) -> Account:
    account_id = accounts.account_id_for(url, session.user_id)
    return Account(account_id, url, key.strip(), session.email, session.user_id, signed_in=True)
