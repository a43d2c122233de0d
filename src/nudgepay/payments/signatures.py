"""Whether bytes came from Stripe: the raw body, any accepted secret, a timestamp near enough on both sides."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache

from nudgepay.errors import UsageError

TOLERANCE_SECONDS = 300
MAX_HEADER = 2_000
_HEADER = re.compile(r"t=([0-9]{1,12})((?:,(?!t=)[a-z0-9]{1,10}=[A-Za-z0-9+/_-]*)+)")
"""One timestamp, first, and signatures: with a second one, what is signed and what is fresh could differ."""


class BadSignature(UsageError):
    """Not signed with any accepted secret, or not now. `reason` is a word for the counter."""

    status = 400

    def __init__(self, reason: str) -> None:
        """The message never holds the body or the header."""
        self.reason = reason
        super().__init__(f"the signature is not valid ({reason})")


def ensure_signed(raw: bytes, header: str, secrets: Sequence[str], *, now: datetime) -> None:
    """Raise BadSignature unless `header` signs `raw` within 300 s of `now` with one of the secrets."""
    if not header or len(header) > MAX_HEADER:
        raise BadSignature("missing" if not header else "oversized")
    found = _HEADER.fullmatch(header)
    if found is None:
        raise BadSignature("malformed")
    if abs(int(found[1]) - now.timestamp()) > TOLERANCE_SECONDS:
        raise BadSignature("stale")
    for secret in secrets:
        if _is_signed_with(secret, raw, header):
            return
    raise BadSignature("mismatch")


@cache
def _stripe() -> tuple[Callable[..., bool], type[Exception]]:
    """The SDK's check and its refusal: half a second that only the first webhook should pay."""
    import stripe  # noqa: PLC0415

    return stripe.WebhookSignature.verify_header, stripe.SignatureVerificationError


def _is_signed_with(secret: str, raw: bytes, header: str) -> bool:
    verify, refusal = _stripe()
    try:
        return verify(raw, header, secret)
    except (refusal, UnicodeDecodeError, ValueError):
        return False


def accepted_secrets(setting: str | None) -> tuple[str, ...]:
    """STRIPE_WEBHOOK_SECRET may hold several, separated by commas, while one replaces the other."""
    return tuple(part.strip() for part in (setting or "").split(",") if part.strip())
