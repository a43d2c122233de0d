"""Invoices as Stripe keeps them: finalized, paid in whole or in parts, voided, written off.

docs.stripe.com/api/invoices/object, docs.stripe.com/invoicing/overview (the lifecycle), and for what paid them
docs.stripe.com/api/invoice-payment: since 2025-03-31 the invoice itself names neither PaymentIntent nor charge.
"""

from typing import Any

from nudgepay.gateways.fakes.stripe.payments import succeed
from nudgepay.gateways.fakes.stripe.store import Json, Store, invalid

PAYABLE = frozenset({"open", "uncollectible"})


def create_customer(store: Store, **fields: Any) -> Json:
    """docs.stripe.com/api/customers/object, with what an invoice copies from it."""
    return store.add(
        {
            "id": store.new_id("cus"),
            "object": "customer",
            "address": None,
            "email": None,
            "name": None,
            "preferred_locales": [],
            **fields,
        }
    )


def create_invoice(store: Store, *, customer: Json, amount: int, currency: str, **fields: Any) -> Json:
    """A draft over `amount` (Stripe's units); `fields` overwrite what an invoice says of itself."""
    return store.add(
        {
            "id": store.new_id("in"),
            "object": "invoice",
            "amount_due": amount,
            "amount_overpaid": 0,
            "amount_paid": 0,
            "amount_remaining": amount,
            "attempt_count": 0,
            "attempted": False,
            "auto_advance": True,
            "collection_method": "send_invoice",
            "currency": currency,
            "customer": customer["id"],
            "customer_address": customer["address"],
            "customer_email": customer["email"],
            "customer_name": customer["name"],
            "description": None,
            "due_date": None,
            "effective_at": None,
            "hosted_invoice_url": None,
            "invoice_pdf": None,
            "metadata": {},
            "next_payment_attempt": None,
            "number": None,
            "post_payment_credit_notes_amount": 0,
            "pre_payment_credit_notes_amount": 0,
            "status": "draft",
            "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
            "subtotal": amount,
            "total": amount,
            **fields,
        }
    )


def finalize(store: Store, invoice: Json, number: str | None) -> Json:
    """docs.stripe.com/api/invoices/finalize: open from now on, with a default payment that waits for money."""
    invoice["status_transitions"]["finalized_at"] = store.now()
    invoice.update(
        status="open",
        number=number,
        effective_at=invoice["effective_at"] or store.now(),
        hosted_invoice_url=f"https://invoice.stripe.com/i/{invoice['id']}",
        invoice_pdf=f"https://pay.stripe.com/invoice/{invoice['id']}/pdf",
    )
    attach(store, invoice, invoice["amount_due"], is_default=True)
    store.emit("invoice.finalized", invoice)
    return invoice


def attach(store: Store, invoice: Json, amount: int, *, is_default: bool = False) -> Json:
    """A payment of the invoice: a PaymentIntent, and what ties it to the invoice; returns the latter."""
    intent = store.add(
        {
            "id": store.new_id("pi"),
            "object": "payment_intent",
            "amount": amount,
            "amount_received": 0,
            "currency": invoice["currency"],
            "customer": invoice["customer"],
            "description": None,
            "last_payment_error": None,
            "latest_charge": None,
            "metadata": {},
            "payment_method_types": ["card"],
            "status": "requires_payment_method",
        }
    )
    return _tie(store, invoice, amount, is_default, {"type": "payment_intent", "payment_intent": intent["id"]})


