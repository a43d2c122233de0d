"""A letter as it was sent, shown to an operator: its headers and text, its HTML in a frame that can do nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

from starlette.responses import HTMLResponse, Response

from nudgepay.errors import NotFound

LETTER_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
"""A mail carries inline styles; it is shown in a sandboxed frame and may do nothing else."""
SHOWN = ("From", "To", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "List-Unsubscribe")


@dataclass(frozen=True, slots=True)
class Body:
    """What a reader's mail program shows. `html` is None for a mail of text alone."""

    headers: Mapping[str, str]
    text: str
    html: str | None


def read_body(mime: bytes) -> Body:
    """The parts of a message of ours."""
    message = message_from_bytes(mime, policy=policy.default)
    text = cast("EmailMessage | None", message.get_body(("plain",)))
    html = cast("EmailMessage | None", message.get_body(("html",)))
    return Body(
        headers={name: str(message[name]) for name in SHOWN if message[name]},
        text=text.get_content().replace("\r\n", "\n") if text is not None else "",
        html=html.get_content() if html is not None else None,
    )


def in_a_frame(html: str | None) -> Response:
    """The HTML for the sandboxed frame; raises NotFound where there is none."""
    if html is None:
        raise NotFound("this letter has no HTML")
    return HTMLResponse(html, headers={"Content-Security-Policy": LETTER_CSP})


def as_file(mime: bytes, message_id: str) -> Response:
    """The very bytes that were handed over, as a file for a mail program."""
    name = "".join(sign for sign in message_id.partition("@")[0] if sign.isalnum() or sign in ".-")
    headers = {"Content-Disposition": f'attachment; filename="{name or "letter"}.eml"'}
    return Response(mime, media_type="message/rfc822", headers=headers)
