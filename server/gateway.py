"""The gateway: every route that the official clients use, assembled over one database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from prometheus_client import CollectorRegistry
from psycopg_pool import PoolTimeout
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from server.answers import rest_error
from server.auth.border import Handler
from server.auth.routes import auth_routes
from server.callers import Door
from server.database import Pool, open_pool
from server.guards import Guard, Hosts
from server.keys import Keys
from server.metrics import Gauges, Metrics
from server.realtime.hub import GOING_AWAY, SESSION_ENDED, Hub
from server.realtime.pokes import Pokes
from server.realtime.sockets import Realtime
from server.realtime.topics import TopicPolicies
from server.rest.catalogue import Catalogue
from server.rest.rpc import Rpc
from server.rest.tables import METHODS, Tables
from server.settings import Settings
from server.shares import Shares
from server.tokens import Tokens
from server.traffic import RPC_PATH, Traffic

_HEALTH_SECONDS: Final = 2.0


class Gateway:
    """The ASGI application, and what may be asked of it while it serves."""

    def __init__(self, app: ASGIApp, hub: Hub, tokens: Tokens, door: Door, keys: Keys) -> None:
        self.app = app
        self._hub = hub
        self._tokens = tokens
        self._door = door
        self._keys = keys

    def use(self, keys: Keys) -> None:
        """Serves with these keys from now on. Sockets end when the tokens they joined with no longer count."""
        if keys == self._keys:
            return
        self._tokens.use(keys.jwt_secret, keys.older_secrets)
        self._door.use(keys.publishable, keys.older_publishables)
        if not keys.honours(self._keys):
            self._hub.close_all(SESSION_ENDED)
        self._keys = keys

    def hang_up(self) -> None:
        """Ends all realtime sockets, so that a stopping server need not wait for them."""
        self._hub.close_all(GOING_AWAY)


@asynccontextmanager
async def open_gateway(conninfo: str, keys: Keys, settings: Settings, *, url: str) -> AsyncIterator[Gateway]:
    """A gateway that is ready to answer, over a database that has the schema; `url` is how clients reach it."""
    tokens = Tokens(keys.jwt_secret, f"{url}/auth/v1")
    tokens.use(keys.jwt_secret, keys.older_secrets)
    door, hub, shares = Door(keys.publishable, tokens), Hub(), Shares()
    door.use(keys.publishable, keys.older_publishables)
    pokes = Pokes(conninfo, hub)
    async with open_pool(conninfo) as pool, pokes.passed_on():
        catalogue = Catalogue(pool)
        await catalogue.read()
        with auth_routes(pool, door, tokens, settings, url=url, on_end=hub.end_sessions) as signing_in:
            routes = [
                Route("/health", _health(pool)),
                Route(RPC_PATH, Rpc(door, catalogue, pool, shares).endpoint, methods=["POST", "GET"]),
                Route("/rest/v1/{table}", Tables(door, catalogue, pool, shares).endpoint, methods=METHODS),
                *signing_in,
                WebSocketRoute(
                    "/realtime/v1/websocket", Realtime(door, hub, TopicPolicies(pool).allows).endpoint
                ),
            ]
            registry = CollectorRegistry()
            if settings.metrics:
                gauges = Gauges(pool, lambda: {"sockets": hub.size, "pokes": pokes.heard})
                routes.append(Route("/metrics", Metrics(registry, gauges).endpoint))
            app = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_found})
            guarded = Guard(app, Hosts(settings))
            counted = Traffic(guarded, registry, catalogue.knows) if settings.metrics else guarded
            yield Gateway(counted, hub, tokens, door, keys)


def _health(pool: Pool) -> Handler:
    async def endpoint(_: Request) -> Response:
        try:
            async with asyncio.timeout(_HEALTH_SECONDS), pool.connection() as db:
                await db.execute("select")
        except (psycopg.Error, PoolTimeout, TimeoutError):
            return JSONResponse({"status": "error", "reason": "PostgreSQL does not answer"}, 503)
        return JSONResponse({"status": "ok"})

    return endpoint


async def _not_found(request: Request, _: Exception) -> Response:
    return rest_error(
        404, "PGRST125", "There is nothing here.", hint="Use the url that homing serve printed."
    )
