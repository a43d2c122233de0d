"""Lists: filtered, newest first, in pages (docs.stripe.com/api/pagination)."""

from collections.abc import Callable
from operator import ge, gt, le, lt

from nudgepay.gateways.fakes.stripe.store import Json, Store, invalid

MOST_TYPES = 20
_COMPARE: dict[str, Callable[[int, int], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_FIELDS = ("payment_intent", "charge", "status", "customer", "invoice", "collection_method")


def objects(items: list[Json], params: Json, url: str) -> Json:
    """Objects of one kind, by `created` and by the fields that Stripe filters by."""
    for field in _FIELDS:
        if field in params:
            items = [item for item in items if item.get(field) == params[field]]
    if isinstance(tie := params.get("payment"), dict):
        items = [item for item in items if tie.items() <= item.get("payment", {}).items()]
    return _page(items, params, url)


def events(store: Store, params: Json) -> Json:
    """docs.stripe.com/api/events/list; `delivery_success` filters by whether all endpoints took it."""
    items = list(reversed(store.events))
    wanted = params.get("delivery_success")
    if wanted is not None:
        items = [event for event in items if (event["pending_webhooks"] == 0) == (wanted == "true")]
    if "type" in params and "types" in params:
        raise invalid("You may pass either `type` or `types`, but not both.", param="types")
    types = params.get("types") or ([params["type"]] if "type" in params else None)
    if types is not None and len(types) > MOST_TYPES:
        raise invalid("`types` takes up to 20 names.", param="types")
    if types is not None:
        items = [event for event in items if any(_is_named(event["type"], name) for name in types)]
    return _page(items, params, "/v1/events")


def _is_named(event_type: str, name: str) -> bool:
    return event_type.startswith(name[:-1]) if name.endswith("*") else event_type == name


def _page(items: list[Json], params: Json, url: str) -> Json:
    limit = int(params.get("limit", 10))
    if not 1 <= limit <= 100:
        raise invalid("`limit` can range between 1 and 100.", param="limit")
    created = params.get("created") or {}
    bounds = created.items() if isinstance(created, dict) else [("gte", created), ("lte", created)]
    for name, bound in bounds:
        items = [item for item in items if _COMPARE[name](item["created"], int(bound))]
    if (after := params.get("starting_after")) is not None:
        items = items[_place(items, after, "starting_after") + 1 :]
    if (before := params.get("ending_before")) is not None:
        items = items[: _place(items, before, "ending_before")]
        return {"object": "list", "url": url, "data": items[-limit:], "has_more": len(items) > limit}
    return {"object": "list", "url": url, "data": items[:limit], "has_more": len(items) > limit}


def _place(items: list[Json], object_id: str, param: str) -> int:
    for place, item in enumerate(items):
        if item["id"] == object_id:
            return place
    raise invalid(f"No such object: '{object_id}'", code="resource_missing", param=param)
