"""Which Stripe is ours: its mode and its account. Money of another is never booked."""

from dataclasses import dataclass
from typing import Any

from nudgepay.config import Settings


@dataclass(frozen=True, slots=True)
class StripeTerms:
    """What every event must say of itself.

    Only events of connected accounts name one (docs.stripe.com/connect/webhooks); our sessions never live there.
    """

    livemode: bool
    account: str | None = None

    def breach(self, document: dict[str, Any]) -> str | None:
        """`wrong_mode` or `wrong_account`, or None for one of ours."""
        if bool(document.get("livemode")) != self.livemode:
            return "wrong_mode"
        account = document.get("account")
        if account is not None and account != self.account:
            return "wrong_account"
        return None


def stripe_terms(settings: Settings) -> StripeTerms:
    """Live in production and with a live key, test elsewhere."""
    key = settings.secret("stripe_secret_key") or ""
    return StripeTerms(settings.environment == "production" or "_live_" in key, settings.stripe_account)
