"""Who may listen to a private topic: the select policies on realtime.messages, asked as hosted projects ask them."""

import uuid

import psycopg
from psycopg_pool import PoolTimeout

from server.database import Pool, become
from server.tokens import Caller


class TopicPolicies:
    """Puts a probe row into realtime.messages, looks whether the caller sees it, and rolls back."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def allows(self, caller: Caller, topic: str) -> bool:
        """Whether the caller may listen. Raises ConnectionError when the database cannot be asked."""
        try:
            return await self._probe(caller, topic)
        except (psycopg.OperationalError, PoolTimeout):
            raise ConnectionError from None
        except (psycopg.DataError, UnicodeEncodeError):
            # No policy can name what PostgreSQL's text cannot hold.
            return False

    async def _probe(self, caller: Caller, topic: str) -> bool:
        probe = uuid.uuid4()
        async with self._pool.connection() as db, db.transaction(force_rollback=True):
            await db.execute(
                "insert into realtime.messages (id, topic, extension, private) values (%s, %s, 'broadcast', true)",
                (probe, topic),
            )
            await become(db, caller)
            await db.execute("select set_config('realtime.topic', %s, true)", (topic,))
            seen = await db.execute("select from realtime.messages where id = %s", (probe,))
            return seen.rowcount == 1
