"""Who may speak to the gateway: the publishable key at the door, then the bearer's token."""

import hmac
from collections.abc import Iterable

from server.tokens import ANON, Caller, Tokens


class Door:
    """Checks the publishable key and turns an Authorization header into a caller."""

    def __init__(self, publishable_key: str, tokens: Tokens) -> None:
        self._tokens = tokens
        self.use(publishable_key)

    def use(self, publishable_key: str, older: Iterable[str] = ()) -> None:
        """Opens to these publishable keys from now on, and to no others."""
        self._keys = [key.encode() for key in (publishable_key, *older)]

    def knows(self, key: str | None) -> bool:
        """Whether this is a publishable key of the server."""
        given = (key or "").encode("utf-8", "replace")
        return any(hmac.compare_digest(given, each) for each in self._keys)

    def caller(self, bearer: str | None) -> Caller:
        """The caller behind a token; none, or the publishable key in its place, is anon. Raises TokenRefused."""
        if not bearer or self.knows(bearer):
            return ANON
        return self._tokens.caller(bearer)


def bearer_of(authorization: str | None) -> str | None:
    """The token of an `Authorization: Bearer …` header."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
