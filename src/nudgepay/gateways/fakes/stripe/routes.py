"""The API's paths, each answered as its page of docs.stripe.com/api says."""

import re
from collections.abc import Callable

from nudgepay.gateways.fakes.stripe import expanding, invoices, lists, payments, sessions
from nudgepay.gateways.fakes.stripe.store import Json, Refusal, Store, missing, public

KINDS = {
    "checkout/sessions": "checkout.session",
    "payment_intents": "payment_intent",
    "refunds": "refund",
    "disputes": "dispute",
    "charges": "charge",
    "customers": "customer",
    "invoices": "invoice",
    "invoice_payments": "invoice_payment",
}
_NAMES = "|".join(KINDS)
_LIST = re.compile(rf"/v1/({_NAMES})")
_ONE = re.compile(rf"/v1/({_NAMES})/([A-Za-z0-9_]+)")
_EXPIRE = re.compile(r"/v1/checkout/sessions/([A-Za-z0-9_]+)/expire")
_CLOSE = re.compile(r"/v1/disputes/([A-Za-z0-9_]+)/close")
_INVOICE = re.compile(r"/v1/invoices/([A-Za-z0-9_]+)/(pay|void|mark_uncollectible)")
_EVENT = re.compile(r"/v1/events/([A-Za-z0-9_]+)")


def endpoint(method: str, path: str) -> str:
    """The endpoint that a call counts for: its path without ids."""
    return f"{method} {re.sub(r'/[a-z]{2,5}_[A-Za-z0-9_]+', '/{id}', path)}"


def answer(store: Store, method: str, path: str, params: Json, base_url: str) -> Json:
    """The object or list that this request gets, as a document of its own; raises Refusal."""
    sessions.expire_due(store)
    found = _get(store, path, params) if method == "GET" else _post(store, path, params)
    wanted = [str(path) for path in params.get("expand") or []]
    if found.get("object") == "list":
        inner = [path.removeprefix("data.") for path in wanted]
        found = {**found, "data": [_shown(store, item, base_url, inner) for item in found["data"]]}
    document: Json = public(_shown(store, found, base_url, wanted))
    return document


def _shown(store: Store, item: Json, base_url: str, wanted: list[str]) -> Json:
    if item.get("object") == "checkout.session":
        return sessions.shown(store, item, base_url)
    return expanding.expanded(store, item, wanted)


def _post(store: Store, path: str, params: Json) -> Json:
    if path == "/v1/checkout/sessions":
        return sessions.create_session(store, params)
    if path == "/v1/refunds":
        return payments.create_refund(store, params)
    if found := _EXPIRE.fullmatch(path):
        return sessions.expire_session(store, found[1])
    if found := _CLOSE.fullmatch(path):
        return payments.close_dispute(store, found[1], won=False)
    if found := _INVOICE.fullmatch(path):
        return _INVOICE_VERBS[found[2]](store, found[1], params)
    raise _unknown("POST", path)


_INVOICE_VERBS: dict[str, Callable[[Store, str, Json], Json]] = {
    "pay": invoices.pay,
    "void": lambda store, invoice_id, params: invoices.void(store, invoice_id),
    "mark_uncollectible": lambda store, invoice_id, params: invoices.mark_uncollectible(store, invoice_id),
}


def _get(store: Store, path: str, params: Json) -> Json:
    if path == "/v1/account":
        return _account(store)
    if path == "/v1/events":
        return lists.events(store, params)
    if found := _EVENT.fullmatch(path):
        return _event(store, found[1])
    if found := _ONE.fullmatch(path):
        return store.get(KINDS[found[1]], found[2])
    if found := _LIST.fullmatch(path):
        return lists.objects(store.of_kind(KINDS[found[1]]), params, path)
    raise _unknown("GET", path)


def _account(store: Store) -> Json:
    """docs.stripe.com/api/accounts/object: the account of the key."""
    return {
        "id": store.account,
        "object": "account",
        "charges_enabled": True,
        "country": "DE",
        "default_currency": "eur",
        "details_submitted": True,
        "payouts_enabled": True,
        "type": "standard",
    }


def _event(store: Store, event_id: str) -> Json:
    """docs.stripe.com/api/events/retrieve."""
    for event in store.events:
        if event["id"] == event_id:
            return event
    raise missing("event", event_id)


def _unknown(method: str, path: str) -> Refusal:
    return Refusal(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path}).")
