"""What every kind of message is made with: its words, its frame, and the two ways of not going now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nudgepay.errors import NudgePayError
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.mailings.rendering import Addressee, render
from nudgepay.nudges.mime import Attachment, MailHeaders, build_mime
from nudgepay.nudges.terms import Terms


class NotNow(NudgePayError):
    """It waits: looked at again at `until`; `reason` is a word of the closed list of holds."""

    def __init__(self, reason: str, until: datetime) -> None:
        """`until` in UTC."""
        super().__init__(f"waits: {reason}")
        self.reason = reason
        self.until = until


class NotAnyMore(NudgePayError):
    """There is nothing left to say; `reason` is kept with the row."""

    def __init__(self, reason: str) -> None:
        """`reason` is one short phrase."""
        super().__init__(f"is not sent: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Composed:
    """A message as it leaves."""

    subject: str
    mime: bytes


def compose(
    mailing: Mailing,
    reader: Addressee,
    template: str,
    values: Mapping[str, Any],
    *,
    terms: Terms,
    now: datetime,
    attachments: tuple[Attachment, ...] = (),
) -> Composed:
    """Fill `template` and put it on the wire's form. Raises LetterError."""
    business = terms.business
    way_out = f"{terms.base_url}/u/{reader.unsubscribe_token}" if reader.unsubscribe_token else None
    frame = {
        "business": business.name,
        "address": [part.strip() for part in business.address.splitlines() if part.strip()],
        "unsubscribe_url": way_out,
    }
    subject, text, html, language = render(template, reader, {**frame, **values}, business_locale=business.locale)
    headers = MailHeaders(
        message_id=mailing.message_id,
        date=now,
        from_name=business.name,
        from_email=business.from_email,
        to_name=reader.name,
        to_email=reader.email,
        reply_to=business.reply_to,
        subject=subject,
        language=language,
        unsubscribe_url=way_out,
    )
    return Composed(subject, build_mime(headers, text, html, attachments))
