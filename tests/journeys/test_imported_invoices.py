"""One story: an invoice of Stripe's is brought here, reminded of once, paid at Stripe, and never mentioned again."""

from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.gateways.outbox import Outbox
from nudgepay.gateways.stripe import StripeGateway
from nudgepay.nudges.passes import run_pass
from nudgepay.nudges.terms import terms_of
from nudges.books import MONDAY, letters_in, outbox_of, rows, value
from payments.shop import Shop


@pytest.fixture
def shop(db: Database) -> Iterator[Shop]:
    with FakeStripe() as fake:
        gateway = StripeGateway(api_key=lambda: fake.api_key, base_url=fake.url, timeout=5, calls_per_second=5_000)
        yield Shop(db, fake, gateway, now=MONDAY)


def a_pass(shop: Shop, settings: Settings, *, days: float = 0) -> int:
    """A real sending pass so many days after Monday; returns how many letters there are in all."""
    outbox = outbox_of(settings)
    run_pass(
        shop.db,
        transport=outbox,
        receipts=Outbox(outbox.directory),
        terms=terms_of(settings),
        environment="test",
        now=MONDAY + timedelta(days=days),
        actor="test",
    )
    return len(letters_in(outbox.directory))


def reasons(shop: Shop) -> set[tuple[str, str]]:
    return {tuple(row) for row in rows(shop.db, "SELECT state, coalesce(reason, held_reason) FROM reminders")}


def reminded_once(shop: Shop, settings: Settings) -> None:
    shop.imported(due_on=MONDAY.date())
    assert a_pass(shop, settings) == 1
    name = letters_in(outbox_of(settings).directory)[0]
    mail = message_from_bytes((outbox_of(settings).directory / name).read_bytes(), policy=default)
    assert "s-1@client.example" in str(mail["To"])
    assert "S-1" in mail.get_body(("plain",)).get_content()


@pytest.mark.parametrize("way", ["card", "out_of_band", "voided", "debit"])
@pytest.mark.parametrize("told", ["event", "sweep"])
def test_what_is_settled_at_stripe_is_never_mentioned_again(
    shop: Shop, settings: Settings, way: str, told: str
) -> None:
    reminded_once(shop, settings)
    billing, stripe_id = shop.fake.billing, shop.ids["S-1"]
    {
        "card": billing.pay,
        "out_of_band": billing.pay_out_of_band,
        "voided": billing.void,
        "debit": billing.begin_debit,
    }[way](stripe_id)
    if told == "event":
        shop.receive_all()
    else:
        shop.forget_events()
        shop.sweep()
    assert [a_pass(shop, settings, days=days) for days in (3, 7, 14, 30)] == [1] * 4
    if way == "debit":
        assert ("planned", "payment_in_flight") in reasons(shop)


def test_the_same_invoice_left_unpaid_is_reminded_of_again(shop: Shop, settings: Settings) -> None:
    reminded_once(shop, settings)
    shop.sweep()
    assert a_pass(shop, settings, days=3) == 2


def test_an_event_that_cannot_be_followed_up_is_silence_too(shop: Shop, settings: Settings) -> None:
    reminded_once(shop, settings)
    shop.fake.billing.pay(shop.ids["S-1"])
    shop.fake.fail_next(*["503"] * 40, on="GET /v1/invoices")
    shop.receive_all()
    assert a_pass(shop, settings, days=3) == 1
    assert ("planned", "payment_in_flight") in reasons(shop)


def test_an_automatic_debit_is_not_announced_and_its_failure_is(shop: Shop, settings: Settings) -> None:
    fields = {"effective_at": int(MONDAY.timestamp()), "collection_method": "charge_automatically"}
    stripe_id = shop.imported(due_on=None, **fields)
    assert a_pass(shop, settings) == 0
    assert ("planned", "autopay") in reasons(shop)
    shop.fake.billing.fail_debit(stripe_id, next_attempt=1_900_000_000)
    shop.receive_all()
    assert a_pass(shop, settings, days=1) == 0
    shop.fake.billing.fail_debit(stripe_id, next_attempt=None)
    shop.receive_all()
    assert a_pass(shop, settings, days=3) == 1


def test_one_overdue_already_waits_for_a_person(shop: Shop, settings: Settings) -> None:
    shop.imported(due_on=MONDAY.date() - timedelta(days=30))
    assert a_pass(shop, settings) == 0
    assert value(shop.db, "SELECT count(*) FROM invoices WHERE amnesty_at IS NOT NULL") == 1
