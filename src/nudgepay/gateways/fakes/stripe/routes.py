"""The API's paths, each answered as its page of docs.stripe.com/api says."""

import re
from collections.abc import Callable
from typing import Any

from nudgepay.gateways.fakes.stripe import payments
from nudgepay.gateways.fakes.stripe.store import Json, Refusal, Store

KINDS = {
    "checkout/sessions": "checkout.session",
    "payment_intents": "payment_intent",
    "refunds": "refund",
    "disputes": "dispute",
    "charges": "charge",
}
_LIST = re.compile(r"/v1/(checkout/sessions|payment_intents|refunds|disputes|charges)")
_ONE = re.compile(r"/v1/(checkout/sessions|payment_intents|refunds|disputes|charges)/([A-Za-z0-9_]+)")
_EXPIRE = re.compile(r"/v1/checkout/sessions/([A-Za-z0-9_]+)/expire")


def answer(store: Store, method: str, path: str, params: Json, base_url: str) -> Json:
    """The object or list that this request gets; raises Refusal."""
    if method == "GET":
        return _get(store, path, params)
    if path == "/v1/checkout/sessions":
        return payments.create_session(store, params, base_url)
    if found := _EXPIRE.fullmatch(path):
        return payments.expire_session(store, found[1])
    if path == "/v1/refunds":
        amount = params.get("amount")
        return payments.refund(store, params.get("payment_intent", ""), int(amount) if amount else None)
    raise _unknown(method, path)


def _get(store: Store, path: str, params: Json) -> Json:
    if path == "/v1/account":
        return {"id": store.account, "object": "account", "country": "DE", "charges_enabled": True}
    if path == "/v1/events":
        return _events(store, params)
    if found := _ONE.fullmatch(path):
        return store.get(KINDS[found[1]], found[2])
    if found := _LIST.fullmatch(path):
        intent = params.get("payment_intent")
        items = [i for i in store.of_kind(KINDS[found[1]]) if intent in {None, i.get("payment_intent")}]
        return _page(items, params, path)
    raise _unknown("GET", path)


def _events(store: Store, params: Json) -> Json:
    """docs.stripe.com/api/events/list; `delivery_success` filters by whether all endpoints took it."""
    items = list(reversed(store.events))
    wanted = params.get("delivery_success")
    if wanted is not None:
        items = [event for event in items if (event["pending_webhooks"] == 0) == (wanted == "true")]
    types = params.get("types") or ([params["type"]] if "type" in params else None)
    return _page([e for e in items if types is None or e["type"] in types], params, "/v1/events")


def _page(items: list[Json], params: Json, url: str) -> Json:
    """docs.stripe.com/api/pagination: newest first, `starting_after`, `limit` 1 to 100."""
    since = int((params.get("created") or {}).get("gte", 0))
    items = [item for item in items if item["created"] >= since]
    if (after := params.get("starting_after")) is not None:
        ids = [item["id"] for item in items]
        items = items[ids.index(after) + 1 :] if after in ids else []
    limit = int(params.get("limit", 10))
    return {"object": "list", "url": url, "data": items[:limit], "has_more": len(items) > limit}


def _unknown(method: str, path: str) -> Refusal:
    message = f"Unrecognized request URL ({method}: {path})."
    return Refusal(404, "invalid_request_error", message)


Shown = Callable[[Any], Any]


def public(node: Any) -> Any:
    """Without what only the stand-in needs to know."""
    if isinstance(node, dict):
        return {key: public(value) for key, value in node.items() if not key.startswith("_")}
    return [public(value) for value in node] if isinstance(node, list) else node
