"""What can go wrong at Stripe's door, told apart by what the caller may do next.

Follows docs.stripe.com/error-low-level: content errors (4xx) are final, a missing answer and a server error say
nothing about what was done, and a limiter (429) turns a call away before it does anything.
"""

from typing import Any

from nudgepay.errors import OperationalError


class StripeUnavailable(OperationalError):
    """Stripe could not be reached or asks for fewer calls; this call did nothing. Try again later."""


class StripeOutcomeUnknown(OperationalError):
    """The call may or may not have taken effect: repeat it with the same idempotency key, or look.

    `is_replay`: the key's first call ended with this error for good, so repeating it cannot help.
    """

    def __init__(self, message: str, *, is_replay: bool = False) -> None:
        """Without personal data, as every error."""
        super().__init__(message)
        self.is_replay = is_replay


class StripeRefused(OperationalError):
    """Stripe understood and said no. `code` is Stripe's word for it, `http_status` that of the answer."""

    def __init__(self, message: str, *, code: str | None, status: int | None) -> None:
        """`code` as in docs.stripe.com/error-codes."""
        super().__init__(message)
        self.code = code
        self.http_status = status


class StripeKeyRejected(StripeRefused):
    """The API key is unknown or revoked (401), or may not do this (403): set STRIPE_SECRET_KEY anew."""


class StripeKeyReused(StripeRefused):
    """The idempotency key belongs to a call with other parameters; nothing was done."""


def may_repeat(error: Any) -> bool:
    """Whether the SDK's error is worth another try: Stripe's own advice first, else no answer, 409 and 5xx."""
    advice = (error.headers or {}).get("stripe-should-retry")
    if advice in {"true", "false"}:
        return bool(advice == "true")
    status: int | None = error.http_status
    if status is None:
        return bool(getattr(error, "should_retry", False))
    return status == 409 or status >= 500


def leaves_doubt(error: Any) -> bool:
    """Whether a call that writes may have taken effect although it ended with the SDK's error."""
    status: int | None = error.http_status
    return status is None or status == 409 or status >= 500


def told_apart(error: Any, *, in_doubt: bool) -> OperationalError:
    """Our error for the SDK's. `in_doubt`: this or an earlier try of a call that writes may have taken effect."""
    status: int | None = error.http_status
    code = error.code or type(error).__name__
    if status in {401, 403}:
        return StripeKeyRejected(
            f"Stripe rejects the API key ({status}): set STRIPE_SECRET_KEY anew", code=code, status=status
        )
    if in_doubt and (leaves_doubt(error) or status == 429):
        is_replay = (error.headers or {}).get("idempotent-replayed") == "true"
        return StripeOutcomeUnknown(
            f"{_said(status)}; whether the call took effect is not known", is_replay=is_replay
        )
    if leaves_doubt(error) or status == 429:
        return StripeUnavailable(f"{_said(status)}; try again later")
    kind = StripeKeyReused if type(error).__name__ == "IdempotencyError" else StripeRefused
    return kind(f"Stripe refused: {code}", code=code, status=status)


def _said(status: int | None) -> str:
    if status is None:
        return "Stripe did not answer in time"
    return "Stripe asks for fewer calls (429)" if status == 429 else f"Stripe failed ({status})"
