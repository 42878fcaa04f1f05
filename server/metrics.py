"""`GET /metrics` for an operator on this machine: numbers by route, function and outcome, never content or who."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from server.addresses import LOOPBACK_NAMES, is_loopback
from server.answers import rest_error
from server.database import Pool

_MISMATCH_SECONDS: Final = 600.0
_SCRAPE_MILLISECONDS: Final = 2_000
_MISMATCH_MILLISECONDS: Final = 30_000
_FORWARDED: Final = ("forwarded", "x-real-ip", "via", "cf-connecting-ip", "true-client-ip")
_POOL_GAUGES: Final = {
    "pool_size": "Connections to PostgreSQL.",
    "pool_available": "Connections to PostgreSQL that nobody uses now.",
    "requests_waiting": "Requests that wait for a connection now.",
}
_POOL_COUNTERS: Final = {
    "requests_num": "Connections asked of the pool.",
    "requests_queued": "Connections that had to be waited for.",
    "requests_errors": "Connections that did not come in time.",
    "connections_lost": "Connections that were found broken.",
}
_MICROS: Final = 1e6


class Gauges(Collector):
    """What is looked up when somebody asks: `look` gives the present numbers of sockets and pokes by their names."""

    def __init__(self, pool: Pool, look: Callable[[], dict[str, int]]) -> None:
        self._pool = pool
        self._look = look
        self._appends: dict[str, float] | None = None
        self._mismatches: int | None = None
        self._counted_at = float("-inf")

    async def refresh(self) -> None:
        """Asks the database, patiently only for the count that reads every message; that one every ten minutes."""
        self._appends = await self._ask("select homing.append_totals()", _SCRAPE_MILLISECONDS)
        if time.monotonic() - self._counted_at >= _MISMATCH_SECONDS:
            self._counted_at = time.monotonic()
            self._mismatches = await self._ask("select homing.count_mismatch_total()", _MISMATCH_MILLISECONDS)

    async def _ask(self, query: str, milliseconds: int) -> Any:  # noqa: ANN401  # a number or an object of numbers
        try:
            async with self._pool.connection(timeout=1) as db, db.transaction():
                await db.execute(f"set local statement_timeout = {milliseconds}".encode())
                row = await (await db.execute(query.encode())).fetchone()
        except (psycopg.Error, PoolTimeout):
            return None
        return row[0] if row is not None else None

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client writes down; called after `refresh`."""
        stats = self._pool.get_stats()
        for name, words in _POOL_GAUGES.items():
            yield GaugeMetricFamily(f"homing_postgres_{name}", words, stats.get(name, 0))
        for name, words in _POOL_COUNTERS.items():
            yield CounterMetricFamily(f"homing_postgres_{name}", words, stats.get(name, 0))
        seen = self._look()
        yield GaugeMetricFamily("homing_realtime_sockets", "Open websockets.", seen["sockets"])
        yield CounterMetricFamily("homing_realtime_pokes", "Hints heard from PostgreSQL.", seen["pokes"])
        yield GaugeMetricFamily(
            "homing_database_answers",
            "Whether the database told its numbers just now.",
            self._appends is not None,
        )
        if self._appends is not None:
            yield from _appends({name: float(value or 0) for name, value in self._appends.items()})
        if self._mismatches is not None:
            yield GaugeMetricFamily(
                "homing_count_mismatches",
                "Chats whose counters are wrong, counted every ten minutes.",
                self._mismatches,
            )


def _appends(of: dict[str, float]) -> Iterator[Metric]:
    messages = CounterMetricFamily("homing_append_messages", "Messages in appends.", labels=["verdict"])
    for verdict, column in (
        ("inserted", "inserted"), ("duplicate", "duplicates"), ("conflict", "conflicts"), ("rejected", "rejected")
    ):  # fmt: skip
        messages.add_metric([verdict], of[column])
    yield messages
    batches = Metric("homing_append_batch_messages", "Messages a call.", "histogram")
    for bound in (1, 10, 100):
        batches.add_sample(
            "homing_append_batch_messages_bucket", {"le": f"{bound}.0"}, of[f"batches_upto_{bound}"]
        )
    batches.add_sample("homing_append_batch_messages_bucket", {"le": "+Inf"}, of["calls"])
    batches.add_sample("homing_append_batch_messages_count", {}, of["calls"])
    batches.add_sample("homing_append_batch_messages_sum", {}, of["messages"])
    yield batches
    for name, column, words in (
        ("homing_append_lock_wait_seconds", "lock_wait_micros", "Waiting for locks in appends."),
        ("homing_append_seconds", "duration_micros", "Inside appends."),
    ):
        yield CounterMetricFamily(name, words, of[column] / _MICROS)
        yield GaugeMetricFamily(
            name.replace("_seconds", "_longest_seconds"),
            f"{words} The longest.",
            of[f"longest_{column}"] / _MICROS,
        )
    yield GaugeMetricFamily(
        "homing_append_largest_batch", "The most messages in one call.", of["largest_batch"]
    )


class Metrics:
    """The endpoint, for whoever asks from this machine itself."""

    def __init__(self, registry: CollectorRegistry, gauges: Gauges) -> None:
        self._registry = registry
        self._gauges = gauges
        registry.register(gauges)
        ProcessCollector(registry=registry)

    async def endpoint(self, request: Request) -> Response:
        """The text for Prometheus; nothing at all for anybody else."""
        if not _from_this_machine(request):
            return rest_error(
                404, "PGRST125", "There is nothing here.", hint="Ask from the server's machine."
            )
        await self._gauges.refresh()
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _from_this_machine(request: Request) -> bool:
    """A proxy on this machine is a loopback peer too: what it passes on is told by its headers or the name asked for."""
    forwarded = any(name in _FORWARDED or name.startswith("x-forwarded-") for name in request.headers)
    if request.client is None or forwarded or request.url.hostname not in LOOPBACK_NAMES:
        return False
    return is_loopback(request.client.host)
