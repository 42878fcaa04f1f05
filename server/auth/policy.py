"""What the operator allows in signing in."""

from dataclasses import dataclass

from server.auth.limits import Rates
from server.mail import Mail
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Policy:
    """Without `mail` the codes go to the operator's stderr. A link may lead to this machine, this server and, with
    https, to `redirect_names`.
    """

    mail: Mail | None
    redirect_names: tuple[str, ...]
    rates: Rates

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        """The operator's choices. Raises UnusableSetting."""
        mail = Mail.from_url(settings.smtp_url, settings.mail_from) if settings.smtp_url else None
        return cls(mail, settings.names, settings.rates)
