"""`expand`: ids replaced by the objects that they name (docs.stripe.com/api/expanding_objects), for what we ask."""

from nudgepay.gateways.fakes.stripe import invoices
from nudgepay.gateways.fakes.stripe.store import Json, Store

FEW = 10
"""How many payments an invoice shows by itself; the rest is a list of its own."""


def expanded(store: Store, item: Json, wanted: list[str]) -> Json:
    """A copy of the object with what `wanted` names; `payments` of an invoice is only there when asked for."""
    if item.get("object") == "invoice":
        return _invoice(store, item, wanted)
    if item.get("object") == "invoice_payment" and "payment.payment_intent" in wanted:
        return _payment(store, item)
    return item


def _invoice(store: Store, invoice: Json, wanted: list[str]) -> Json:
    shown = dict(invoice)
    if "customer" in wanted:
        shown["customer"] = store.get("customer", invoice["customer"])
    if any(path == "payments" or path.startswith("payments.") for path in wanted):
        found = invoices.payments_of(store, invoice)
        if "payments.data.payment.payment_intent" in wanted:
            found = [_payment(store, one) for one in found]
        url = f"/v1/invoice_payments?invoice={invoice['id']}"
        shown["payments"] = {"object": "list", "url": url, "data": found[:FEW], "has_more": len(found) > FEW}
    return shown


def _payment(store: Store, payment: Json) -> Json:
    tie = payment["payment"]
    if tie["type"] != "payment_intent":
        return payment
    return {**payment, "payment": {**tie, "payment_intent": store.get("payment_intent", tie["payment_intent"])}}
