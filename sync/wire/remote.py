"""One account's server in the store's records: work out, verdicts and changes in, only SyncError raised."""

from collections.abc import Sequence
from typing import Final

from storage.exchange import (
    Batch,
    BatchFault,
    BatchVerdict,
    ChangePage,
    ChatEdit,
    ChatVerdict,
    Errand,
    ErrandKind,
    ErrandVerdict,
    Head,
    HistoryPage,
    Parcel,
    ProjectEdit,
    ProjectVerdict,
    Receipt,
    Verdict,
)
from storage.records import ChatId, Cursor, Hole, ProjectId
from storage.snapshots import Snapshot
from sync.errors import Refused, UnknownFunction
from sync.login.session import AccessTokens
from sync.protocol import APPEND_MAX_MESSAGES, Rpc
from sync.wire.calls import Calls
from sync.wire.outgoing import (
    ORDERS,
    batch_json,
    chat_json,
    errand_arguments,
    project_json,
    push_arguments,
)

_FAULTS: Final = {"PT404": BatchFault.UNKNOWN, "PT410": BatchFault.DELETED}

_REFUSED_ERRANDS: Final = frozenset({"PT400", "PT404", "PT410", "PT413"})
_DONE_BY_THE_END: Final = frozenset(
    {ErrandKind.DELETE_MESSAGES, ErrandKind.CLEAR_CHAT, ErrandKind.UNPIN_CONTEXT}
)
"""What a chat that is not there any more has had done to it."""


class SupabaseRemote:
    """One account's server, for one asyncio loop. Constructing it checks the address and touches no network."""

    def __init__(self, url: str, key: str, tokens: AccessTokens) -> None:
        self._calls = Calls(url, key, tokens)
        self._lacks_push = False

    async def push(self, parcel: Parcel) -> Receipt:
        """One verdict for each of all. After an error the parcel may be on the server: send it again."""
        if not self._lacks_push:
            try:
                return await self._push(parcel)
            except UnknownFunction:
                self._lacks_push = True
        return await self._push_in_steps(parcel)

    async def save_projects(self, edits: Sequence[ProjectEdit]) -> tuple[ProjectVerdict, ...]:
        """One verdict per edit. Only the fields that an edit names are sent."""
        from sync.wire import answers

        arguments = {"p_projects": [project_json(edit) for edit in edits]}
        return await self._calls.call(
            Rpc.SAVE_PROJECTS, arguments, lambda body: answers.project_verdicts(body, edits)
        )

    async def save_chats(self, edits: Sequence[ChatEdit]) -> tuple[ChatVerdict, ...]:
        """One verdict per edit. Only the fields that an edit names are sent."""
        from sync.wire import answers

        arguments = {"p_chats": [chat_json(edit) for edit in edits]}
        return await self._calls.call(
            Rpc.SAVE_CHATS, arguments, lambda body: answers.chat_verdicts(body, edits)
        )

    async def append_messages(self, batch: Batch) -> tuple[Verdict, ...]:
        """One verdict per message. After an error the messages may be on the server: send them again."""
        from sync.wire import answers

        arguments = {"p_chat_id": batch.chat_id, "p_messages": batch_json(batch)}
        return await self._calls.call(
            Rpc.APPEND_MESSAGES, arguments, lambda body: answers.verdicts(body, batch)
        )

    async def pull_changes(self, cursor: Cursor, limit: int) -> ChangePage:
        """The changes after the cursor, at most `limit` of them."""
        return await self._pull(Rpc.PULL_CHANGES, cursor, limit)

    async def pull_summary(self, cursor: Cursor, limit: int) -> ChangePage:
        """As `pull_changes`, without the messages. UnknownFunction from a server that is older."""
        return await self._pull(Rpc.PULL_SUMMARY, cursor, limit)

    async def pull_history(self, holes: Sequence[Hole], limit: int) -> HistoryPage:
        """The messages in the holes, each hole from its last number downwards. UnknownFunction as above."""
        from sync.wire import changes

        asked = [{"chat_id": hole.chat_id, "first": hole.first, "last": hole.last} for hole in holes]
        return await self._calls.call(
            Rpc.PULL_HISTORY, {"p_holes": asked, "p_limit": limit}, changes.history_page
        )

    async def pull_heads(self, after: ChatId | None, limit: int) -> tuple[Head, ...]:
        """The heads of the chats after this one, by id; fewer than `limit` are the last."""
        from sync.wire import answers

        return await self._calls.call(Rpc.CHAT_HEADS, {"p_after": after, "p_limit": limit}, answers.heads)

    async def run_errand(self, errand: Errand) -> ErrandVerdict:
        """Run it; twice is as good as once."""
        from sync.wire import answers

        function, arguments = ORDERS[errand.kind].function, errand_arguments(errand)
        try:
            return await self._calls.call(
                function, arguments, lambda body: answers.errand_verdict(body, errand)
            )
        except Refused as error:
            if error.code not in _REFUSED_ERRANDS:
                raise
            done = errand.kind in _DONE_BY_THE_END and error.code in _FAULTS
            return ErrandVerdict(True, None) if done else ErrandVerdict(False, str(error))

    async def get_snapshot(self, project_id: ProjectId) -> Snapshot:
        """The files that were saved last. Refused where there are none."""
        from sync.wire import files

        return await self._calls.call(
            Rpc.GET_SNAPSHOT, {"p_project_id": project_id}, lambda body: files.snapshot(body, project_id)
        )

    def hasten(self) -> None:
        """The computer slept or changed its network: do not wait long for what is on the wire."""
        self._calls.hasten()

    async def aclose(self) -> None:
        """Close for good. A call under way ends by itself first, one that waits for its token fails."""
        await self._calls.aclose()

    async def _push(self, parcel: Parcel) -> Receipt:
        from sync.wire import answers

        return await self._calls.call(
            Rpc.PUSH_CHANGES, push_arguments(parcel), lambda body: answers.receipt(body, parcel)
        )

    async def _pull(self, function: Rpc, cursor: Cursor, limit: int) -> ChangePage:
        from sync.wire import changes

        arguments = {"p_epoch": cursor.epoch, "p_cursor": cursor.change, "p_limit": limit}
        return await self._calls.call(function, arguments, changes.change_page)

    async def _push_in_steps(self, parcel: Parcel) -> Receipt:
        """One after the other, in the order in which a whole push does it."""
        projects = await self.save_projects(parcel.projects) if parcel.projects else ()
        chats = await self.save_chats(parcel.edits) if parcel.edits else ()
        batches = tuple([await self._append(batch) for batch in parcel.batches])
        return Receipt(projects, chats, batches, changes=(), span=None)

    async def _append(self, batch: Batch) -> BatchVerdict:
        verdicts: list[Verdict] = []
        try:
            for start in range(0, len(batch.messages), APPEND_MAX_MESSAGES):
                part = Batch(batch.chat_id, batch.messages[start : start + APPEND_MAX_MESSAGES])
                verdicts += await self.append_messages(part)
        except Refused as error:
            if error.code not in _FAULTS:
                raise
            return BatchVerdict(batch.chat_id, _FAULTS[error.code], ())
        return BatchVerdict(batch.chat_id, None, tuple(verdicts))
