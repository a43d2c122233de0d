"""The same assertions against our stand-in and against localstripe, which was written by others.

localstripe knows PaymentIntents, refunds, charges and signatures; it has no Checkout Sessions, no disputes and no
idempotency keys, so for those our stand-in is judged by the official SDK alone.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from verified.servers import SECRET, Server, endpoint, localstripe, ours


@pytest.fixture(scope="module", params=["ours", "localstripe"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with ours() if request.param == "ours" else localstripe() as found:
        yield found


def test_a_payment_intent_that_succeeded_names_its_charge(server: Server) -> None:
    intent = server.client.v1.payment_intents.retrieve(server.take_payment(12_345).id)
    assert (intent.object, intent.status) == ("payment_intent", "succeeded")
    assert (intent.amount, intent.currency, intent.livemode) == (12_345, "eur", False)
    assert intent.id.startswith("pi_")
    assert isinstance(intent.created, int)
    latest = intent.latest_charge
    charge = server.client.v1.charges.retrieve(latest if isinstance(latest, str) else latest.id)
    assert (charge.object, charge.status, charge.paid, charge.captured) == ("charge", "succeeded", True, True)
    assert (charge.payment_intent, charge.amount, charge.amount_refunded) == (intent.id, 12_345, 0)
    assert charge.refunded is False


def test_a_refund_belongs_to_its_payment_and_adds_up_on_the_charge(server: Server) -> None:
    intent = server.take_payment(10_000)
    refunds = server.client.v1.refunds
    part = refunds.create({"payment_intent": intent.id, "amount": 3_000})
    rest = refunds.create({"payment_intent": intent.id, "amount": 7_000})
    assert (part.object, part.status, part.amount, part.currency) == ("refund", "succeeded", 3_000, "eur")
    assert part.id.startswith("re_")
    assert part.payment_intent == intent.id
    assert refunds.retrieve(part.id).amount == 3_000
    listed = refunds.list({"payment_intent": intent.id})
    assert {refund.id for refund in listed.data} == {part.id, rest.id}
    assert listed.has_more is False
    charge = server.client.v1.charges.retrieve(str(part.charge))
    assert (charge.amount_refunded, charge.refunded) == (10_000, True)


def test_lists_come_in_pages_that_do_not_overlap(server: Server) -> None:
    intent = server.take_payment(9_000)
    made = [server.client.v1.refunds.create({"payment_intent": intent.id, "amount": 1_000}).id for _ in range(5)]
    seen: list[str] = []
    params: dict[str, object] = {"payment_intent": intent.id, "limit": 2}
    while True:
        page = server.client.v1.refunds.list(params)  # type: ignore[arg-type]
        assert page.object == "list"
        seen += [refund.id for refund in page.data]
        if not page.has_more:
            break
        params["starting_after"] = page.data[-1].id
    assert sorted(seen) == sorted(made)


@pytest.mark.parametrize(
    ("kind", "object_id"), [("payment_intents", "pi_none"), ("refunds", "re_none"), ("charges", "ch_none")]
)
def test_an_unknown_id_is_a_404_in_stripes_error_shape(server: Server, kind: str, object_id: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        getattr(server.client.v1, kind).retrieve(object_id)
    assert missing.value.http_status == 404
    error = missing.value.json_body["error"]  # type: ignore[index]
    assert error["type"] == "invalid_request_error"
    assert isinstance(error["message"], str)


def test_a_refund_of_nothing_is_a_400(server: Server) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        server.client.v1.refunds.create({})
    assert refused.value.http_status == 400


def test_a_call_without_a_secret_key_is_a_401(server: Server) -> None:
    stranger = stripe.StripeClient("nobody", base_addresses={"api": server.url}, max_network_retries=0)
    with pytest.raises(stripe.AuthenticationError) as rejected:
        stranger.v1.refunds.list()
    assert rejected.value.http_status == 401


def test_a_webhook_is_signed_as_the_sdk_verifies_it(server: Server) -> None:
    with endpoint() as hook:
        server.send_webhooks_to(hook.url)
        intent = server.take_payment(5_000)
        server.deliver()
        event: dict[str, Any] = {}
        for count in range(1, 200):
            body, header = hook.wait_for(count)[count - 1]
            assert stripe.WebhookSignature.verify_header(body, header, SECRET, 300)
            event = json.loads(body)
            assert event["object"] == "event"
            assert {"id", "api_version", "created", "data", "livemode", "type"} <= event.keys()
            if (event["type"], event["data"]["object"]["id"]) == ("payment_intent.succeeded", intent.id):
                break
        told = event["data"]["object"]
        assert (told["id"], told["status"], told["amount"]) == (intent.id, "succeeded", 5_000)
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.WebhookSignature.verify_header(body, header, "whsec_other", 300)
