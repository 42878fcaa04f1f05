"""The server's word on the projects and chats of a parcel, laid into the store."""

from storage.exchange import ChatChange, ChatVerdict, Parcel, ProjectChange, ProjectVerdict, Receipt
from storage.inbound import incoming
from storage.records import AccountId
from storage.standing import edits
from storage.transaction import Transaction


def record_edits(
    tx: Transaction, account_id: AccountId, parcel: Parcel, receipt: Receipt, cursor: int
) -> None:
    """Confirms or refuses what the parcel saved. Rows up to change `cursor` were pulled before the receipt came."""
    _record_projects(tx, account_id, parcel, receipt, cursor)
    _record_chats(tx, account_id, parcel, receipt, cursor)


def _record_projects(
    tx: Transaction, account_id: AccountId, parcel: Parcel, receipt: Receipt, cursor: int
) -> None:
    sent = {edit.project_id: edit for edit in parcel.projects}
    changes = {each.project_id: each for each in receipt.changes if isinstance(each, ProjectChange)}
    for verdict in receipt.projects:
        if edit := sent.get(verdict.project_id):
            _record(tx, account_id, edit, verdict, changes.get(verdict.project_id), cursor)
        tx.touch_projects()


def _record_chats(
    tx: Transaction, account_id: AccountId, parcel: Parcel, receipt: Receipt, cursor: int
) -> None:
    sent = {edit.chat_id: edit for edit in parcel.edits}
    changes = {each.chat_id: each for each in receipt.changes if isinstance(each, ChatChange)}
    judged = [(sent[verdict.chat_id], verdict) for verdict in receipt.chats if verdict.chat_id in sent]
    saved = [(edit, changes.get(edit.chat_id)) for edit, verdict in judged if verdict.accepted]
    news = [(edit, change) for edit, change in saved if change is not None and change.change > cursor]
    plain = edits.confirm_plain(tx, account_id, news)
    for edit, verdict in judged:
        if edit.chat_id not in plain:
            _record(tx, account_id, edit, verdict, changes.get(edit.chat_id), cursor)
        tx.touch_chat(edit.chat_id)
    incoming.set_aside_deleted(tx, [chat_id for chat_id, change in changes.items() if change.deleted])


def _record(
    tx: Transaction,
    account_id: AccountId,
    edit: edits.Edit,
    verdict: ChatVerdict | ProjectVerdict,
    change: edits.Change | None,
    cursor: int,
) -> None:
    if verdict.accepted:
        edits.confirm(tx, account_id, edit, change, cursor=cursor)
        edits.saw(tx, account_id, change)
    else:
        edits.refuse(tx, account_id, edit, verdict.reason)
