"""Counts every request on its way through, by route, function and status: labels that cannot grow without bound."""

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

RPC_PATH: Final = "/rest/v1/rpc/{name}"
_LATENCIES: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Traffic:
    """The outermost ASGI application. `known` says whether a name is a function's."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry, known: Callable[[str], bool]) -> None:
        self._app = app
        self._known = known
        self._requests = Counter(
            "homing_http_requests", "Answers.", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "homing_http_request_seconds",
            "From the request to its whole answer.",
            ["route"],
            buckets=_LATENCIES,
            registry=registry,
        )
        self._calls = Counter(
            "homing_rpc_calls", "Calls of SQL functions.", ["function", "status"], registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            self._count(scope, status, time.perf_counter() - began)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(route).observe(seconds)
        if route == RPC_PATH:
            name = scope["path_params"]["name"]
            self._calls.labels(name if self._known(name) else "unknown", status).inc()
