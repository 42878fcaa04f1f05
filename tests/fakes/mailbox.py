"""A mail server on loopback that keeps what it gets, and may refuse it."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

ACCOUNT = ("homing", "p@ss/word")


class Mailbox:
    """All letters that came in, with the addresses of their envelopes."""

    def __init__(self) -> None:
        self.letters: list[tuple[list[str], EmailMessage]] = []
        self.refusal: str | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """How `homing serve` reaches it."""
        return f"smtp://homing:p%40ss%2Fword@127.0.0.1:{self.port}"

    def to(self, email: str) -> list[EmailMessage]:
        """The letters to one address, the newest last."""
        return [letter for recipients, letter in self.letters if recipients == [email]]

    def code_to(self, email: str) -> str:
        """The code in the newest letter to an address."""
        found = re.search(r"^ {4}(\d{6})$", text_of(self.to(email)[-1]), re.MULTILINE)
        assert found is not None
        return found[1]

    def link_to(self, email: str) -> str:
        """The link in the newest letter to an address."""
        found = re.search(r"^http\S+$", text_of(self.to(email)[-1]), re.MULTILINE)
        assert found is not None
        return found[0]

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes letters from whoever logged in."""
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's
        """Takes a letter, or refuses it as told."""
        if self.refusal is not None:
            return self.refusal
        letter = BytesParser(EmailMessage, policy=default).parsebytes(cast("bytes", envelope.content))
        self.letters.append((list(envelope.rcpt_tos), letter))
        return "250 OK"


def text_of(letter: EmailMessage) -> str:
    """What a person reads."""
    return str(letter.get_content()).replace("\r\n", "\n")


@contextmanager
def open_mailbox() -> Iterator[Mailbox]:
    """A mail server that asks for a login and ends with the block."""
    mailbox = Mailbox()

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == tuple(
            word.encode() for word in ACCOUNT
        )
        return AuthResult(success=right)

    with socket.create_server(("127.0.0.1", 0)) as free:
        mailbox.port = free.getsockname()[1]
    # The controller knocks at the port it was given, so it cannot be 0.
    controller = Controller(
        mailbox, "127.0.0.1", mailbox.port, authenticator=check, auth_require_tls=False, enable_SMTPUTF8=True
    )
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
