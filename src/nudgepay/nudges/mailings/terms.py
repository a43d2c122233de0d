"""Which of these messages an installation wants, made from its settings."""

from dataclasses import dataclass
from datetime import time

from nudgepay.config import Settings


@dataclass(frozen=True, slots=True)
class MailingTerms:
    """`digest_at` is a local time of `timezone`, None for no digest; `copies` how many first letters are copied."""

    thanks: bool
    digest_to: tuple[str, ...]
    digest_at: time | None
    timezone: str
    copies: int
    copies_to: str


def mailing_terms(settings: Settings) -> MailingTerms:
    """The settings' wishes."""
    listed = tuple(part.strip() for part in settings.digest_recipients.split(",") if part.strip())
    return MailingTerms(
        thanks=settings.thank_you_letters,
        digest_to=listed or ((settings.admin_email,) if settings.admin_email else ()),
        digest_at=None if settings.digest_at == "off" else time.fromisoformat(settings.digest_at),
        timezone=settings.business_timezone,
        copies=settings.copy_first_letters,
        copies_to=settings.copy_letters_to or settings.admin_email or settings.reply_to or settings.from_email,
    )
