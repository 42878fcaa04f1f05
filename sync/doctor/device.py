"""Holds a device against its server: sync first, then compare, and where it is wished, have mended what differs."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from storage.records import Account
from storage.rescue.healing import heal
from storage.store import Store
from sync.backend import Backend
from sync.doctor.findings import Finding, fail, ok, warn
from sync.errors import SyncError
from sync.rounds import SyncReport
from sync.verifying import Verification, distrust, in_words, verify

CHECK: Final = "server"
_MOST: Final = 10


def examine(
    store: Store, account: Account, backend: Backend, sync: Callable[[], SyncReport], *, repair: bool
) -> Iterator[Finding]:
    """Blocks while it syncs and compares. Nothing is changed but by syncing, and, with `repair`, by filling chats again.

    A server that cannot be asked is a warning: nothing is known to be wrong.
    """
    if repair and (harmed := heal(store)):
        yield ok(
            "repair", f"{harmed} messages were not what was written: asked of the server again, or set aside"
        )
    report = sync()
    if report.error is not None:
        yield warn("sync", f"Not compared with the server: {report.error}")
        return
    yield ok("sync", f"{report.pending} not yet synced, {report.rejected} set aside")
    try:
        found = _settled(store, account, backend, sync)
        if found.differences and repair:
            before = in_words(found)
            distrust(store, account.account_id, found)
            sync()
            found = _settled(store, account, backend, sync)
            if not found.differences:
                yield ok("repair", f"mended: {before}")
    except SyncError as error:
        yield warn(CHECK, f"Not compared with the server: {error}")
        return
    yield from _told(found)


def _settled(
    store: Store, account: Account, backend: Backend, sync: Callable[[], SyncReport]
) -> Verification:
    """What still differs after another round: other devices write meanwhile."""
    found = asyncio.run(_compared(store, account, backend))
    if found.differences:
        sync()
        found = asyncio.run(_compared(store, account, backend))
    return found


async def _compared(store: Store, account: Account, backend: Backend) -> Verification:
    await asyncio.to_thread(backend.open_sessions)
    remote = backend.remote(account, backend.keeper(account))
    try:
        return await verify(store, account.account_id, remote)
    finally:
        await remote.aclose()


def _told(found: Verification) -> Iterator[Finding]:
    if not found.differences:
        yield ok(CHECK, in_words(found))
        return
    for each in found.differences[:_MOST]:
        yield fail("difference", f"Message {each.message_id} in chat {each.chat_id}: {each.fault}")
    yield fail(CHECK, f"{in_words(found)}: let Homing mend it, with homing doctor --repair")
