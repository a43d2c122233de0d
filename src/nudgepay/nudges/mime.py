"""The message on the wire: one recipient, one-click unsubscribe, both parts as quoted-printable. Pure.

Headers follow RFC 5322, RFC 8058 (one-click unsubscribe) and RFC 3834 (automatic messages). The message is put
together by hand: the standard library's EmailMessage took three quarters of a letter's time. It is the judge in the
tests, where its parser reads every message back.
"""

import re
import uuid
from binascii import b2a_qp
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from nudgepay.nudges.mail_headers import (
    LetterError,
    addr_spec,
    ensure_text,
    ensure_url,
    folded,
    mailbox_field,
    text_field,
)

_MESSAGE_ID = re.compile(r"<[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,255}>")
_LINE_END = re.compile(r"\r\n|\r|\n")
_AT_RISK = re.compile(rb"^(?:\.|F(?=rom ))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MailHeaders:
    """What the headers say. `date` is aware; `references` are earlier Message-IDs, oldest first."""

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
    references: tuple[str, ...] = ()


def message_id(letter_id: uuid.UUID, n: int, from_email: str) -> str:
    """`<np.{letter}.{n}@{domain}>`: the same letter has the same id, however often it is tried.

    Raises LetterError when `from_email` is not one plain address.
    """
    return f"<np.{letter_id}.{n}@{addr_spec('From', from_email).rpartition('@')[2]}>"


def build_mime(headers: MailHeaders, text: str, html: str) -> bytes:
    """A multipart/alternative message with CRLF line ends; raises LetterError."""
    boundary = f"=_{headers.message_id.strip('<>').partition('@')[0]}"
    fields = [
        *_fields(headers),
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"',
    ]
    head = "\r\n".join(fields).encode("ascii")
    delimiter = f"\r\n--{boundary}".encode("ascii")
    parts = [head, b"\r\n", delimiter, _part("plain", text), delimiter, _part("html", html), delimiter, b"--\r\n"]
    return b"".join(parts)


def _fields(headers: MailHeaders) -> list[str]:
    identity, *thread = (_known_id(one) for one in (headers.message_id, *headers.references))
    fields = [
        f"Message-ID: {identity}",
        f"Date: {_date(headers.date)}",
        f"From: {mailbox_field('From', headers.from_name, headers.from_email)}",
        f"To: {mailbox_field('To', headers.to_name, headers.to_email)}",
    ]
    if headers.reply_to:
        fields.append(f"Reply-To: {mailbox_field('Reply-To', '', headers.reply_to)}")
    fields += [
        f"Subject: {text_field('Subject', headers.subject)}",
        f"List-Unsubscribe: <{ensure_url('List-Unsubscribe', headers.unsubscribe_url)}>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        f"Content-Language: {ensure_text('Content-Language', headers.language)}",
    ]
    if thread:
        fields.append(f"In-Reply-To: {thread[-1]}")
        fields.append(f"References: {folded(' '.join(thread), first=12)}")
    return fields


def _known_id(given: str) -> str:
    if not _MESSAGE_ID.fullmatch(given):
        raise LetterError("Message-ID: is not of the form <name@domain>")
    return given


def _date(given: datetime) -> str:
    if given.tzinfo is None:
        raise LetterError("Date: needs an instant with its zone")
    return format_datetime(given)


def _part(kind: str, content: str) -> bytes:
    """One part; no line of it begins with a dot or with `From `, which relays and mailboxes may change."""
    try:
        raw = _LINE_END.sub("\n", content).encode()
    except UnicodeEncodeError as error:
        raise LetterError(
            "the letter holds half a character (a lone surrogate); correct the client's data"
        ) from error
    lines = _guarded(b2a_qp(raw, istext=True)).replace(b"\n", b"\r\n")
    head = f'\r\nContent-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    return head.encode("ascii") + lines


def _guarded(lines: bytes) -> bytes:
    """A soft line break after each sign that is at risk keeps every line within 76 characters (RFC 2045, 6.7)."""
    while _AT_RISK.search(lines):
        lines = _AT_RISK.sub(lambda found: b"=%02X=\n" % found[0][0], lines)
    return lines
