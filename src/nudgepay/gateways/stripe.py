"""The door to Stripe: what NudgePay asks of it, in NudgePay's minor units.

Objects come back as plain dicts shaped like those in webhooks, their amounts in Stripe's units.
"""

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from nudgepay.gateways.stripe_amounts import AmountNotPayable, to_stripe
from nudgepay.gateways.stripe_calls import StripeCalls
from nudgepay.gateways.stripe_errors import (
    StripeKeyRejected,
    StripeKeyReused,
    StripeOutcomeUnknown,
    StripeRefused,
    StripeUnavailable,
)
from nudgepay.gateways.stripe_invoices import StripeInvoices
from nudgepay.gateways.stripe_locales import checkout_locale

__all__ = [
    "AmountNotPayable",
    "StripeGateway",
    "StripeKeyRejected",
    "StripeKeyReused",
    "StripeOutcomeUnknown",
    "StripeRefused",
    "StripeUnavailable",
]

TIMEOUT_SECONDS = 10
CALLS_PER_SECOND = 20
"""Below 25 per second, Stripe's limit for an endpoint and for all of a sandbox (docs.stripe.com/rate-limits)."""
NOT_PAYABLE = frozenset({"amount_too_small", "amount_too_large"})

Json = dict[str, Any]


class StripeGateway:
    """Calls to one Stripe account. Each raises StripeUnavailable, StripeRefused or StripeKeyRejected; those that
    write also StripeOutcomeUnknown."""

    def __init__(
        self,
        *,
        api_key: Callable[[], str],
        base_url: str,
        timeout: float = TIMEOUT_SECONDS,
        calls_per_second: float = CALLS_PER_SECOND,
    ) -> None:
        """`api_key` is asked for each call, so a rotated key is picked up. `timeout` in seconds."""
        self._calls = StripeCalls(
            api_key=api_key, base_url=base_url, timeout=timeout, calls_per_second=calls_per_second
        )
        self.invoices = StripeInvoices(self._calls)

    def create_checkout_session(
        self,
        *,
        amount: int,
        currency: str,
        description: str,
        success_url: str,
        cancel_url: str,
        metadata: Mapping[str, str],
        idempotency_key: str,
        locale: str,
        customer_email: str | None = None,
    ) -> Json:
        """A hosted page that takes `amount` (our minor units) once, in this currency and no other.

        The metadata goes on the session and on its PaymentIntent: Stripe does not copy it by itself. Prices are
        not converted to the payer's currency, so that what comes in is what was asked
        (docs.stripe.com/payments/currencies/localize-prices). Raises AmountNotPayable when Stripe cannot take
        this amount, and StripeKeyReused when the key was used with other parameters.
        """
        params: Json = {
            "mode": "payment",
            "submit_type": "pay",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": currency.lower(),
                        "unit_amount": to_stripe(amount, currency),
                        "product_data": {"name": description},
                    },
                }
            ],
            "adaptive_pricing": {"enabled": False},
            "success_url": success_url,
            "cancel_url": cancel_url,
            "metadata": dict(metadata),
            "payment_intent_data": {"metadata": dict(metadata), "description": description},
            "locale": checkout_locale(locale),
        }
        if customer_email:
            params["customer_email"] = customer_email
        options = {"idempotency_key": idempotency_key}
        try:
            return self._calls.ask(lambda client: client.v1.checkout.sessions.create(params, options), writes=True)
        except StripeRefused as error:
            if error.code in NOT_PAYABLE:
                raise AmountNotPayable(f"card payments cannot take this amount ({error.code})") from error
            raise

    def expire_checkout_session(self, session_id: str) -> Json:
        """Close a session that must not be paid any more; StripeRefused when it is not open."""
        options = {"idempotency_key": f"np:expire:{session_id}:{secrets.token_hex(8)}"}
        return self._calls.ask(
            lambda client: client.v1.checkout.sessions.expire(session_id, None, options), writes=True
        )

    def retrieve_checkout_session(self, session_id: str) -> Json:
        """One session as it stands."""
        return self._calls.ask(lambda client: client.v1.checkout.sessions.retrieve(session_id))

    def list_checkout_sessions(self, *, created_since: int, status: str | None = None) -> Iterator[Json]:
        """Sessions made since `created_since` (seconds since 1970), newest first."""
        extra = {} if status is None else {"status": status}
        return self._calls.pages(lambda client, page: client.v1.checkout.sessions.list(page), created_since, extra)

    def retrieve_payment_intent(self, payment_intent_id: str) -> Json:
        """One PaymentIntent as it stands."""
        return self._calls.ask(lambda client: client.v1.payment_intents.retrieve(payment_intent_id))

    def retrieve_refund(self, refund_id: str) -> Json:
        """One refund as it stands."""
        return self._calls.ask(lambda client: client.v1.refunds.retrieve(refund_id))

    def list_refunds(self, *, payment_intent: str) -> list[Json]:
        """Every refund of one PaymentIntent."""
        extra = {"payment_intent": payment_intent}
        return list(self._calls.pages(lambda client, page: client.v1.refunds.list(page), None, extra))

    def list_recent_refunds(self, *, created_since: int) -> Iterator[Json]:
        """Refunds made since `created_since` (seconds since 1970), newest first."""
        return self._calls.pages(lambda client, page: client.v1.refunds.list(page), created_since)

    def retrieve_dispute(self, dispute_id: str) -> Json:
        """One dispute as it stands."""
        return self._calls.ask(lambda client: client.v1.disputes.retrieve(dispute_id))

    def list_events(
        self, *, created_since: int, types: Collection[str] = (), delivery_success: bool | None = None
    ) -> Iterator[Json]:
        """Events since `created_since` (seconds since 1970), newest first; Stripe keeps them for 30 days.

        `types` narrows them to at most 20 types (docs.stripe.com/api/events/list). `delivery_success`: False for
        those that some endpoint has not taken yet.
        """
        extra: Json = {} if delivery_success is None else {"delivery_success": delivery_success}
        if types:
            extra["types"] = sorted(types)
        return self._calls.pages(lambda client, page: client.v1.events.list(page), created_since, extra)

    def retrieve_account(self) -> Json:
        """The account that the key belongs to."""
        return self._calls.ask(lambda client: client.v1.accounts.retrieve_current())
