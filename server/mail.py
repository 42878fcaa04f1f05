"""Mail to people: one plain message over SMTP, in the thread that asks."""

import smtplib
import ssl
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from enum import StrEnum
from typing import Final
from urllib.parse import unquote, urlsplit

from server.addresses import is_loopback
from server.errors import UnusableSetting

_SECONDS: Final = 10.0
_EXAMPLE: Final = "give --smtp-url like smtp://user:password@mail.example.org:587"


class MailFailed(Exception):
    """The mail server did not take the message. The text says why without an address or a password."""


class Security(StrEnum):
    """How the connection is protected; STARTTLS is never left out because a server does not offer it."""

    PLAIN = "plain"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail server to send by, and the address that the mail comes from."""

    host: str
    port: int
    sender: str
    security: Security
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str, sender: str | None = None) -> "Mail":
        """`smtp://user:password@host:587` (with STARTTLS, but to this machine itself) or `smtps://…`.

        Without a sender the user of the url must be a mail address. Raises UnusableSetting, without the url in it.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if not host or parts.scheme not in ("smtp", "smtps") or parts.path.strip("/") or parts.query:
            raise UnusableSetting(f"The url of the mail server cannot be read: {_EXAMPLE}.")
        user = unquote(parts.username) if parts.username else None
        if parts.scheme == "smtps":
            security = Security.TLS
        else:
            security = Security.PLAIN if is_loopback(host) else Security.STARTTLS
        usual_port = 465 if security is Security.TLS else 587 if security is Security.STARTTLS else 25
        return cls(
            host,
            port or usual_port,
            _checked_sender(sender or user or ""),
            security,
            user,
            unquote(parts.password) if parts.password else None,
        )

    def send(self, to: str, subject: str, text: str) -> None:
        """Hands one message over. Blocks for at most a few times ten seconds. Raises MailFailed."""
        try:
            message = self._message(to, subject, text)
            with self._connected() as smtp:
                smtp.send_message(message)
        except (OSError, smtplib.SMTPException, MessageError, ValueError, IndexError) as error:
            # An SMTPException repeats what the server said, and that may repeat the address.
            raise MailFailed(type(error).__name__) from None

    def _connected(self) -> smtplib.SMTP:
        trust = ssl.create_default_context()
        if self.security is Security.TLS:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=_SECONDS, context=trust)
        else:
            smtp = smtplib.SMTP(self.host, self.port, timeout=_SECONDS)
        try:
            if self.security is Security.STARTTLS:
                smtp.starttls(context=trust)
            if self.user is not None:
                smtp.login(self.user, self.password or "")
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _message(self, to: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = Address("Homing", addr_spec=self.sender)
        name, _, domain = to.rpartition("@")
        message["To"] = Address(username=name, domain=domain)
        message["Subject"] = subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        return message


def _checked_sender(sender: str) -> str:
    try:
        address = Address(addr_spec=sender)
    except (MessageError, ValueError, IndexError):
        address = Address()
    if not (address.username and address.domain and sender.isascii() and sender.isprintable()):
        raise UnusableSetting("Mail needs a sender: give --mail-from like homing@example.org.")
    return sender
