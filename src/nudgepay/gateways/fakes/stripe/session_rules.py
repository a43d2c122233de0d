"""What Stripe refuses when a Checkout Session is created (docs.stripe.com/api/checkout/sessions/create).

Only the parameters that NudgePay sends, and a few beside them, are known here; any other is refused, as Stripe
refuses what it does not know, so that a slip in a name is seen.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from nudgepay.gateways.fakes.stripe.store import Json, invalid
from nudgepay.gateways.stripe_amounts import THREE_DECIMAL
from nudgepay.gateways.stripe_locales import LOCALES

KNOWN = frozenset(
    {
        *("adaptive_pricing", "cancel_url", "client_reference_id", "customer_email", "expand", "expires_at"),
        *("line_items", "locale", "metadata", "mode", "payment_intent_data"),
        *("submit_type", "success_url", "ui_mode"),
    }
)
SHORTEST_LIFE_SECONDS = 30 * 60
LONGEST_LIFE_SECONDS = 24 * 3600
SMALLEST = {"eur": 50, "usd": 50, "chf": 50, "gbp": 30, "jpy": 50}
LARGEST = dict.fromkeys(("eur", "usd", "chf", "gbp"), 99_999_999)
"""docs.stripe.com/currencies, "Minimum and maximum charge amounts": half a unit or so, and eight digits."""
METADATA_KEYS, METADATA_KEY_LENGTH, METADATA_LENGTH = 50, 40, 500
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def ensure_creatable(params: Json, *, now: int) -> None:
    """Raise the Refusal that Stripe would answer with, or return."""
    for name in params:
        if name not in KNOWN:
            raise invalid(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    if params.get("mode") != "payment":
        raise invalid("This stand-in knows sessions with mode `payment` only.", param="mode")
    if not params.get("line_items"):
        raise invalid("Missing required param: line_items.", code="parameter_missing", param="line_items")
    _ensure_urls(params)
    _ensure_metadata(params.get("metadata"), "metadata")
    _ensure_metadata((params.get("payment_intent_data") or {}).get("metadata"), "payment_intent_data[metadata]")
    if params.get("locale") not in {None, "", *LOCALES}:
        raise invalid(f"Invalid locale: must be one of {', '.join(sorted(LOCALES))}", param="locale")
    email = params.get("customer_email")
    if email is not None and not _EMAIL.fullmatch(email):
        raise invalid(f"Invalid email address: {email}", code="email_invalid", param="customer_email")
    _ensure_life(params.get("expires_at"), now)
    _ensure_amount(params["line_items"])


def total(line_items: list[Json]) -> int:
    """The sum of the lines, in Stripe's units."""
    return sum(int(item["price_data"]["unit_amount"]) * int(item.get("quantity", 1)) for item in line_items)


def _ensure_urls(params: Json) -> None:
    if not params.get("success_url"):
        raise invalid("Missing required param: success_url.", code="parameter_missing", param="success_url")
    for name in ("success_url", "cancel_url"):
        parts = urlsplit(params.get(name) or "https://none.example")
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise invalid("Not a valid URL", code="url_invalid", param=name)


def _ensure_metadata(metadata: Any, param: str) -> None:
    """docs.stripe.com/api/metadata: at most 50 keys of 40 characters, values of 500."""
    for key, value in (metadata or {}).items():
        if len(metadata) > METADATA_KEYS or len(key) > METADATA_KEY_LENGTH or len(value) > METADATA_LENGTH:
            raise invalid("Metadata is limited in number and length.", param=f"{param}[{key}]")


def _ensure_life(expires_at: str | None, now: int) -> None:
    if expires_at is None:
        return
    if not SHORTEST_LIFE_SECONDS <= int(expires_at) - now <= LONGEST_LIFE_SECONDS:
        raise invalid("The expires_at must be 30 minutes to 24 hours from now.", param="expires_at")


def _ensure_amount(line_items: list[Json]) -> None:
    currencies = {item["price_data"]["currency"] for item in line_items}
    if len(currencies) != 1:
        raise invalid("All line items must have the same currency.", param="line_items")
    (currency,) = currencies
    if not all(item["price_data"].get("product_data", {}).get("name") for item in line_items):
        raise invalid(
            "You passed an empty string for a product's name.", code="parameter_invalid_empty", param="line_items"
        )
    amount = total(line_items)
    if amount < SMALLEST.get(currency, 1):
        raise invalid("The Checkout Session's total amount is too small.", code="amount_too_small")
    if amount > LARGEST.get(currency, 10**12):
        raise invalid("The Checkout Session's total amount is too large.", code="amount_too_large")
    if currency.upper() in THREE_DECIMAL and amount % 10:
        raise invalid(f"Amounts in {currency} must be rounded to the nearest ten.", param="line_items")
