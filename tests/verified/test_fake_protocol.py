"""The rules of the API around its objects: keys, idempotency, limits, lists. Driven by the official SDK."""

import base64
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from stripe.checkout import Session
from stripe.params.checkout import SessionCreateParams

from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.gateways.fakes.stripe.session_rules import KNOWN
from verified.servers import KEY, session_params


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe(api_key=KEY) as server:
        yield server


@pytest.fixture
def client(fake: FakeStripe) -> stripe.StripeClient:
    return stripe.StripeClient(KEY, base_addresses={"api": fake.url}, max_network_retries=0)


def create(client: stripe.StripeClient, amount: int = 500, key: str | None = None, **changes: Any) -> Session:
    options: Any = {} if key is None else {"idempotency_key": key}
    return client.v1.checkout.sessions.create(session_params(amount, **changes), options)


def get(fake: FakeStripe, path: str, authorization: str) -> tuple[int, Any]:
    request = urllib.request.Request(fake.url + path, headers={"Authorization": authorization})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_it_takes_no_parameter_and_shows_no_field_that_the_sdk_does_not_know(client: stripe.StripeClient) -> None:
    assert set(SessionCreateParams.__annotations__) >= KNOWN
    assert set(Session.__annotations__) >= set(create(client).to_dict())


def test_a_key_is_accepted_as_bearer_and_as_basic_and_otherwise_refused(fake: FakeStripe) -> None:
    basic = base64.b64encode(f"{KEY}:".encode()).decode()
    assert get(fake, "/v1/account", f"Bearer {KEY}")[0] == 200
    assert get(fake, "/v1/account", f"Basic {basic}")[0] == 200
    for wrong in ("Bearer sk_test_no", "Basic !!!", "Basic " + base64.b64encode(b"no:").decode(), ""):
        status, document = get(fake, "/v1/account", wrong)
        assert (status, document["error"]["type"]) == (401, "invalid_request_error")


def test_every_answer_has_a_request_id_of_its_own(client: stripe.StripeClient) -> None:
    first, second = create(client, key="k"), create(client, key="k")
    replayed = second.last_response
    assert first.id == second.id
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert replayed.headers["Original-Request"] == first.last_response.request_id
    assert replayed.request_id != first.last_response.request_id


def test_a_key_with_other_parameters_is_refused(client: stripe.StripeClient) -> None:
    create(client, 500, key="k")
    with pytest.raises(stripe.IdempotencyError) as refused:
        create(client, 501, key="k")
    assert refused.value.http_status == 400


def test_a_key_in_use_conflicts(fake: FakeStripe, client: stripe.StripeClient) -> None:
    fake.fail_next("hold")
    first: list[str] = []
    slow = threading.Thread(target=lambda: first.append(create(client, key="k").id))
    slow.start()
    assert fake.faults.holding.wait(10)
    with pytest.raises(stripe.APIError) as conflict:
        create(client, key="k")
    assert (conflict.value.http_status, conflict.value.json_body["error"]["code"]) == (409, "idempotency_key_in_use")
    fake.faults.released.set()
    slow.join()
    assert create(client, key="k").id == first[0]


