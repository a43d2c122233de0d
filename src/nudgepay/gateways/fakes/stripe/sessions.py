"""Checkout Sessions: created, paid, settled, expired.

docs.stripe.com/payments/checkout/fulfillment: a card pays at once (`payment_status` paid); a delayed method
completes the session `unpaid` and is followed by async_payment_succeeded or async_payment_failed.
"""

from typing import Any

from nudgepay.gateways.fakes.stripe.payments import succeed
from nudgepay.gateways.fakes.stripe.session_rules import LONGEST_LIFE_SECONDS, ensure_creatable, total
from nudgepay.gateways.fakes.stripe.store import Json, Store, invalid

DELAYED = frozenset({"sepa_debit", "us_bank_account", "bacs_debit", "customer_balance"})
METHODS = frozenset({"card", *DELAYED})


def create_session(store: Store, params: Json) -> Json:
    """docs.stripe.com/api/checkout/sessions/create, mode `payment` with ad-hoc prices.

    There is no PaymentIntent before the payer confirms, and the session's metadata never reaches it: only
    `payment_intent_data[metadata]` does.
    """
    ensure_creatable(params, now=store.now())
    items = params["line_items"]
    price = items[0]["price_data"]
    amount = total(items)
    return store.add(
        {
            "id": store.new_id("cs_live" if store.livemode else "cs_test"),
            "object": "checkout.session",
            "adaptive_pricing": {"enabled": (params.get("adaptive_pricing") or {}).get("enabled") == "true"},
            "amount_subtotal": amount,
            "amount_total": amount,
            "cancel_url": params.get("cancel_url"),
            "client_reference_id": params.get("client_reference_id"),
            "currency": price["currency"],
            "customer": None,
            "customer_details": _details(params.get("customer_email")),
            "customer_email": params.get("customer_email"),
            "expires_at": int(params.get("expires_at") or store.now() + LONGEST_LIFE_SECONDS),
            "locale": params.get("locale") or None,
            "metadata": dict(params.get("metadata") or {}),
            "mode": "payment",
            "payment_intent": None,
            "payment_method_types": ["card", "sepa_debit"],
            "payment_status": "unpaid",
            "status": "open",
            "submit_type": params.get("submit_type"),
            "success_url": params.get("success_url"),
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "ui_mode": "hosted_page",
            "url": None,
            "_intent": params.get("payment_intent_data") or {},
            "_title": price["product_data"]["name"],
        }
    )


def expire_session(store: Store, session_id: str) -> Json:
    """docs.stripe.com/api/checkout/sessions/expire: only an open session can expire."""
    session = store.get("checkout.session", session_id)
    _ensure_open(session, "expired")
    session["status"] = "expired"
    store.emit("checkout.session.expired", session)
    return session


def expire_due(store: Store) -> None:
    """docs.stripe.com/api/checkout/sessions/object#expires_at: an open session ends by itself at that time."""
    now = store.now()
    for session in store.of_kind("checkout.session"):
        if session["status"] == "open" and session["expires_at"] <= now:
            expire_session(store, session["id"])


def pay(store: Store, session_id: str, method: str = "card") -> Json:
    """The payer completes the hosted page. A delayed method leaves the session complete, but unpaid."""
    session = store.get("checkout.session", session_id)
    if method not in METHODS:
        raise invalid(f"Unknown payment method type: {method}")
    _ensure_open(session, "paid")
    intent = _intent(store, session, method)
    session.update(status="complete", payment_intent=intent["id"])
    session["customer_details"] = _details(session["customer_email"] or "payer@client.example")
    if method in DELAYED:
        intent["status"] = "processing"
        store.emit("payment_intent.processing", intent)
        store.emit("checkout.session.completed", session)
    else:
        succeed(store, intent)
        session["payment_status"] = "paid"
        store.emit("checkout.session.completed", session)
    return session


def settle(store: Store, session_id: str, *, succeeds: bool) -> Json:
    """A delayed payment comes to its end. `session_id` may be that of its PaymentIntent."""
    session = _session_of(store, session_id)
    intent = store.get("payment_intent", session["payment_intent"])
    if intent["status"] != "processing":
        raise invalid(f"This PaymentIntent is {intent['status']}, not processing.")
    if succeeds:
        succeed(store, intent)
        session["payment_status"] = "paid"
        store.emit("checkout.session.async_payment_succeeded", session)
    else:
        intent["status"] = "requires_payment_method"
        intent["last_payment_error"] = {
            "type": "invalid_request_error",
            "code": "payment_intent_payment_attempt_failed",
        }
        store.emit("payment_intent.payment_failed", intent)
        store.emit("checkout.session.async_payment_failed", session)
    return session


def shown(store: Store, session: Json, base_url: str) -> Json:
    """The session as the API shows it now: it has a URL while it is open, on whatever port this server listens."""
    url = f"{base_url}/c/pay/{session['id']}" if session["status"] == "open" else None
    return {**session, "url": url}


def _session_of(store: Store, any_id: str) -> Json:
    if not any_id.startswith("pi_"):
        return store.get("checkout.session", any_id)
    for session in store.of_kind("checkout.session"):
        if session["payment_intent"] == any_id:
            return session
    return store.get("checkout.session", any_id)


def _ensure_open(session: Json, verb: str) -> None:
    if session["status"] != "open":
        raise invalid(
            f'Only Checkout Sessions with a status in ["open"] can be {verb}. This one is {session["status"]}.'
        )


def _details(email: str | None) -> Json | None:
    return None if email is None else {"email": email, "name": None}


def _intent(store: Store, session: Json, method: str) -> Json:
    data: dict[str, Any] = session["_intent"]
    return store.add(
        {
            "id": store.new_id("pi"),
            "object": "payment_intent",
            "amount": session["amount_total"],
            "amount_capturable": 0,
            "amount_received": 0,
            "capture_method": "automatic_async",
            "currency": session["currency"],
            "customer": None,
            "description": data.get("description"),
            "last_payment_error": None,
            "latest_charge": None,
            "metadata": dict(data.get("metadata") or {}),
            "payment_method_types": [method],
            "status": "requires_confirmation",
        }
    )
