"""What was paid here is closed at Stripe, once and for sure; and nobody is asked for money that Stripe has."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay import clock
from nudgepay.gateways.stripe import StripeUnavailable
from nudgepay.payments.actions import undo_payment
from nudgepay.payments.bank import record_transfer
from nudgepay.payments.invoice_looks import PATIENCE_SECONDS
from nudgepay.payments.pay_link import NothingToPay, PaymentInFlight, PayPage, open_checkout
from nudgepay.payments.telling_stripe import tell_stripe
from payments.shop import NOW, Shop

PAID = ("paid", "paid", 0)


def transfer(shop: Shop, amount: str = "100", number: str = "S-1") -> int:
    with shop.db.transaction() as session:
        return record_transfer(session, numbers=[number], amount=amount, occurred_at=NOW, now=NOW, actor="t").fact_id


def click(shop: Shop, *, minutes: int = 1, number: str = "S-1") -> str:
    invoice = shop.invoice(number)
    page = PayPage(f"invoice:{invoice.id}", invoice.client_id, (invoice.id,), "EUR", "de", f"Invoice {number}")
    url = open_checkout(
        shop.db,
        shop.gateway,
        page=page,
        amount=None,
        success_url="https://pay.example/p/t?paid=1",
        cancel_url="https://pay.example/p/t",
        now=NOW + timedelta(minutes=minutes),
    )
    return url.rsplit("/", 1)[1]


def closings(shop: Shop) -> int:
    return sum(method == "POST" and path.endswith("/pay") for method, path in shop.fake.calls)


def tell(shop: Shop, *, hours: float = 0) -> int:
    return tell_stripe(shop.db, shop.gateway, now=NOW + timedelta(hours=hours))


@pytest.mark.parametrize("way", ["page", "transfer"])
def test_what_is_paid_here_is_closed_there_and_booked_once(shop: Shop, way: str) -> None:
    shop.imported()
    if way == "page":
        shop.fake.pay(click(shop))
        shop.receive_all()
    else:
        transfer(shop)
    assert shop.sweep().invoices_closed == 1
    assert (shop.there()["status"], shop.row().status) == ("paid", "paid")
    shop.receive_all()
    again = shop.sweep()
    assert (again.invoices_closed, again.drift, closings(shop)) == (0, 0, 1)
    assert (shop.state(), len(shop.facts())) == (PAID, 1)


def test_one_that_stripe_closed_itself_is_not_closed_again(shop: Shop) -> None:
    shop.imported()
    shop.fake.billing.pay(shop.ids["S-1"])
    shop.receive_all()
    assert (shop.sweep().invoices_closed, closings(shop)) == (0, 0)


def test_paid_on_both_sides_at_once_is_credit_with_a_task(shop: Shop) -> None:
    shop.imported()
    transfer(shop)
    shop.fake.billing.pay(shop.ids["S-1"])
    assert (tell(shop), closings(shop)) == (0, 0)
    assert (shop.state(), len(shop.facts())) == (("paid", "overpaid", 0), 2)
    assert len(shop.notices("payment.unapplied_credit")) == 1


@pytest.mark.parametrize("fault", ["drop_after", "drop", "500_after", "500"])
def test_a_lost_answer_is_finished_by_the_next_sweep_under_a_key_that_works(shop: Shop, fault: str) -> None:
    shop.imported()
    transfer(shop)
    shop.fake.fail_next(*[fault] * 3, on="POST /v1/invoices")
    assert tell(shop) == 0
    shop.receive_all()
    shop.fake.faults.clear()
    for _ in range(3):
        tell(shop)
    assert (shop.there()["status"], shop.row().status) == ("paid", "paid")
    assert (shop.state(), len(shop.facts())) == (PAID, 1)
    assert shop.notices("stripe.invoice_not_closed") == []


def test_a_refusal_is_told_once_and_tried_again_a_day_later_under_another_key(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nudgepay.gateways.fakes.stripe import invoices
    from nudgepay.gateways.fakes.stripe.store import Refusal

    shop.imported()
    transfer(shop)
    pay = invoices.pay

    def refuse(*_: Any) -> Any:
        raise Refusal(402, "invalid_request_error", "no", code="not_allowed")

    monkeypatch.setitem(_verbs(), "pay", refuse)
    assert [tell(shop), tell(shop, hours=1)] == [0, 0]
    assert closings(shop) == 1
    (told,) = shop.notices("stripe.invoice_not_closed")
    assert (told["stripe_invoice"], told["code"]) == (shop.ids["S-1"], "not_allowed")
    monkeypatch.setitem(_verbs(), "pay", pay)
    assert tell(shop, hours=24) == 1
    assert (shop.there()["status"], shop.notices("stripe.invoice_not_closed")) == ("paid", [])


def _verbs() -> dict[str, Any]:
    from nudgepay.gateways.fakes.stripe import routes

    return routes._INVOICE_VERBS


def test_one_refusal_does_not_keep_the_others_open(shop: Shop) -> None:
    for number in ("S-1", "S-2"):
        shop.imported(number)
        transfer(shop, number=number)
    shop.fake.store.objects.pop(shop.ids["S-1"])
    assert tell(shop) == 1
    assert (shop.there("S-2")["status"], len(shop.notices("stripe.invoice_not_closed"))) == ("paid", 1)


def test_a_stripe_that_is_away_is_left_to_the_next_sweep(shop: Shop) -> None:
    shop.imported()
    transfer(shop)
    shop.fake.fail_next(*["503"] * 3, on="GET /v1/invoices")
    with pytest.raises(StripeUnavailable):
        tell(shop)
    assert tell(shop) == 1


def test_a_part_is_told_to_people_once_and_not_to_stripe(shop: Shop) -> None:
    shop.imported()
    transfer(shop, "30")
    for _ in range(2):
        assert tell(shop) == 0
    assert [notice["stripe_invoice"] for notice in shop.notices("stripe.partial_payment_untold")] == [shop.ids["S-1"]]
    with shop.db.transaction() as session:
        session.execute(text("UPDATE notices SET resolved_at = now()"))
    tell(shop)
    assert (shop.notices("stripe.partial_payment_untold"), closings(shop)) == ([], 0)
    transfer(shop, "70")
    assert tell(shop) == 1


def test_a_part_that_came_at_stripe_is_no_news(shop: Shop) -> None:
    shop.imported()
    shop.fake.billing.pay(shop.ids["S-1"], 3_000)
    shop.receive_all()
    tell(shop)
    assert shop.notices("stripe.partial_payment_untold") == []


def test_a_transfer_that_is_taken_back_before_stripe_heard_of_it_leaves_both_open(shop: Shop) -> None:
    shop.imported()
    fact_id = transfer(shop)
    shop.fake.fail_next(*["drop"] * 3, on="POST /v1/invoices")
    tell(shop)
    assert shop.row().closing_at is not None
    with shop.db.transaction() as session:
        undo_payment(session, fact_id, now=NOW, actor="t")
    tell(shop, hours=1)
    assert (shop.row().closing_at, shop.there()["status"]) == (None, "open")
    shop.fake.billing.pay_out_of_band(shop.ids["S-1"])
    shop.receive_all()
    assert shop.state() == PAID


@pytest.mark.parametrize("end", ["pay", "pay_out_of_band"])
def test_a_click_on_what_stripe_has_been_paid_for_opens_nothing(shop: Shop, end: str) -> None:
    shop.imported()
    getattr(shop.fake.billing, end)(shop.ids["S-1"])
    shop.forget_events()
    with pytest.raises(NothingToPay):
        click(shop)
    assert (shop.state(), shop.fake.sessions()) == (PAID, [])


def test_a_click_while_a_debit_is_on_its_way_opens_nothing(shop: Shop) -> None:
    shop.imported()
    shop.fake.billing.begin_debit(shop.ids["S-1"])
    shop.forget_events()
    with pytest.raises(PaymentInFlight):
        click(shop)


def test_what_was_read_lately_is_not_read_again_by_a_click(shop: Shop) -> None:
    shop.imported()
    click(shop)
    reads = [path for method, path in shop.fake.calls if path == f"/v1/invoices/{shop.ids['S-1']}"]
    click(shop, minutes=5)
    assert reads == [path for method, path in shop.fake.calls if path == f"/v1/invoices/{shop.ids['S-1']}"]
    click(shop, minutes=12)
    assert len(reads) == 1
    assert len([1 for _, path in shop.fake.calls if path == f"/v1/invoices/{shop.ids['S-1']}"]) == 2


@pytest.mark.parametrize("fault", ["hang_after", "503", "500", "drop", "429"])
def test_a_slow_or_broken_read_keeps_nobody_from_paying(shop: Shop, fault: str) -> None:
    shop.imported()
    shop.fake.fail_next(fault, on="GET /v1/invoices")
    began = clock.monotonic()
    assert click(shop).startswith("cs_test_")
    assert clock.monotonic() - began < PATIENCE_SECONDS + 1
