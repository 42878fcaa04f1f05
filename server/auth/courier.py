"""Brings codes to people: by mail when there is a mail server, else to the operator of this one."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from server.auth.codes import CODE_MINUTES, Secret
from server.mail import Mail, MailFailed

_SECONDS: Final = 30.0
_THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class Letter:
    """What somebody is told. Without a secret it only says that nothing is known about the address."""

    email: str
    reason: str
    secret: Secret | None
    link: str | None = None


class Courier:
    """Sends on its own threads, so that a slow mail server holds up nothing else."""

    def __init__(self, mail: Mail | None) -> None:
        self._mail = mail
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="smtp")

    async def bring(self, letter: Letter) -> None:
        """Returns when the mail server has taken the letter. Raises MailFailed."""
        if self._mail is None:
            _tell_operator(letter)
            return
        subject = "Your code" if letter.secret else "Somebody asked for a code"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_SECONDS):
                await loop.run_in_executor(
                    self._threads, self._mail.send, letter.email, subject, _text(letter)
                )
        except TimeoutError:
            raise MailFailed("too slow") from None
        except MailFailed as failed:
            _tell(f"homing: the mail server did not take a message ({failed}): check --smtp-url.")
            raise

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _tell_operator(letter: Letter) -> None:
    if letter.secret:
        _tell(f"homing: code for {letter.email}: {letter.secret.code} ({CODE_MINUTES} minutes)")


def _tell(line: str) -> None:
    # Not by logging: its records may go on to files and collectors, and this line is for one pair of eyes.
    print(line, file=sys.stderr, flush=True)  # noqa: T201  # as above


def _text(letter: Letter) -> str:
    if letter.secret is None:
        return (
            f"Somebody asked for a code {letter.reason} with this address, but there is no account with it here.\n\n"
            "If that was you, sign up, or try the address that you signed up with. Otherwise do nothing.\n"
        )
    lines = [f"Your code {letter.reason}:", "", f"    {letter.secret.code}", ""]
    if letter.link:
        lines += ["Or follow this link:", "", letter.link, ""]
    lines += [
        f"Both end after {CODE_MINUTES} minutes or one use."
        if letter.link
        else f"It ends after {CODE_MINUTES} minutes or one use.",
        "If you did not ask for it, do nothing, and tell it to nobody.",
    ]
    return "\n".join(lines) + "\n"
