"""What happens to money at Stripe: it comes in as a charge, goes back by refund, or is taken back by a dispute."""

from nudgepay.gateways.fakes.stripe.store import Json, Store, invalid


def succeed(store: Store, intent: Json) -> None:
    """docs.stripe.com/payments/paymentintents/lifecycle: the money is captured, `latest_charge` says by what."""
    charge = store.add(
        {
            "id": store.new_id("ch"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"],
            "amount_refunded": 0,
            "captured": True,
            "currency": intent["currency"],
            "description": intent["description"],
            "disputed": False,
            "metadata": dict(intent["metadata"]),
            "paid": True,
            "payment_intent": intent["id"],
            "payment_method_details": {"type": intent["payment_method_types"][0]},
            "refunded": False,
            "status": "succeeded",
        }
    )
    intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=charge["id"])
    store.emit("charge.succeeded", charge)
    store.emit("payment_intent.succeeded", intent)


def create_refund(store: Store, params: Json) -> Json:
    """docs.stripe.com/api/refunds/create, by `payment_intent` or `charge`."""
    source = params.get("payment_intent") or params.get("charge")
    if not source:
        raise invalid("One of the following params should be provided: payment_intent or charge.")
    if source.startswith("ch_"):
        source = store.get("charge", source)["payment_intent"]
    amount = params.get("amount")
    return refund(store, source, None if amount is None else int(amount), metadata=params.get("metadata"))


def refund(store: Store, payment_intent: str, amount: int | None = None, *, metadata: Json | None = None) -> Json:
    """docs.stripe.com/api/refunds/object; `amount` in Stripe's units, None for the rest."""
    charge = _charge_of(store, payment_intent)
    rest = charge["amount_captured"] - charge["amount_refunded"]
    if rest == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    part = rest if amount is None else amount
    if not 0 < part <= rest:
        raise invalid("Refund amount is greater than the unrefunded amount on the charge.", param="amount")
    made = store.add(
        {
            "id": store.new_id("re"),
            "object": "refund",
            "amount": part,
            "charge": charge["id"],
            "currency": charge["currency"],
            "metadata": dict(metadata or {}),
            "payment_intent": payment_intent,
            "reason": None,
            "status": "succeeded",
        }
    )
    charge["amount_refunded"] += part
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    store.emit("refund.created", made)
    store.emit("charge.refunded", charge)
    return made


def fail_refund(store: Store, refund_id: str) -> Json:
    """docs.stripe.com/refunds#failed-refunds: the money comes back to the balance."""
    made = store.get("refund", refund_id)
    made.update(status="failed", failure_reason="lost_or_stolen_card")
    charge = store.get("charge", made["charge"])
    charge["amount_refunded"] -= made["amount"]
    charge["refunded"] = False
    store.emit("refund.failed", made)
    return made


def dispute(store: Store, payment_intent: str, amount: int | None = None, *, is_inquiry: bool = False) -> Json:
    """docs.stripe.com/disputes/how-disputes-work: the money is withdrawn when the dispute opens.

    An inquiry (`warning_needs_response`) only asks, and moves no money.
    """
    charge = _charge_of(store, payment_intent)
    made = store.add(
        {
            "id": store.new_id("du"),
            "object": "dispute",
            "amount": charge["amount_captured"] if amount is None else amount,
            "charge": charge["id"],
            "currency": charge["currency"],
            "is_charge_refundable": is_inquiry,
            "metadata": {},
            "payment_intent": payment_intent,
            "reason": "general" if is_inquiry else "fraudulent",
            "status": "warning_needs_response" if is_inquiry else "needs_response",
        }
    )
    charge["disputed"] = True
    store.emit("charge.dispute.created", made)
    if not is_inquiry:
        store.emit("charge.dispute.funds_withdrawn", made)
    return made


def close_dispute(store: Store, dispute_id: str, *, won: bool) -> Json:
    """docs.stripe.com/api/disputes/object: status `won` or `lost`; won money is reinstated."""
    made = store.get("dispute", dispute_id)
    made["status"] = "won" if won else "lost"
    store.emit("charge.dispute.closed", made)
    if won:
        store.emit("charge.dispute.funds_reinstated", made)
    return made


def _charge_of(store: Store, payment_intent: str) -> Json:
    intent = store.get("payment_intent", payment_intent)
    if intent["latest_charge"] is None:
        raise invalid(f"This PaymentIntent ({payment_intent}) does not have a successful charge.")
    return store.get("charge", intent["latest_charge"])
