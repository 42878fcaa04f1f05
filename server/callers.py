"""Who may speak to the gateway: the publishable key at the door, then the bearer's token."""

import hmac

from server.tokens import ANON, Caller, Tokens


class Door:
    """Checks the publishable key and turns an Authorization header into a caller."""

    def __init__(self, publishable_key: str, tokens: Tokens) -> None:
        self._key = publishable_key.encode()
        self._tokens = tokens

    def knows(self, key: str | None) -> bool:
        """Whether this is the server's publishable key."""
        return key is not None and hmac.compare_digest(key.encode("utf-8", "replace"), self._key)

    def caller(self, bearer: str | None) -> Caller:
        """The caller behind a token; none, or the publishable key in its place, is anon. Raises TokenRefused."""
        if not bearer or self.knows(bearer):
            return ANON
        return self._tokens.caller(bearer)


def bearer_of(authorization: str | None) -> str | None:
    """The token of an `Authorization: Bearer …` header."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
