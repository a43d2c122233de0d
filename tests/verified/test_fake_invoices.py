"""The stand-in's invoices, driven by the official SDK through our gateway; localstripe's word on what it knows."""

from typing import Any

import pytest
import stripe

from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.gateways.stripe import StripeGateway, StripeRefused
from verified.servers import Server, localstripe, ours


@pytest.fixture
def fake():
    with FakeStripe() as server:
        yield server


@pytest.fixture
def gateway(fake: FakeStripe) -> StripeGateway:
    return StripeGateway(api_key=lambda: fake.api_key, base_url=fake.url, timeout=5, calls_per_second=5_000)


def bill(fake: FakeStripe, number: str = "S-1", amount: int = 10_000, **fields: Any) -> str:
    customer = fake.billing.customer(email="payer@client.example", name="Client", preferred_locales=["de"])
    return str(fake.billing.bill(customer, number, amount, **fields)["id"])


def test_open_invoices_come_in_pages_with_their_customers(fake: FakeStripe, gateway: StripeGateway) -> None:
    made = [bill(fake, f"S-{number}") for number in range(130)]
    fake.billing.pay(made[0])
    found = list(gateway.invoices.list_open())
    assert [one["id"] for one in found] == list(reversed(made[1:]))
    assert found[0]["customer"]["preferred_locales"] == ["de"]
    assert "payments" not in found[0]
    assert [call for call in fake.calls if call == ("GET", "/v1/invoices")] == [("GET", "/v1/invoices")] * 2


def test_an_invoice_names_its_payments_only_when_they_are_asked_for(fake: FakeStripe, gateway: StripeGateway) -> None:
    invoice_id = bill(fake)
    intents = [fake.billing.pay(invoice_id, 500)["id"] for _ in range(12)]
    found = gateway.invoices.retrieve(invoice_id)
    paid = [one for one in found["payments"]["data"] if one["status"] == "paid"]
    assert [one["payment"]["payment_intent"]["id"] for one in paid] == list(reversed(intents))
    assert (found["amount_paid"], found["amount_remaining"], found["status"]) == (6_000, 4_000, "open")
    assert gateway.invoices.invoices_paid_by(intents[3]) == [invoice_id]
    assert gateway.invoices.invoices_paid_by("pi_other") == []


def test_money_from_elsewhere_closes_it_without_a_charge_and_only_once(
    fake: FakeStripe, gateway: StripeGateway
) -> None:
    invoice_id = bill(fake)
    closed = gateway.invoices.close_as_paid_elsewhere(invoice_id, idempotency_key="k")
    assert (closed["status"], closed["amount_paid"], closed["amount_remaining"]) == ("paid", 10_000, 0)
    assert [event["type"] for event in fake.store.events] == ["invoice.finalized", "invoice.updated", "invoice.paid"]
    assert fake.store.of_kind("charge") == []
    assert gateway.invoices.close_as_paid_elsewhere(invoice_id, idempotency_key="k")["status"] == "paid"
    with pytest.raises(StripeRefused) as refused:
        gateway.invoices.close_as_paid_elsewhere(invoice_id, idempotency_key="other")
    assert refused.value.http_status == 400


def test_what_was_written_off_can_still_be_paid_and_what_was_voided_cannot(fake: FakeStripe) -> None:
    client = stripe.StripeClient(fake.api_key, base_addresses={"api": fake.url}, max_network_retries=0)
    one, other = bill(fake, "S-1"), bill(fake, "S-2")
    assert client.v1.invoices.mark_uncollectible(one).status == "uncollectible"
    assert client.v1.invoices.pay(one).status == "paid"
    assert client.v1.invoices.void_invoice(other).status == "void"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.invoices.pay(other)


def test_a_hurried_read_gives_up_in_time(fake: FakeStripe, gateway: StripeGateway) -> None:
    from nudgepay import clock
    from nudgepay.gateways.stripe import StripeUnavailable

    invoice_id = bill(fake)
    fake.fail_next("hang_after", on="GET /v1/invoices")
    began = clock.monotonic()
    with pytest.raises(StripeUnavailable):
        gateway.invoices.retrieve(invoice_id, within=0.3)
    assert clock.monotonic() - began < 2


@pytest.fixture(params=["ours", "localstripe"])
def server(request: pytest.FixtureRequest):
    with ours() if request.param == "ours" else localstripe() as found:
        yield found


def a_paid_invoice(server: Server) -> str:
    """localstripe bills subscriptions only; ours is told what to bill."""
    if server.name == "ours":
        invoice_id = bill(server.fake, amount=10_000)  # type: ignore[attr-defined]
        server.fake.billing.pay(invoice_id)  # type: ignore[attr-defined]
        return invoice_id
    client = server.client.v1
    customer = client.customers.create({"email": "payer@client.example"})
    card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2090, "cvc": "123"}
    method = client.payment_methods.create({"type": "card", "card": card})  # type: ignore[arg-type]
    client.payment_methods.attach(method.id, {"customer": customer.id})
    client.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    plan = client.plans.create(
        {"amount": 10_000, "currency": "eur", "interval": "month", "product": {"name": "Desk"}}
    )
    made = client.subscriptions.create({"customer": customer.id, "items": [{"plan": plan.id}]})  # type: ignore[list-item]
    return str(made.latest_invoice)


def test_a_paid_invoice_says_the_same_of_itself_on_both_servers(server: Server) -> None:
    found = server.client.v1.invoices.retrieve(a_paid_invoice(server))
    assert (found.object, found.status, found.currency, found.livemode) == ("invoice", "paid", "eur", False)
    assert (found.amount_due, found.amount_paid, found.total) == (10_000, 10_000, 10_000)
    assert (found.attempted, found.next_payment_attempt) == (True, None)
    assert found.customer_email == "payer@client.example"
    assert found.status_transitions.paid_at is not None
    assert found.id.startswith("in_")
    assert found.id in [one.id for one in server.client.v1.invoices.list().data]


def test_a_paid_invoice_cannot_be_paid_again_on_both_servers(server: Server) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        server.client.v1.invoices.pay(a_paid_invoice(server))
    assert refused.value.http_status == 400
    assert "already paid" in str(refused.value)


def test_an_unknown_invoice_is_a_404_on_both_servers(server: Server) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        server.client.v1.invoices.retrieve("in_none")
    assert missing.value.http_status == 404
