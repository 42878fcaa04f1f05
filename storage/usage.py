"""What replies cost: rows that only the server writes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage import rows
from storage.exchange import UsageChange
from storage.records import AccountId, ChatId, MessageId
from storage.transaction import Reader, Transaction

_SUMS: Final = (
    "coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), coalesce(sum(total_tokens), 0), "
    "coalesce(sum(cost_micros), 0), count(*), count(*) - count(cost_micros)"
)


@dataclass(frozen=True, slots=True)
class Usage:
    """The cost of one reply, money in millionths. `models` is the breakdown by model."""

    chat_id: ChatId
    message_id: MessageId
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_micros: int | None
    models: Any
    truncated: bool
    created_at: str


@dataclass(frozen=True, slots=True)
class Total:
    """Sums over replies; of `unpriced` ones nobody knows the price."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_micros: int
    replies: int
    unpriced: int


def of_chat(db: Reader, chat_id: ChatId) -> list[Usage]:
    """The chat's replies in the order of their times."""
    found = db.execute(
        "select chat_id, message_id, prompt_tokens, completion_tokens, total_tokens, cost_micros, models, truncated, "
        "created_at from usage where chat_id = ? order by created_at, message_id",
        (chat_id,),
    )
    return [_usage(row) for row in found]


def total(db: Reader, account_ids: Sequence[AccountId]) -> Total:
    """All replies of the accounts together."""
    row = db.execute(
        f"select {_SUMS} from usage where account_id in ({rows.marks(account_ids)})", tuple(account_ids)
    ).fetchone()
    return Total(*row)


def apply(tx: Transaction, account_id: AccountId, change: UsageChange) -> None:
    """Takes over the server's row. The chat is the account's."""
    tx.db.execute(
        "insert or replace into usage (chat_id, message_id, account_id, prompt_tokens, completion_tokens, "
        "total_tokens, cost_micros, models, truncated, created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            change.chat_id, change.message_id, account_id, change.prompt_tokens, change.completion_tokens,
            change.total_tokens, change.cost_micros, rows.encode(change.models), int(change.truncated),
            change.created_at,
        ),
    )  # fmt: skip
    tx.touch_chat(change.chat_id)


def _usage(row: tuple[Any, ...]) -> Usage:
    chat_id, message_id, prompt, completion, tokens, cost, models, truncated, created_at = row
    return Usage(
        chat_id, message_id, prompt, completion, tokens, cost, json.loads(models), bool(truncated), created_at
    )
