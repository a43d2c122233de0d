"""What NudgePay asks of Stripe's own invoices: docs.stripe.com/api/invoices, docs.stripe.com/api/invoice-payment.

Since API version 2025-03-31 an invoice no longer names its payment: the payments are a list of their own.
"""

from collections.abc import Iterator
from typing import Any

from nudgepay.gateways.stripe_calls import StripeCalls

PAYMENT = "payment.payment_intent"

Json = dict[str, Any]


class StripeInvoices:
    """Calls about invoices of one account. Each raises what those of StripeGateway raise."""

    def __init__(self, calls: StripeCalls) -> None:
        """Shares the pace and the key of the other calls."""
        self._calls = calls

    def list_open(self, *, with_customers: bool = True) -> Iterator[Json]:
        """Every open invoice, newest first, its customer with it when asked for; without its payments."""
        extra: Json = {"status": "open", **({"expand": ["data.customer"]} if with_customers else {})}
        return self._calls.pages(lambda client, page: client.v1.invoices.list(page), None, extra)

    def retrieve(self, invoice_id: str, *, within: float | None = None) -> Json:
        """One invoice as it stands, with all its payments and their PaymentIntents.

        `within`: at most so many seconds for each of the (almost always one) calls, and no second try.
        """
        calls = self._calls if within is None else self._calls.hurried(within)
        params: Json = {"expand": [f"payments.data.{PAYMENT}", "customer"]}
        found = calls.ask(lambda client: client.v1.invoices.retrieve(invoice_id, params))
        if (found.get("payments") or {}).get("has_more"):
            found["payments"] = {"data": list(self._payments(calls, {"invoice": invoice_id})), "has_more": False}
        return found

    def retrieve_payment(self, payment_id: str) -> Json:
        """One payment of an invoice (`inpay_...`)."""
        return self._calls.ask(lambda client: client.v1.invoice_payments.retrieve(payment_id))

    def invoices_paid_by(self, payment_intent: str) -> list[str]:
        """Ids of the invoices to which a PaymentIntent belongs; none for most."""
        extra: Json = {"payment": {"type": "payment_intent", "payment_intent": payment_intent}}
        return [str(found["invoice"]) for found in self._payments(self._calls, extra)]

    def close_as_paid_elsewhere(self, invoice_id: str, *, idempotency_key: str) -> Json:
        """Mark it paid with money that did not come through Stripe (docs.stripe.com/api/invoices/pay)."""
        params, options = {"paid_out_of_band": True}, {"idempotency_key": idempotency_key}
        return self._calls.ask(lambda client: client.v1.invoices.pay(invoice_id, params, options), writes=True)

    def _payments(self, calls: StripeCalls, extra: Json) -> Iterator[Json]:
        wanted = {**extra, "expand": [f"data.{PAYMENT}"]}
        return calls.pages(lambda client, page: client.v1.invoice_payments.list(page), None, wanted)
