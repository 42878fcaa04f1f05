"""HTTP connections that may not wait for ever for a request, nor come in crowds from one address."""

import asyncio
import ipaddress
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.addresses import is_loopback, network_of

_HEAD_SECONDS: Final = 20.0
_OF_ONE_ADDRESS: Final = 250


class Connection(H11Protocol):
    """Uvicorn's, but the head of a request comes in time, and one address has a part of the places only.

    Uvicorn counts silent connections among those it takes at most, and bounds no first head and no half one.
    """

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Turns away what is too much."""
        super().connection_made(transport)
        if self._is_one_too_many():
            transport.abort()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Every byte of a head counts against the one deadline."""
        super().data_received(data)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the deadline."""
        self._forget_head()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._forget_head()
        elif self._head is None:
            self._head = self.loop.call_later(_HEAD_SECONDS, self.transport.abort)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _is_one_too_many(self) -> bool:
        trusted = self.config.forwarded_allow_ips or ()
        if self.client is None or _is_exempt(self.client[0], trusted):
            return False
        own = network_of(self.client[0])
        peers = (getattr(each, "client", None) for each in self.connections)
        theirs = [peer for peer in peers if peer is not None and network_of(peer[0]) == own]
        return len(theirs) > _OF_ONE_ADDRESS


def _is_exempt(address: str, trusted: list[str] | str | tuple[()]) -> bool:
    """A proxy brings everybody's connections from its one address; this machine may do as it likes."""
    if is_loopback(address):
        return True
    networks = [] if isinstance(trusted, str) else [ipaddress.ip_network(each) for each in trusted]
    return any(ipaddress.ip_address(address) in network for network in networks)
