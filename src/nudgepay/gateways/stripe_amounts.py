"""Our minor units to Stripe's and back. Pure.

Stripe counts in the smallest unit of a currency, with exceptions (docs.stripe.com/currencies, "Zero-decimal
currencies", "Three-decimal currencies", "Special cases"): ISK and UGX have no decimals in use, but are sent as
if they had two; amounts in three-decimal currencies must end in 0.
"""

from nudgepay.errors import UsageError
from nudgepay.money import exponent

ZERO_DECIMAL = frozenset(
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()  # noqa: SIM905  # reads as the document's list
)
THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


class AmountNotPayable(UsageError):
    """Stripe cannot take this amount exactly; the payer can use a bank transfer."""


def stripe_exponent(currency: str) -> int:
    """Decimals of the amounts that Stripe sends and takes."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def to_stripe(minor: int, currency: str) -> int:
    """Our minor units as Stripe's integer; raises AmountNotPayable when it would not be exact."""
    shift = stripe_exponent(currency) - exponent(currency)
    amount = minor * 10**shift if shift >= 0 else _divide(minor, 10**-shift)
    if currency in THREE_DECIMAL and amount % 10:
        raise AmountNotPayable(f"card payments in {currency} must end in 0 in the third decimal")
    return amount


def from_stripe(amount: int, currency: str) -> int:
    """Stripe's integer as our minor units; raises AmountNotPayable for a fraction of our unit."""
    shift = stripe_exponent(currency) - exponent(currency)
    return _divide(amount, 10**shift) if shift >= 0 else amount * 10**-shift


def _divide(amount: int, by: int) -> int:
    whole, rest = divmod(amount, by)
    if rest:
        raise AmountNotPayable("the amount has a fraction that the currency does not know")
    return whole
