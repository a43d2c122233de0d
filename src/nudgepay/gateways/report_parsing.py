"""What comes back by mail: delivery status (RFC 3464), abuse reports (RFC 5965), auto-replies (RFC 3834).

The reports are read with the standard library's MIME parser, which splits `message/delivery-status` into its groups
of fields. Only reports that name one of our Message-IDs count: it holds 122 random bits, so nobody who has not
seen the letter can speak of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.utils import parsedate_to_datetime
from typing import Literal, cast

from nudgepay.gateways.mail import MESSAGE_ID, DeliveryReport, Fate

MAX_BYTES = 2 * 1024 * 1024
"""A report carries the headers of a letter, or the letter; more is none."""
FATES: dict[str, Fate] = {
    "failed": "bounced",
    "delivered": "delivered",
    "relayed": "delivered",
    "expanded": "delivered",
}
"""RFC 3464 2.3.3; `delayed` is no end, so it is left out."""

Kind = Literal["reports", "delayed", "auto_reply", "other"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a message turned out to be, and what it reports."""

    kind: Kind
    reports: tuple[DeliveryReport, ...] = ()


def read_message(raw: bytes, *, source: str) -> Incoming:
    """Understand one message; whatever cannot be understood is `other`, never an error."""
    if len(raw) > MAX_BYTES:
        return Incoming("other")
    try:
        message = cast(EmailMessage, message_from_bytes(raw, policy=policy.compat32))
        kind = str(message.get_param("report-type") or "").lower()
        if message.get_content_type() == "multipart/report" and kind == "delivery-status":
            return _delivery_status(message, source)
        if message.get_content_type() == "multipart/report" and kind == "feedback-report":
            return _feedback(message, source)
        return Incoming("auto_reply" if _is_automatic(message) else "other")
    except (MessageError, ValueError, LookupError, AttributeError, RecursionError):
        return Incoming("other")


def _delivery_status(message: Message, source: str) -> Incoming:
    message_id = _original_message_id(message)
    if message_id is None:
        return Incoming("other")
    at = _instant(message)
    reports = [
        DeliveryReport(
            message_id=message_id,
            fate=FATES[action],
            recipient=_address(group),
            status=str(group.get("Status", "")).strip().split(" ")[0],
            at=at,
            source=source,
        )
        for group in _groups(message)
        if (action := str(group.get("Action", "")).strip().lower()) in FATES
    ]
    return Incoming("reports", tuple(reports)) if reports else Incoming("delayed")


def _feedback(message: Message, source: str) -> Incoming:
    message_id = _original_message_id(message)
    if message_id is None:
        return Incoming("other")
    fields = next(part for part in message.walk() if part.get_content_type() == "message/feedback-report")
    told = message_from_bytes(_content(fields))
    if str(told.get("Feedback-Type", "")).strip().lower() not in {"abuse", "fraud", "opt-out"}:
        return Incoming("other")
    recipient = str(told.get("Original-Rcpt-To", "")).strip().strip("<>")
    report = DeliveryReport(message_id, "complained", recipient=recipient, at=_instant(message), source=source)
    return Incoming("reports", (report,))


def _groups(message: Message) -> Iterator[Message]:
    """The fields of each recipient: every group after the first, which speaks of the whole message."""
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            payload = part.get_payload()
            yield from (cast(Message, group) for group in payload[1:]) if isinstance(payload, list) else ()


def _original_message_id(message: Message) -> str | None:
    """The Message-ID of the letter that the report returns, whole or as headers; None when it is none of ours."""
    for part in message.walk():
        if part.get_content_type() == "message/rfc822":
            payload = part.get_payload()
            returned = payload[0] if isinstance(payload, list) else None
        elif part.get_content_type() == "text/rfc822-headers":
            returned = message_from_bytes(_content(part))
        else:
            continue
        name = str(cast(Message, returned).get("Message-ID", "")).strip() if returned is not None else ""
        if MESSAGE_ID.fullmatch(name):
            return name
    return None


def _content(part: Message) -> bytes:
    """A part's bytes, also of a `message/*` that the parser took for a message of its own."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return b"".join(bytes(cast(Message, inner)) for inner in payload)
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else b""


def _address(group: Message) -> str:
    """`rfc822; ada@example.com`, by preference as we wrote it."""
    value = str(group.get("Original-Recipient") or group.get("Final-Recipient") or "")
    return value.partition(";")[2].strip().strip("<>")


def _instant(message: Message) -> datetime | None:
    try:
        at = parsedate_to_datetime(str(message.get("Date", "")))
        return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _is_automatic(message: Message) -> bool:
    """RFC 3834 5: anything but `no`; older responders say it by precedence, or by a return path of nobody."""
    said = str(message.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    precedence = str(message.get("Precedence", "")).strip().lower()
    return said != "no" or precedence in {"auto_reply", "bulk", "junk"} or "X-Autoreply" in message
