"""The message on the wire: one recipient, one-click unsubscribe, both texts quoted-printable, files beside. Pure.

Headers follow RFC 5322, RFC 8058 (one-click unsubscribe) and RFC 3834 (automatic messages). The message is put
together by hand: the standard library's EmailMessage took three quarters of a letter's time. It is the judge in the
tests, where its parser reads every message back.
"""

import re
import uuid
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
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
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_LINE_END = re.compile(r"\r\n|\r|\n")
_AT_RISK = re.compile(rb"^(?:\.|F(?=rom ))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file beside the text. `media_type` such as application/pdf; a name of plain ASCII."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class MailHeaders:
    """What the headers say. `date` is aware; `references` are earlier Message-IDs, oldest first.

    `unsubscribe_url` is None only for mail to the business itself.
    """

    message_id: str
    date: datetime
    from_name: str
    from_email: str
    to_name: str
    to_email: str
    reply_to: str | None
    subject: str
    language: str
    unsubscribe_url: str | None
    references: tuple[str, ...] = ()


def message_id(letter_id: uuid.UUID, n: int, from_email: str) -> str:
    """`<np.{letter}.{n}@{domain}>`: the same letter has the same id, however often it is tried.

    Raises LetterError when `from_email` is not one plain address.
    """
    return f"<np.{letter_id}.{n}@{addr_spec('From', from_email).rpartition('@')[2]}>"


def build_mime(headers: MailHeaders, text: str, html: str, attachments: Sequence[Attachment] = ()) -> bytes:
    """A message with CRLF line ends: multipart/alternative, inside multipart/mixed when files come with it.

    Raises LetterError.
    """
    boundary = f"=_{headers.message_id.strip('<>').partition('@')[0]}"
    fields = "\r\n".join([*_fields(headers), "MIME-Version: 1.0", ""]).encode("ascii")
    texts = _multipart("alternative", boundary, [_part("plain", text), _part("html", html)])
    if not attachments:
        return fields + texts
    files = [b"\r\n" + texts, *(_attached(one) for one in attachments)]
    return fields + _multipart("mixed", f"{boundary}.m", files)


def _multipart(kind: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n'.encode("ascii")
    delimiter = f"\r\n--{boundary}".encode("ascii")
    return b"".join([head, *(delimiter + part for part in parts), delimiter, b"--\r\n"])


def _attached(file: Attachment) -> bytes:
    if not _FILE_NAME.fullmatch(file.name) or not _MEDIA_TYPE.fullmatch(file.media_type):
        raise LetterError("attachment: its name or kind cannot stand in a message; use letters, digits, dots, dashes")
    is_message = file.media_type == "message/rfc822"
    head = (
        f'\r\nContent-Type: {file.media_type}; name="{file.name}"\r\n'
        f'Content-Disposition: attachment; filename="{file.name}"\r\n'
    )
    if is_message:
        return head.encode("ascii") + b"\r\n" + file.content
    return (head + "Content-Transfer-Encoding: base64\r\n\r\n").encode("ascii") + encodebytes(file.content).replace(
        b"\n", b"\r\n"
    )


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
        *_way_out(headers.unsubscribe_url),
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        f"Content-Language: {ensure_text('Content-Language', headers.language)}",
    ]
    if thread:
        fields.append(f"In-Reply-To: {thread[-1]}")
        fields.append(f"References: {folded(' '.join(thread), first=12)}")
    return fields


def _way_out(url: str | None) -> list[str]:
    if url is None:
        return []
    return [
        f"List-Unsubscribe: <{ensure_url('List-Unsubscribe', url)}>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ]


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
