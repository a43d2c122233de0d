"""What happens at Stripe: sessions are paid, settle, expire; charges are refunded and disputed.

docs.stripe.com/payments/checkout/fulfillment: a card pays at once (`payment_status` paid); a delayed method
completes the session `unpaid` and is followed by async_payment_succeeded or async_payment_failed.
"""

from typing import Any

from nudgepay.gateways.fakes.stripe.store import Json, Refusal, Store

DELAYED = frozenset({"sepa_debit", "us_bank_account", "bacs_debit"})
SESSION_LIFE_SECONDS = 24 * 3600


def create_session(store: Store, params: Json, base_url: str) -> Json:
    """docs.stripe.com/api/checkout/sessions/create, mode `payment` with ad-hoc prices."""
    items = params.get("line_items") or []
    if params.get("mode") != "payment" or not items:
        raise Refusal(400, "invalid_request_error", "Missing required param: line_items.", param="line_items")
    prices = [item["price_data"] for item in items]
    amount = sum(int(item["price_data"]["unit_amount"]) * int(item["quantity"]) for item in items)
    if amount <= 0:
        message = "The Checkout Session's total amount must convert to at least 50 cents."
        raise Refusal(400, "invalid_request_error", message, code="amount_too_small")
    session_id = store.new_id("cs_live" if store.livemode else "cs_test")
    return store.add(
        {
            "id": session_id,
            "object": "checkout.session",
            "amount_subtotal": amount,
            "amount_total": amount,
            "cancel_url": params.get("cancel_url"),
            "client_reference_id": params.get("client_reference_id"),
            "currency": prices[0]["currency"],
            "customer_email": params.get("customer_email"),
            "expires_at": store.now() + SESSION_LIFE_SECONDS,
            "locale": params.get("locale"),
            "metadata": dict(params.get("metadata") or {}),
            "mode": "payment",
            "payment_intent": None,
            "payment_method_types": ["card"],
            "payment_status": "unpaid",
            "status": "open",
            "success_url": params.get("success_url"),
            "url": f"{base_url}/c/pay/{session_id}",
            "_intent": params.get("payment_intent_data") or {},
            "_title": (prices[0].get("product_data") or {}).get("name", "Payment"),
        }
    )


def expire_session(store: Store, session_id: str) -> Json:
    """docs.stripe.com/api/checkout/sessions/expire: only an open session can expire."""
    session = store.get("checkout.session", session_id)
    if session["status"] != "open":
        message = f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.'
        raise Refusal(400, "invalid_request_error", message)
    session.update(status="expired", url=None)
    store.emit("checkout.session.expired", session)
    return session


def pay(store: Store, session_id: str, method: str = "card") -> Json:
    """The payer completes the hosted page."""
    session = store.get("checkout.session", session_id)
    if session["status"] != "open":
        raise Refusal(400, "invalid_request_error", f"This session is {session['status']}.")
    intent = _intent(store, session, method)
    session.update(status="complete", payment_intent=intent["id"], url=None)
    if method in DELAYED:
        intent["status"] = "processing"
        store.emit("payment_intent.processing", intent)
        store.emit("checkout.session.completed", session)
    else:
        _succeed(store, intent)
        session["payment_status"] = "paid"
        store.emit("checkout.session.completed", session)
    return session


def settle(store: Store, session_id: str, *, succeeds: bool) -> Json:
    """A delayed payment comes to its end."""
    session = store.get("checkout.session", session_id)
    intent = store.get("payment_intent", session["payment_intent"])
    if succeeds:
        _succeed(store, intent)
        session["payment_status"] = "paid"
        store.emit("checkout.session.async_payment_succeeded", session)
    else:
        intent["status"] = "requires_payment_method"
        store.emit("payment_intent.payment_failed", intent)
        store.emit("checkout.session.async_payment_failed", session)
    return session


def refund(store: Store, payment_intent: str, amount: int | None = None) -> Json:
    """docs.stripe.com/api/refunds/create; `amount` in Stripe's units, None for the rest."""
    intent = store.get("payment_intent", payment_intent)
    charge = store.get("charge", intent["latest_charge"])
    rest = charge["amount_captured"] - charge["amount_refunded"]
    part = rest if amount is None else amount
    if not 0 < part <= rest:
        message = "Refund amount is greater than unrefunded amount on charge."
        raise Refusal(400, "invalid_request_error", message, code="charge_already_refunded")
    made = store.add(
        {
            "id": store.new_id("re"),
            "object": "refund",
            "amount": part,
            "charge": charge["id"],
            "currency": charge["currency"],
            "metadata": {},
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


def dispute(store: Store, payment_intent: str, amount: int | None = None) -> Json:
    """docs.stripe.com/disputes: the money is withdrawn when the dispute opens."""
    intent = store.get("payment_intent", payment_intent)
    charge = store.get("charge", intent["latest_charge"])
    made = store.add(
        {
            "id": store.new_id("du"),
            "object": "dispute",
            "amount": charge["amount_captured"] if amount is None else amount,
            "charge": charge["id"],
            "currency": charge["currency"],
            "metadata": {},
            "payment_intent": payment_intent,
            "reason": "fraudulent",
            "status": "needs_response",
        }
    )
    charge["disputed"] = True
    store.emit("charge.dispute.created", made)
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


def _intent(store: Store, session: Json, method: str) -> Json:
    data: dict[str, Any] = session["_intent"]
    return store.add(
        {
            "id": store.new_id("pi"),
            "object": "payment_intent",
            "amount": session["amount_total"],
            "amount_received": 0,
            "currency": session["currency"],
            "description": data.get("description"),
            "latest_charge": None,
            "metadata": dict(data.get("metadata") or {}),
            "payment_method_types": [method],
            "status": "requires_confirmation",
        }
    )


def _succeed(store: Store, intent: Json) -> None:
    charge = store.add(
        {
            "id": store.new_id("ch"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"],
            "amount_refunded": 0,
            "currency": intent["currency"],
            "disputed": False,
            "metadata": dict(intent["metadata"]),
            "paid": True,
            "payment_intent": intent["id"],
            "refunded": False,
            "status": "succeeded",
        }
    )
    intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=charge["id"])
    store.emit("charge.succeeded", charge)
    store.emit("payment_intent.succeeded", intent)
