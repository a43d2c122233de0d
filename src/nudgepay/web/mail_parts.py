"""A stored mail as a browser may show it: its headers, its text, its HTML in a frame that can do nothing."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

from starlette.responses import HTMLResponse, Response

from nudgepay.errors import NotFound

SHOWN = (
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "List-Unsubscribe",
    "Auto-Submitted",
)
FRAME_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
"""A mail carries inline styles; it is shown in a sandboxed frame and may do nothing else."""


def headers_of(mime: bytes) -> list[tuple[str, str]]:
    """The headers that a person asks for."""
    message = _message(mime)
    return [(name, str(message[name])) for name in SHOWN if message[name]]


def text_of(mime: bytes) -> str:
    """The plain part."""
    body = cast("EmailMessage | None", _message(mime).get_body(("plain",)))
    return body.get_content() if body is not None else ""


def attachments_of(mime: bytes) -> list[str]:
    """The names of what is attached."""
    return [part.get_filename() or "" for part in _message(mime).iter_attachments()]


def html_answer(mime: bytes) -> Response:
    """The HTML part for a sandboxed frame; raises NotFound when there is none."""
    body = cast("EmailMessage | None", _message(mime).get_body(("html",)))
    if body is None:
        raise NotFound("this message has no HTML part")
    return HTMLResponse(body.get_content(), headers={"Content-Security-Policy": FRAME_POLICY})


def raw_answer(mime: bytes, name: str) -> Response:
    """The bytes that were handed to the relay, as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.eml"'}
    return Response(mime, media_type="message/rfc822", headers=headers)


def _message(mime: bytes) -> EmailMessage:
    return message_from_bytes(mime, policy=policy.default)
