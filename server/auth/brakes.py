"""Which limits stand before which step, and what somebody is told who meets one."""

from starlette.requests import Request

from server.addresses import network_of
from server.auth.border import Refused
from server.limits import Limits, Rate, Rates


class Brakes:
    """Refuses a step that is asked for too often."""

    def __init__(self, rates: Rates, limits: Limits | None = None) -> None:
        self._rates = rates
        self._limits = limits or Limits()

    def sign_up(self, request: Request) -> None:
        """Before an account is made."""
        self._take(self._rates.sign_ups_of_address, "sign up", _network(request))

    def refresh(self, request: Request) -> None:
        """Before a refresh token is looked at. Far beyond what clients do that only try again."""
        self._take(self._rates.refreshes_of_address, "refresh", _network(request))

    def password(self, request: Request, email: str) -> None:
        """Before a password is checked: else a burst of parallel tries would all pass."""
        network = _network(request)
        self._take(self._rates.wrong_passwords_of_address, "password", network)
        self._take(self._rates.wrong_passwords_of_address_for_email, "password", network, email)
        self._take(self._rates.wrong_passwords_for_email, "password for", email)

    def password_was_right(self, request: Request, email: str) -> None:
        """Only wrong ones count."""
        network = _network(request)
        self._limits.give_back("password", network)
        self._limits.give_back("password for", email)
        self._limits.forget("password", network, email)

    def mail(self, request: Request, email: str) -> None:
        """Before a mail is sent, or would be if there were such an account."""
        self._take(self._rates.mails_of_address, "mail", _network(request))
        for rate in (self._rates.mails_to_email, self._rates.mails_to_email_in_an_hour):
            wait = self._limits.take(rate, "mail to", str(rate.seconds), email)
            if wait:
                raise Refused(
                    429,
                    "over_email_send_rate_limit",
                    f"For security purposes, you can only request this after {int(wait) + 1} seconds.",
                    wait=wait,
                )

    def proof(self, request: Request, email: str | None = None) -> None:
        """Before a code, a link or an auth code is looked at."""
        self._take(self._rates.proofs_of_address, "proof", _network(request))
        if email is not None:
            self._take(self._rates.proofs_for_email, "proof for", email)

    def _take(self, rate: Rate, *who: str) -> None:
        if wait := self._limits.take(rate, *who):
            raise Refused(429, "over_request_rate_limit", "Too many requests, wait a while", wait=wait)


def _network(request: Request) -> str:
    return network_of(request.client.host) if request.client else ""
