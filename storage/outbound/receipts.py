"""The server's word on the projects and chats of a parcel, laid into the store."""

from storage.exchange import ChatChange, ChatEdit, ChatVerdict, Parcel, ProjectChange, Receipt
from storage.inbound import incoming
from storage.records import AccountId
from storage.standing import edits
from storage.transaction import Transaction


def record_edits(
    tx: Transaction, account_id: AccountId, parcel: Parcel, receipt: Receipt, cursor: int
) -> None:
    """Confirms or refuses what the parcel saved. Rows up to change `cursor` were pulled before the receipt came."""
    _record_projects(tx, account_id, parcel, receipt, cursor)
    sent = {edit.chat_id: edit for edit in parcel.edits}
    changes = {each.chat_id: each for each in receipt.changes if isinstance(each, ChatChange)}
    accepted = [each.chat_id for each in receipt.chats if each.accepted]
    plain = edits.confirm_plain(
        tx,
        account_id,
        [
            (sent[each], changes[each])
            for each in accepted
            if each in sent and each in changes and cursor < changes[each].change
        ],
    )
    for verdict in receipt.chats:
        if verdict.chat_id in plain:
            tx.touch_chat(verdict.chat_id)
        elif edit := sent.get(verdict.chat_id):
            _record_chat(tx, account_id, edit, verdict, changes.get(verdict.chat_id), cursor)
    incoming.set_aside_deleted(tx, [chat_id for chat_id, change in changes.items() if change.deleted])


def _record_projects(
    tx: Transaction, account_id: AccountId, parcel: Parcel, receipt: Receipt, cursor: int
) -> None:
    sent = {edit.project_id: edit for edit in parcel.projects}
    changes = {each.project_id: each for each in receipt.changes if isinstance(each, ProjectChange)}
    for verdict in receipt.projects:
        edit = sent.get(verdict.project_id)
        if edit and verdict.accepted:
            change = changes.get(verdict.project_id)
            edits.confirm(tx, account_id, edit, change, cursor=cursor)
            edits.saw(tx, account_id, change)
        elif edit:
            edits.refuse(tx, account_id, edit, verdict.reason)
        tx.touch_projects()


def _record_chat(
    tx: Transaction,
    account_id: AccountId,
    edit: ChatEdit,
    verdict: ChatVerdict,
    change: ChatChange | None,
    cursor: int,
) -> None:
    if verdict.accepted:
        edits.confirm(tx, account_id, edit, change, cursor=cursor)
        edits.saw(tx, account_id, change)
    else:
        edits.refuse(tx, account_id, edit, verdict.reason)
    tx.touch_chat(edit.chat_id)
