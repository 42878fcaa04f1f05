"""Access tokens for tests of the borders: a list of them, handed out one after the other as they are refused."""

from sync.errors import SignInAgain


class ListedTokens:
    """Hands out the first token until it is refused, then the next one."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.renewals = 0

    async def access_token(self) -> str:
        return self.tokens[0]

    async def renewed(self, rejected: str) -> str:
        self.renewals += 1
        if rejected == self.tokens[0]:
            self.tokens.pop(0)
        if not self.tokens:
            raise SignInAgain("No token is left: sign in again.")
        return self.tokens[0]
