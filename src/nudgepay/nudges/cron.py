"""The signed call that starts a pass: right signature, near enough in time, each once.

`X-Cron-Signature` is the hex HMAC-SHA256 of `{timestamp}.{sha256 hex of the body}`.
"""

import hashlib
import hmac
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.errors import NudgePayError

TOLERANCE_SECONDS = 300


class BadCronSignature(NudgePayError):
    """Not signed with our secret, too old, or used already."""

    status = 401


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The signature of a call."""
    message = f"{timestamp}.{hashlib.sha256(body).hexdigest()}"
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def accept_call(session: Session, *, secret: str, timestamp: str, signature: str, body: bytes, now: datetime) -> None:
    """Use up the call's signature; raises BadCronSignature, which does not say what was wrong."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise BadCronSignature("the call is not signed")
    expected = sign(secret, int(timestamp), body)
    is_ours = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
    if not is_ours or abs(int(timestamp) - now.timestamp()) > TOLERANCE_SECONDS:
        raise BadCronSignature("the call is not signed")
    fresh = session.execute(
        text("INSERT INTO cron_signatures (signature) VALUES (:used) ON CONFLICT DO NOTHING RETURNING id"),
        {"used": expected},
    ).first()
    if fresh is None:
        raise BadCronSignature("the call is not signed")


def forget_signatures(session: Session) -> int:
    """Drop used signatures that are too old to be accepted again."""
    gone = session.execute(text("DELETE FROM cron_signatures WHERE seen_at < now() - interval '1 day' RETURNING id"))
    return len(gone.all())
