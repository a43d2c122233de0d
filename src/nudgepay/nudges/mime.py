"""The message on the wire: one recipient, no smuggled header, one-click unsubscribe. Pure.

Headers follow RFC 5322, RFC 8058 (one-click unsubscribe) and RFC 3834 (automatic messages).
"""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from nudgepay.errors import UsageError

_BREAKING = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bBqQ]\?[^?]*\?=")
_POLICY = SMTP.clone(max_line_length=78)


class HeaderError(UsageError):
    """A value would break out of its header; nothing was written."""


@dataclass(frozen=True, slots=True)
class MailHeaders:
    """What the headers say; addresses are plain addr-specs with ASCII domains."""

    message_id: str
    date: datetime
    from_name: str
    from_email: str
    to_name: str
    to_email: str
    reply_to: str | None
    subject: str
    language: str
    unsubscribe_url: str
    references: tuple[str, ...]


def message_id(letter_id: uuid.UUID, n: int, from_email: str) -> str:
    """`<np.{letter}.{n}@{domain}>`: the same letter has the same id, however often it is tried."""
    return f"<np.{letter_id}.{n}@{from_email.rpartition('@')[2]}>"


def build_mime(headers: MailHeaders, text: str, html: str) -> bytes:
    """A multipart/alternative message with CRLF line ends; raises HeaderError."""
    message = EmailMessage(policy=_POLICY)
    message["Message-ID"] = _safe("Message-ID", headers.message_id)
    message["Date"] = format_datetime(headers.date)
    message["From"] = _address("From", headers.from_name, headers.from_email)
    message["To"] = _address("To", headers.to_name, headers.to_email)
    if headers.reply_to:
        message["Reply-To"] = _address("Reply-To", "", headers.reply_to)
    message["Subject"] = _safe("Subject", headers.subject)
    message["List-Unsubscribe"] = f"<{_safe('List-Unsubscribe', headers.unsubscribe_url)}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if headers.references:
        message["In-Reply-To"] = _safe("In-Reply-To", headers.references[-1])
        message["References"] = _safe("References", " ".join(headers.references))
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = headers.language
    message.set_boundary(f"np-{headers.message_id.strip('<>').partition('@')[0]}")
    return message.as_bytes()


def _safe(header: str, value: str) -> str:
    if _BREAKING.search(value) or _ENCODED_WORD.search(value):
        raise HeaderError(f"{header}: holds a line break, a control character or an encoded word")
    return value


def _address(header: str, name: str, email: str) -> Address:
    _safe(header, name)
    _safe(header, email)
    local, at, domain = email.rpartition("@")
    if not at or not local or not domain or any(sign in email for sign in ' ,;<>"()'):
        raise HeaderError(f"{header}: is not one address")
    return Address(display_name=name, username=local, domain=domain)
