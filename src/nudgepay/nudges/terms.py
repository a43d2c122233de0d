"""What every letter of an installation is written and sent under. Pure data, made from the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from typing import Literal

from nudgepay.config import Settings
from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.facts import Rules
from nudgepay.nudges.letter import Business, LetterInput, WrittenLetter, write_letter

LONGEST_LOOK_SECONDS = 5.0
"""No message begins later than this after the look that allowed it."""


InvoicePdfs = Literal["link", "attach", "none"]
"""What a letter does with an invoice's own PDF."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The business, the rules and the limits of a pass. Seconds: `lease_seconds`, `longest_look_seconds`.

    `has_card`: the payers' pages take cards. `is_idempotent`: the provider drops a second message with one key.
    """

    business: Business
    base_url: str
    rules: Rules
    calendar: WorkCalendar
    lease_seconds: float
    longest_look_seconds: float = LONGEST_LOOK_SECONDS
    has_card: bool = True
    invoice_pdfs: InvoicePdfs = "link"
    is_idempotent: bool = False
    write: Callable[[LetterInput], WrittenLetter] = write_letter


def terms_of(settings: Settings) -> Terms:
    """The settings' terms. Whether sending is paused is asked again at every look."""
    opens, closes = (time.fromisoformat(part) for part in settings.sending_hours.split("-"))
    return Terms(
        business=Business(
            name=settings.business_name,
            address=settings.business_address,
            from_email=settings.from_email,
            reply_to=settings.reply_to,
            iban=settings.business_iban,
            bic=settings.business_bic,
            locale=settings.business_locale,
        ),
        base_url=settings.base_url.rstrip("/"),
        rules=Rules(opens=opens, closes=closes, contact_gap_days=settings.contact_gap_days),
        calendar=WorkCalendar(opens, closes),
        lease_seconds=settings.sending_lease_seconds,
        invoice_pdfs=settings.invoice_pdfs,
        is_idempotent=settings.mail_transport == "smtp" and settings.smtp_idempotency_header is not None,
        has_card=settings.secret("stripe_secret_key") is not None,
    )