def test_what_fails_validation_is_not_saved_for_its_key(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        create(client, key="k", locale="de-AT")
    assert create(client, key="k", locale="de").status == "open"


@pytest.mark.parametrize("fault", ["401", "429", "503"])
def test_what_is_turned_away_before_its_work_is_not_saved(
    fake: FakeStripe, client: stripe.StripeClient, fault: str
) -> None:
    fake.fail_next(fault)
    with pytest.raises(stripe.StripeError):
        create(client, key="k")
    assert create(client, key="k").status == "open"


@pytest.mark.parametrize(("fault", "made"), [("500", 0), ("500_after", 1)])
def test_a_failure_at_work_is_saved_and_given_again_for_a_day(
    fake: FakeStripe, client: stripe.StripeClient, fault: str, made: int
) -> None:
    fake.fail_next(fault)
    for _ in range(3):
        with pytest.raises(stripe.APIError) as failed:
            create(client, key="k")
        assert failed.value.headers["Stripe-Should-Retry"] == "false"
    assert len(fake.sessions()) == made
    fake.advance(24 * 3600)
    assert create(client, key="k").status == "open"


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"locale": "de-AT"}, "locale"),
        ({"customer_email": "nobody"}, "customer_email"),
        ({"success_url": "pay.example"}, "success_url"),
        ({"metadata": {"k" * 41: "v"}}, "metadata"),
        ({"metadata": {"k": "v" * 501}}, "metadata"),
        ({"payment_intent_data": {"metadata": {str(n): "v" for n in range(51)}}}, "payment_intent_data"),
        ({"expires_at": 1}, "expires_at"),
        ({"line_items": []}, "line_items"),
        ({"no_such_thing": "1"}, "no_such_thing"),
    ],
)
def test_it_refuses_what_stripe_refuses(client: stripe.StripeClient, changes: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create(client, **changes)
    assert str(refused.value.param).startswith(param)


def test_amounts_out_of_bounds_are_refused_by_name(client: stripe.StripeClient) -> None:
    for amount, code in ((49, "amount_too_small"), (100_000_000, "amount_too_large")):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            create(client, amount)
        assert refused.value.code == code


def test_each_endpoint_has_a_limit_of_its_own(fake: FakeStripe, client: stripe.StripeClient) -> None:
    fake.limits.per_second = 2
    session = create(client)
    create(client)
    with pytest.raises(stripe.RateLimitError) as limited:
        create(client)
    assert limited.value.http_status == 429
    assert limited.value.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
    assert client.v1.checkout.sessions.retrieve(session.id).id == session.id
    assert fake.limits.turned_away == 1


def test_a_list_walks_both_ways_and_filters_by_time_and_status(fake: FakeStripe, client: stripe.StripeClient) -> None:
    sessions = client.v1.checkout.sessions
    made = []
    for _ in range(5):
        made.append(create(client).id)
        fake.advance(10)
    newest_first = list(reversed(made))
    page = sessions.list({"limit": 2})
    assert ([s.id for s in page.data], page.has_more) == (newest_first[:2], True)
    after = sessions.list({"limit": 2, "starting_after": page.data[-1].id})
    assert ([s.id for s in after.data], after.has_more) == (newest_first[2:4], True)
    before = sessions.list({"limit": 2, "ending_before": newest_first[4]})
    assert ([s.id for s in before.data], before.has_more) == (newest_first[2:4], True)
    third = sessions.retrieve(made[2]).created
    assert [s.id for s in sessions.list({"created": {"gte": third}}).data] == newest_first[:3]
    assert [s.id for s in sessions.list({"created": {"gt": third}}).data] == newest_first[:2]
    assert [s.id for s in sessions.list({"created": {"lt": third}}).data] == newest_first[3:]
    assert [s.id for s in sessions.list({"created": {"gte": third, "lte": third}}).data] == [made[2]]
    sessions.expire(made[0])
    assert [s.id for s in sessions.list({"status": "expired"}).data] == [made[0]]
    for wrong in ({"limit": 0}, {"limit": 101}, {"starting_after": "cs_test_none"}):
        with pytest.raises(stripe.InvalidRequestError):
            sessions.list(wrong)  # type: ignore[arg-type]


def test_events_are_found_by_name_by_pattern_and_by_id(fake: FakeStripe, client: stripe.StripeClient) -> None:
    fake.refund(fake.pay(create(client).id)["payment_intent"])
    events = client.v1.events
    named = events.list({"types": ["refund.created", "checkout.session.completed"]}).data
    assert [event.type for event in named] == ["refund.created", "checkout.session.completed"]
    assert {event.type for event in events.list({"type": "charge.*"}).data} == {"charge.succeeded", "charge.refunded"}
    assert events.retrieve(named[0].id).data.object["object"] == "refund"
    with pytest.raises(stripe.InvalidRequestError):
        events.list({"type": "a", "types": ["b"]})
    with pytest.raises(stripe.InvalidRequestError):
        events.list({"types": [f"t{number}" for number in range(21)]})


def test_an_open_session_expires_by_itself_and_loses_its_url(fake: FakeStripe, client: stripe.StripeClient) -> None:
    session = create(client)
    assert session.url == f"{fake.url}/c/pay/{session.id}"
    fake.store.skew += 24 * 3600
    ended = client.v1.checkout.sessions.retrieve(session.id)
    assert (ended.status, ended.url) == ("expired", None)
    assert fake.store.events[-1]["type"] == "checkout.session.expired"


def test_every_kind_of_object_can_be_read_and_listed(fake: FakeStripe, client: stripe.StripeClient) -> None:
    intent = fake.pay(create(client).id)["payment_intent"]
    charge = client.v1.payment_intents.retrieve(intent).latest_charge
    refund = client.v1.refunds.create({"charge": str(charge), "amount": 100, "metadata": {"why": "half"}})
    dispute = fake.dispute(intent)
    v1 = client.v1
    assert [o.id for o in v1.payment_intents.list().data] == [intent]
    assert [o.id for o in v1.charges.list({"payment_intent": intent}).data] == [charge]
    assert [o.id for o in v1.refunds.list({"charge": str(charge)}).data] == [refund.id]
    assert [o.id for o in v1.disputes.list({"payment_intent": intent}).data] == [dispute["id"]]
    assert v1.refunds.retrieve(refund.id).metadata.to_dict() == {"why": "half"}  # type: ignore[union-attr]
    assert v1.disputes.close(dispute["id"]).status == "lost"
    assert v1.accounts.retrieve_current().id == fake.store.account
    with pytest.raises(stripe.InvalidRequestError):
        v1.refunds.create({"payment_intent": intent, "amount": 10_000})
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        v1.products.list()
    assert unknown.value.http_status == 404


def test_an_inquiry_moves_no_money(fake: FakeStripe, client: stripe.StripeClient) -> None:
    intent = fake.pay(create(client).id)["payment_intent"]
    dispute = fake.dispute(intent, is_inquiry=True)
    assert client.v1.disputes.retrieve(dispute["id"]).status == "warning_needs_response"
    assert "charge.dispute.funds_withdrawn" not in {event["type"] for event in fake.store.events}
