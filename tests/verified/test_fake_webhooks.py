"""Webhooks and the hosted page of the stand-in: what Stripe promises of them, and the disorder that it does not."""

import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from nudgepay.gateways.fakes.stripe import FakeStripe
from verified.servers import KEY, SECRET, Endpoint, endpoint, session_params


@pytest.fixture
def hook() -> Iterator[Endpoint]:
    with endpoint() as found:
        yield found


@pytest.fixture
def fake(hook: Endpoint) -> Iterator[FakeStripe]:
    with FakeStripe(api_key=KEY) as server:
        server.send_webhooks_to(hook.url, SECRET)
        yield server


def session_id(fake: FakeStripe, **changes: Any) -> str:
    client = stripe.StripeClient(KEY, base_addresses={"api": fake.url})
    return client.v1.checkout.sessions.create(session_params(12_345, **changes)).id


def ids(hook: Endpoint) -> list[str]:
    return [json.loads(body)["id"] for body, _ in hook.taken]


def types(hook: Endpoint) -> list[str]:
    return [json.loads(body)["type"] for body, _ in hook.taken]


def stamp(header: str) -> int:
    return int(header.split(",")[0].removeprefix("t="))


def test_a_refused_event_comes_again_signed_anew(fake: FakeStripe, hook: Endpoint) -> None:
    hook.answers = [500]
    fake.expire(session_id(fake))
    assert fake.deliveries.deliver_waiting() == 0
    assert fake.store.events[-1]["pending_webhooks"] == 1
    fake.advance(400)
    assert fake.deliveries.deliver_waiting() == 1
    assert fake.store.events[-1]["pending_webhooks"] == 0
    (body, first), (again, second) = hook.taken
    assert json.loads(body)["id"] == json.loads(again)["id"]
    assert stamp(second) - stamp(first) >= 400
    assert stripe.WebhookSignature.verify_header(body, first, SECRET, 300)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(again, first.replace("v1=", "v0="), SECRET)


def test_retries_come_with_growing_pauses_for_three_days(fake: FakeStripe, hook: Endpoint) -> None:
    hook.answers = [503] * 100
    fake.expire(session_id(fake))
    tries = []
    for hour in range(24 * 5):
        before = len(hook.taken)
        fake.deliveries.deliver_due()
        tries += [hour] * (len(hook.taken) - before)
        fake.advance(3600)
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert pauses == sorted(pauses)
    assert 72 <= tries[-1] < 24 * 5
    assert fake.deliveries.waiting == []
    assert fake.store.events[-1]["pending_webhooks"] == 1


def test_events_come_doubled_and_out_of_order_on_demand(fake: FakeStripe, hook: Endpoint) -> None:
    for _ in range(4):
        fake.pay(session_id(fake))
    in_order = [event["id"] for event in fake.store.events]
    fake.deliveries.disorder(7, doubled=0.5)
    fake.deliveries.deliver_waiting()
    assert sorted(set(ids(hook))) == sorted(in_order)
    assert len(ids(hook)) > len(in_order)
    assert list(dict.fromkeys(ids(hook))) != in_order


def test_a_withheld_type_never_comes_but_can_be_listed(fake: FakeStripe, hook: Endpoint) -> None:
    fake.withhold("checkout.session.completed")
    fake.pay(session_id(fake))
    fake.deliveries.deliver_waiting()
    assert types(hook) == ["charge.succeeded", "payment_intent.succeeded"]
    client = stripe.StripeClient(KEY, base_addresses={"api": fake.url})
    missed = client.v1.events.list({"delivery_success": False}).data
    assert [event.type for event in missed] == ["checkout.session.completed"]


def test_events_of_another_account_or_mode_can_be_sent(fake: FakeStripe, hook: Endpoint) -> None:
    fake.distort_events(account="acct_other", livemode=True)
    fake.expire(session_id(fake))
    fake.distort_events()
    fake.expire(session_id(fake))
    fake.deliveries.deliver_waiting()
    strange, usual = (json.loads(body) for body, _ in hook.taken)
    assert (strange["account"], strange["livemode"]) == ("acct_other", True)
    assert "account" not in usual
    assert usual["livemode"] is False


def test_a_delayed_payment_is_told_twice(fake: FakeStripe, hook: Endpoint) -> None:
    for succeeds in (True, False):
        paid = fake.pay(session_id(fake), "sepa_debit")
        assert (paid["status"], paid["payment_status"]) == ("complete", "unpaid")
        fake.settle(paid["payment_intent"], succeeds=succeeds)
        fake.deliveries.deliver_waiting()
        ending = "succeeded" if succeeds else "failed"
        assert types(hook)[-1] == f"checkout.session.async_payment_{ending}"
    assert types(hook).count("checkout.session.completed") == 2


def visit(url: str, form: str | None = None) -> tuple[int, str, str]:
    """Status, body and Location, without following a redirect."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    try:
        with urllib.request.build_opener(Stay).open(url, form and form.encode(), timeout=10) as reply:
            return reply.status, reply.read().decode(), ""
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode(), answer.headers.get("Location", "")


def test_the_hosted_page_shows_the_amount_takes_the_payment_and_leads_back(fake: FakeStripe, hook: Endpoint) -> None:
    made = session_id(
        fake,
        success_url="https://pay.example/p/t?session={CHECKOUT_SESSION_ID}",
        cancel_url="https://pay.example/p/t",
        locale="de",
    )
    page = f"{fake.url}/c/pay/{made}"
    status, body, _ = visit(page)
    assert status == 200
    assert "123,45" in body
    assert "https://pay.example/p/t" in body
    assert fake.sessions()[0]["status"] == "open", "looking pays nothing"
    status, body, _ = visit(page, "method=declined")
    assert (status, "declined" in body, fake.sessions()[0]["status"]) == (200, True, "open")
    assert visit(page, "method=card")[::2] == (303, f"https://pay.example/p/t?session={made}")
    assert "checkout.session.completed" in types(hook)
    status, body, _ = visit(page, "method=card")
    assert (status, "paid already" in body) == (200, True)
    assert len(fake.store.of_kind("charge")) == 1
    assert visit(f"{fake.url}/c/pay/cs_test_none")[0] == 404


def test_the_hosted_page_shows_a_title_as_text(fake: FakeStripe) -> None:
    line = {"quantity": 1, "price_data": {"currency": "jpy", "unit_amount": 500, "product_data": {"name": "<b>&"}}}
    _, body, _ = visit(f"{fake.url}/c/pay/{session_id(fake, line_items=[line])}")
    assert "&lt;b&gt;&amp;" in body
    assert "¥500" in body
