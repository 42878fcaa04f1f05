"""Mail to people, against a real mail server on loopback."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import UnusableSetting
from server.mail import Mail, MailFailed, Security
from tests.fakes.mailbox import Mailbox, open_mailbox, text_of

SENDER = "homing@example.test"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with open_mailbox() as opened:
        yield opened


def test_a_letter_arrives_as_it_was_written(mailbox: Mailbox) -> None:
    Mail.from_url(mailbox.url, SENDER).send("anna@example.test", "Your code", "123456\nÜnal 🏠\n")
    (letter,) = mailbox.to("anna@example.test")
    assert (letter["To"], letter["Subject"]) == ("anna@example.test", "Your code")
    assert letter["From"] == "Homing <homing@example.test>"
    assert letter["Date"]
    assert letter["Message-ID"].endswith("@example.test>")
    assert text_of(letter) == "123456\nÜnal 🏠\n"


@pytest.mark.parametrize(
    "email", ["a+b'c@x.test", "a..b@x.test", "ünal@x.test", "a%x@x.test", "a@xn--e1aybc.test"]
)
def test_odd_addresses_are_written_to_as_they_are(mailbox: Mailbox, email: str) -> None:
    Mail.from_url(mailbox.url, SENDER).send(email, "Your code", "text\n")
    ((recipients, _),) = mailbox.letters
    assert [each.replace('"', "") for each in recipients] == [email]


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_no_address_brings_a_header_or_a_person_along(name: str) -> None:
    mail = Mail("127.0.0.1", 1, SENDER, Security.PLAIN)
    try:
        message = mail._message(f"{name}\r\nBcc: eve@example.test\r\n@example.test", "Your code", "text")
    except ValueError:
        return
    assert message["Bcc"] is None
    assert b"\nBcc:" not in message.as_bytes()


@pytest.mark.parametrize(
    "email", ["a\r\nBcc: eve@x.test@y.test", "a\nSubject: x@y.test", "a@y.test\r\nRCPT TO:<eve@x.test>"]
)
def test_a_line_break_in_an_address_sends_nothing(mailbox: Mailbox, email: str) -> None:
    with pytest.raises(MailFailed):
        Mail.from_url(mailbox.url, SENDER).send(email, "Your code", "text")
    assert mailbox.letters == []


def test_a_mail_server_that_refuses_is_told_without_the_address(mailbox: Mailbox) -> None:
    mailbox.refusal = "550 no such person anna@example.test"
    with pytest.raises(MailFailed) as caught:
        Mail.from_url(mailbox.url, SENDER).send("anna@example.test", "Your code", "text")
    assert "anna" not in str(caught.value)


def test_a_wrong_login_or_a_server_that_is_away_fails(mailbox: Mailbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url in (f"smtp://homing:wrong@127.0.0.1:{mailbox.port}", f"smtp://127.0.0.1:{port}"):
        with pytest.raises(MailFailed):
            Mail.from_url(url, SENDER).send("anna@example.test", "Your code", "text")


def test_nothing_is_sent_in_clear_because_the_server_offers_no_more(mailbox: Mailbox) -> None:
    for security in (Security.STARTTLS, Security.TLS):
        mail = Mail("127.0.0.1", mailbox.port, SENDER, security)
        with pytest.raises(MailFailed):
            mail.send("anna@example.test", "Your code", "text")
    assert mailbox.letters == []


@pytest.mark.parametrize(
    ("url", "port", "security"),
    [
        ("smtp://mail.example.org", 587, Security.STARTTLS),
        ("smtp://u:p@mail.example.org:2525", 2525, Security.STARTTLS),
        ("smtps://u:p@mail.example.org", 465, Security.TLS),
        ("smtp://localhost", 25, Security.PLAIN),
    ],
)
def test_a_url_says_where_and_how(url: str, port: int, security: Security) -> None:
    mail = Mail.from_url(url, SENDER)
    assert (mail.port, mail.security) == (port, security)


def test_the_user_of_the_url_is_the_sender_when_it_is_an_address() -> None:
    mail = Mail.from_url("smtps://anna%40example.org:s3cret@mail.example.org")
    assert mail.sender == "anna@example.org"
    assert "s3cret" not in repr(mail)


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("http://mail.example.org", SENDER),
        ("smtp://", SENDER),
        ("mail.example.org:587", SENDER),
        ("smtp://u:s3cret@mail.example.org:x", SENDER),
        ("smtp://[::1", SENDER),
        ("smtp://mail.example.org/path", SENDER),
        ("smtp://u:s3cret@mail.example.org", None),
        ("smtp://mail.example.org", "no address"),
        ("smtp://mail.example.org", "a@b.test\r\nBcc: eve@x.test"),
    ],
)
def test_a_setting_that_cannot_work_is_told_in_one_line_without_its_password(
    url: str, sender: str | None
) -> None:
    with pytest.raises(UnusableSetting) as caught:
        Mail.from_url(url, sender)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
