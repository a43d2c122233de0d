"""The official SDK drives the stand-in through our gateway; every promise of the API that we lean on holds."""

import pytest
import stripe

from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.gateways.fakes.stripe.deliveries import event_body, signature
from nudgepay.gateways.stripe import (
    StripeGateway,
    StripeKeyRejected,
    StripeOutcomeUnknown,
    StripeRefused,
    StripeUnavailable,
)


@pytest.fixture
def fake():
    with FakeStripe() as server:
        yield server


@pytest.fixture
def gateway(fake: FakeStripe) -> StripeGateway:
    return StripeGateway(api_key=lambda: fake.api_key, base_url=fake.url, timeout=5)


def create(gateway: StripeGateway, key: str = "k1", amount: int = 12_345, currency: str = "EUR") -> dict:
    return gateway.create_checkout_session(
        amount=amount,
        currency=currency,
        description="Invoice A-1",
        success_url="https://pay.example/p/t?paid=1",
        cancel_url="https://pay.example/p/t",
        metadata={"nudgepay_page": "invoice:1"},
        idempotency_key=key,
        locale="de",
    )


def test_a_session_carries_amount_metadata_and_a_url(fake: FakeStripe, gateway: StripeGateway) -> None:
    session = create(gateway)
    assert (session["amount_total"], session["currency"], session["status"]) == (12_345, "eur", "open")
    assert session["url"].startswith(fake.url)
    assert gateway.retrieve_checkout_session(session["id"])["metadata"] == {"nudgepay_page": "invoice:1"}


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"),
    [("JPY", 500, 500), ("EUR", 500, 500), ("KWD", 12_340, 12_340), ("ISK", 500, 50_000), ("UGX", 7, 700)],
)
def test_amounts_are_stripes_own_at_the_door(gateway: StripeGateway, currency: str, ours: int, theirs: int) -> None:
    assert create(gateway, amount=ours, currency=currency)["amount_total"] == theirs


def test_the_same_key_gives_the_same_session_and_other_parameters_are_refused(gateway: StripeGateway) -> None:
    assert create(gateway)["id"] == create(gateway)["id"]
    with pytest.raises(StripeRefused) as refused:
        create(gateway, amount=1)
    assert refused.value.http_status == 400


def test_a_saved_error_is_replayed_for_its_key(fake: FakeStripe, gateway: StripeGateway) -> None:
    fake.fail_next("500")
    for _ in range(2):
        with pytest.raises(StripeOutcomeUnknown):
            create(gateway, key="doomed")
    assert fake.sessions() == []
    assert create(gateway, key="fresh")["status"] == "open"


def test_a_key_is_forgotten_after_a_day(fake: FakeStripe, gateway: StripeGateway) -> None:
    first = create(gateway)
    fake.store.skew = 25 * 3600
    assert create(gateway)["id"] != first["id"]


def test_a_lost_answer_is_retried_under_its_key_and_makes_one_session(
    fake: FakeStripe, gateway: StripeGateway
) -> None:
    fake.fail_next("drop_after")
    assert create(gateway)["status"] == "open"
    assert len(fake.sessions()) == 1


def test_limits_and_revoked_keys_are_told_apart(fake: FakeStripe, gateway: StripeGateway) -> None:
    fake.fail_next("429", "429", "429")
    with pytest.raises(StripeUnavailable):
        gateway.retrieve_account()
    fake.fail_next("401")
    with pytest.raises(StripeKeyRejected):
        gateway.retrieve_account()
    assert gateway.retrieve_account()["id"] == fake.store.account


def test_a_card_pays_at_once_and_a_debit_later(fake: FakeStripe, gateway: StripeGateway) -> None:
    card = fake.pay(create(gateway, "card")["id"])
    assert (card["status"], card["payment_status"]) == ("complete", "paid")
    debit = fake.pay(create(gateway, "debit")["id"], "sepa_debit")
    assert (debit["status"], debit["payment_status"]) == ("complete", "unpaid")
    fake.settle(debit["id"], succeeds=True)
    assert gateway.retrieve_checkout_session(debit["id"])["payment_status"] == "paid"


def test_metadata_reaches_the_intent_only_because_it_is_sent_for_it(fake: FakeStripe, gateway: StripeGateway) -> None:
    intent = gateway.retrieve_payment_intent(fake.pay(create(gateway)["id"])["payment_intent"])
    assert intent["metadata"] == {"nudgepay_page": "invoice:1"}
    client = stripe.StripeClient(fake.api_key, base_addresses={"api": fake.url})
    bare = client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "metadata": {"a": "b"},
            "success_url": "https://x.example",
            "line_items": [
                {"quantity": 1, "price_data": {"currency": "eur", "unit_amount": 100, "product_data": {"name": "x"}}}
            ],
        }
    )
    paid = fake.pay(bare.id)
    assert gateway.retrieve_payment_intent(paid["payment_intent"])["metadata"] == {}


def test_an_expired_session_cannot_be_paid_and_a_paid_one_cannot_expire(
    fake: FakeStripe, gateway: StripeGateway
) -> None:
    gone = create(gateway, "a")
    assert gateway.expire_checkout_session(gone["id"])["status"] == "expired"
    paid = fake.pay(create(gateway, "b")["id"])
    with pytest.raises(StripeRefused):
        gateway.expire_checkout_session(paid["id"])


def test_refunds_and_disputes_tell_their_state(fake: FakeStripe, gateway: StripeGateway) -> None:
    intent = fake.pay(create(gateway)["id"])["payment_intent"]
    refund = fake.refund(intent, 345)
    assert gateway.retrieve_refund(refund["id"])["status"] == "succeeded"
    assert [item["id"] for item in gateway.list_refunds(payment_intent=intent)] == [refund["id"]]
    dispute = fake.dispute(intent)
    assert gateway.retrieve_dispute(dispute["id"])["status"] == "needs_response"
    fake.close_dispute(dispute["id"], won=True)
    assert gateway.retrieve_dispute(dispute["id"])["status"] == "won"


def test_lists_come_in_pages_newest_first(fake: FakeStripe, gateway: StripeGateway) -> None:
    with fake.store.lock:
        for number in range(230):
            fake.store.emit("ping", {"id": f"x_{number}", "object": "ping"})
    events = list(gateway.list_events(created_since=0))
    assert [event["data"]["object"]["id"] for event in events] == [f"x_{number}" for number in reversed(range(230))]


def test_undelivered_events_can_be_listed(fake: FakeStripe, gateway: StripeGateway) -> None:
    with fake.store.lock:
        taken = fake.store.emit("ping", {"id": "a", "object": "ping"})
        fake.store.emit("ping", {"id": "b", "object": "ping"})
    taken["pending_webhooks"] = 0
    left = list(gateway.list_events(created_since=0, delivery_success=False))
    assert [event["data"]["object"]["id"] for event in left] == ["b"]


def test_its_signature_is_one_that_the_sdk_accepts(fake: FakeStripe) -> None:
    with fake.store.lock:
        event = fake.store.emit("ping", {"id": "a", "object": "ping"})
    body = event_body(event)
    header = signature(body, "whsec_test", fake.store.now())
    assert stripe.WebhookSignature.verify_header(body, header, "whsec_test", 300)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body + b" ", header, "whsec_test", 300)
