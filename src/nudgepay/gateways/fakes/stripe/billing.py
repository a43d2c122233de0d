"""The business, its customers and their banks, as a test or drill plays them at the stand-in's invoices."""

from typing import Any

from nudgepay.gateways.fakes.stripe import invoices
from nudgepay.gateways.fakes.stripe.payments import succeed
from nudgepay.gateways.fakes.stripe.store import Json, Store


class Billing:
    """What may happen to invoices at Stripe without NudgePay. Amounts in Stripe's units."""

    def __init__(self, store: Store) -> None:
        """Acts on this store, under its lock."""
        self._store = store

    def customer(self, **fields: Any) -> Json:
        """A customer; `fields` as in docs.stripe.com/api/customers/object."""
        with self._store.lock:
            return invoices.create_customer(self._store, **fields)

    def bill(
        self, customer: Json, number: str | None, amount: int = 10_000, currency: str = "eur", **fields: Any
    ) -> Json:
        """An open invoice, finalized now."""
        with self._store.lock:
            made = invoices.create_invoice(self._store, customer=customer, amount=amount, currency=currency, **fields)
            return invoices.finalize(self._store, made, number)

    def pay(self, invoice_id: str, amount: int | None = None) -> Json:
        """Paid by card on Stripe's own page (or debited), in whole or a part; returns the PaymentIntent."""
        with self._store.lock:
            return invoices.pay_by_card(self._store, self._invoice(invoice_id), amount)

    def pay_out_of_band(self, invoice_id: str) -> Json:
        """A person at Stripe marks it paid by other money."""
        with self._store.lock:
            return invoices.pay(self._store, invoice_id, {"paid_out_of_band": "true"})

    def begin_debit(self, invoice_id: str) -> Json:
        """A debit that takes days is on its way; returns the PaymentIntent."""
        with self._store.lock:
            invoice = self._invoice(invoice_id)
            payment = invoices.default_payment(self._store, invoice)
            intent = self._store.get("payment_intent", payment["payment"]["payment_intent"])
            intent["status"] = "processing"
            invoice.update(attempted=True, next_payment_attempt=None)
            self._store.emit("invoice.updated", invoice)
            return intent

    def end_debit(self, invoice_id: str, *, succeeds: bool) -> Json:
        """The debit comes to its end; one that failed is not tried again."""
        with self._store.lock:
            invoice = self._invoice(invoice_id)
            payment = invoices.default_payment(self._store, invoice)
            intent = self._store.get("payment_intent", payment["payment"]["payment_intent"])
            if succeeds:
                succeed(self._store, intent)
                invoices.take(self._store, invoice, payment, intent["amount"])
            else:
                intent["status"] = "requires_payment_method"
                invoices.fail(self._store, invoice, next_attempt=None)
            return invoice

    def fail_debit(self, invoice_id: str, *, next_attempt: int | None) -> Json:
        """The automatic debit failed; None: for good."""
        with self._store.lock:
            return invoices.fail(self._store, self._invoice(invoice_id), next_attempt=next_attempt)

    def void(self, invoice_id: str) -> Json:
        """The business withdraws it."""
        with self._store.lock:
            return invoices.void(self._store, invoice_id)

    def mark_uncollectible(self, invoice_id: str) -> Json:
        """The business writes it off."""
        with self._store.lock:
            return invoices.mark_uncollectible(self._store, invoice_id)

    def _invoice(self, invoice_id: str) -> Json:
        return self._store.get("invoice", invoice_id)