def _tie(store: Store, invoice: Json, amount: int, is_default: bool, payment: Json) -> Json:
    return store.add(
        {
            "id": store.new_id("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": amount,
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": is_default,
            "payment": payment,
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )


def payments_of(store: Store, invoice: Json) -> list[Json]:
    """Oldest first."""
    return [one for one in reversed(store.of_kind("invoice_payment")) if one["invoice"] == invoice["id"]]


def pay_by_card(store: Store, invoice: Json, amount: int | None = None) -> Json:
    """The payer pays on Stripe's page, or the debit succeeds; `amount` for a part. Returns the PaymentIntent."""
    ensure_payable(invoice)
    payment = default_payment(store, invoice) if amount is None else attach(store, invoice, amount)
    intent = store.get("payment_intent", payment["payment"]["payment_intent"])
    intent["amount"] = invoice["amount_remaining"] if amount is None else amount
    _attempted(invoice)
    succeed(store, intent)
    take(store, invoice, payment, intent["amount"])
    return intent


def default_payment(store: Store, invoice: Json) -> Json:
    """The payment that Stripe made when the invoice was finalized."""
    return next(one for one in payments_of(store, invoice) if one["is_default"])


def take(store: Store, invoice: Json, payment: Json, amount: int) -> None:
    """Money came for the invoice: docs.stripe.com/changelog/basil/2025-05-28/partial-payments."""
    payment.update(status="paid", amount_paid=amount)
    payment["status_transitions"]["paid_at"] = store.now()
    invoice["amount_paid"] += amount
    invoice["amount_remaining"] -= amount
    store.emit("invoice_payment.paid", payment)
    if invoice["amount_remaining"] > 0:
        store.emit("invoice.updated", invoice)
        return
    settle(store, invoice)
    store.emit("invoice.payment_succeeded", invoice)


def settle(store: Store, invoice: Json) -> None:
    """docs.stripe.com/api/events/types: `invoice.paid` also tells of invoices paid out of band."""
    invoice.update(status="paid", auto_advance=False, next_payment_attempt=None)
    invoice["status_transitions"]["paid_at"] = store.now()
    for payment in payments_of(store, invoice):
        if payment["status"] == "open":
            payment["status"] = "canceled"
            payment["status_transitions"]["canceled_at"] = store.now()
    store.emit("invoice.updated", invoice)
    store.emit("invoice.paid", invoice)


def pay(store: Store, invoice_id: str, params: Json) -> Json:
    """docs.stripe.com/api/invoices/pay: by the customer's method, or `paid_out_of_band` without any charge."""
    invoice = store.get("invoice", invoice_id)
    ensure_payable(invoice)
    if params.get("paid_out_of_band") == "true":
        invoice["amount_paid"], invoice["amount_remaining"] = invoice["amount_due"], 0
        settle(store, invoice)
    else:
        pay_by_card(store, invoice)
    return invoice


def fail(store: Store, invoice: Json, *, next_attempt: int | None) -> Json:
    """The debit failed; Stripe tries again at `next_attempt`, or not any more."""
    _attempted(invoice)
    invoice["next_payment_attempt"] = next_attempt
    store.emit("invoice.payment_failed", invoice)
    store.emit("invoice.updated", invoice)
    return invoice


def void(store: Store, invoice_id: str) -> Json:
    """docs.stripe.com/api/invoices/void."""
    return _end(store, invoice_id, "void", allowed=PAYABLE)


def mark_uncollectible(store: Store, invoice_id: str) -> Json:
    """docs.stripe.com/api/invoices/mark_uncollectible: it may still be paid or voided."""
    return _end(store, invoice_id, "uncollectible", allowed=frozenset({"open"}))


ENDINGS = {
    "void": ("voided_at", "invoice.voided"),
    "uncollectible": ("marked_uncollectible_at", "invoice.marked_uncollectible"),
}


def _end(store: Store, invoice_id: str, status: str, *, allowed: frozenset[str]) -> Json:
    invoice = store.get("invoice", invoice_id)
    if invoice["status"] not in allowed:
        raise invalid(f"This invoice is {invoice['status']}: it cannot become {status}.")
    instant, event = ENDINGS[status]
    invoice["status"] = status
    invoice["status_transitions"][instant] = store.now()
    store.emit("invoice.updated", invoice)
    store.emit(event, invoice)
    return invoice


def ensure_payable(invoice: Json) -> None:
    """Only what is open, or was written off, can be paid."""
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid")
    if invoice["status"] not in PAYABLE:
        raise invalid(f"You can only pay an open or uncollectible invoice. This one is {invoice['status']}.")


def _attempted(invoice: Json) -> None:
    invoice["attempted"] = True
    invoice["attempt_count"] += 1
