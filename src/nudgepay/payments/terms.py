"""Which Stripe is ours: its mode and its account. Money of another is never booked."""

from dataclasses import dataclass
from typing import Any

from nudgepay.config import Settings


@dataclass(frozen=True, slots=True)
class StripeTerms:
    """What every object must say of itself. `account` is checked when it is set."""

    livemode: bool
    account: str | None = None

    def breach(self, document: dict[str, Any]) -> str | None:
        """`wrong_mode` or `wrong_account`, or None for one of ours."""
        if bool(document.get("livemode")) != self.livemode:
            return "wrong_mode"
        account = document.get("account")
        if self.account is not None and account is not None and account != self.account:
            return "wrong_account"
        return None


def stripe_terms(settings: Settings) -> StripeTerms:
    """Live in production and with a live key, test elsewhere."""
    key = settings.secret("stripe_secret_key") or ""
    return StripeTerms(settings.environment == "production" or "_live_" in key, settings.stripe_account)
