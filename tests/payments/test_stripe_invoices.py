"""An imported invoice follows Stripe: paid, withdrawn or written off there, once, in any order, by event or sweep."""

import itertools
import os
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from nudgepay.gateways.stripe import StripeUnavailable
from nudgepay.payments import invoice_looks
from nudgepay.payments.actions import retarget
from payments.shop import NOW, Shop

PAID = ("paid", "paid", 0)


def books_of(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that must not depend on order or copies."""
    queries = {
        "invoices": "SELECT number, status, money_state, amount_paid, amount_remaining, autopay,"
        " autopay_failed_at IS NOT NULL FROM invoices ORDER BY number",
        "facts": "SELECT provider_id, kind, amount, problem, voided_at IS NOT NULL FROM money_facts ORDER BY 1, 2",
        "allocations": "SELECT f.provider_id, f.kind, a.amount FROM allocations a JOIN money_facts f"
        " ON f.id = a.fact_id ORDER BY 1, 2",
        "reviews": "SELECT dedup_key FROM reviews WHERE resolved_at IS NULL ORDER BY 1",
        "notices": "SELECT kind FROM notices WHERE resolved_at IS NULL ORDER BY 1",
        "there": "SELECT status, amount_paid, money_pending_at IS NOT NULL FROM stripe_invoices ORDER BY 1",
    }
    with shop.db.transaction() as session:
        return {name: [tuple(row) for row in session.execute(text(query))] for name, query in queries.items()}


def wipe(shop: Shop) -> None:
    """As just imported."""
    with shop.db.transaction() as session:
        for table in ("allocations", "money_facts", "reviews", "stripe_events", "notices"):
            session.execute(text(f"DELETE FROM {table}"))
        session.execute(
            text(
                "UPDATE invoices SET amount_paid = 0, amount_remaining = amount_due, money_state = 'unpaid',"
                " status = 'open', closed_at = NULL, autopay = false, autopay_failed_at = NULL"
            )
        )
        session.execute(
            text(
                "UPDATE stripe_invoices SET status = 'open', amount_paid = 0, checked_at = NULL,"
                " money_pending_at = NULL, closing_at = NULL"
            )
        )


def tell(shop: Shop, by: str) -> None:
    """By event, or by the sweep while events are withheld (or even forgotten by Stripe)."""
    if by == "event":
        shop.receive_all()
        return
    if by == "objects":
        shop.forget_events()
    shop.sweep()


HOW = pytest.mark.parametrize("by", ["event", "withheld", "objects"])


@HOW
def test_paid_on_stripes_page_is_paid_here_under_its_payments_name(shop: Shop, by: str) -> None:
    shop.imported()
    intent = shop.fake.billing.pay(shop.ids["S-1"])
    tell(shop, by)
    assert shop.state() == PAID
    assert shop.facts() == [(intent["id"], "payment", 10_000, None, False)]
    assert (shop.row().status, shop.sweep().drift) == ("paid", 0)


@HOW
def test_paid_out_of_band_is_paid_here_under_the_invoices_name(shop: Shop, by: str) -> None:
    stripe_id = shop.imported()
    shop.fake.billing.pay_out_of_band(stripe_id)
    tell(shop, by)
    assert shop.state() == PAID
    assert shop.facts() == [(stripe_id, "payment", 10_000, None, False)]
    assert shop.sweep().drift == 0


def test_money_out_of_band_that_stripe_lists_as_a_record_is_booked_once(shop: Shop) -> None:
    stripe_id = shop.imported()
    shop.fake.billing.pay_out_of_band(stripe_id)
    with shop.fake.store.lock:
        (payment,) = (one for one in shop.fake.store.of_kind("invoice_payment"))
        payment.update(
            status="paid", amount_paid=10_000, payment={"type": "payment_record", "payment_record": "prec_1"}
        )
    shop.receive_all()
    assert (shop.state(), shop.facts()) == (PAID, [(payment["id"], "payment", 10_000, None, False)])
    assert shop.sweep().drift == 0


@HOW
@pytest.mark.parametrize("status", ["void", "uncollectible"])
def test_withdrawn_or_written_off_there_is_so_here(shop: Shop, by: str, status: str) -> None:
    shop.imported()
    end = shop.fake.billing.void if status == "void" else shop.fake.billing.mark_uncollectible
    end(shop.ids["S-1"])
    tell(shop, by)
    assert (shop.invoice().status, shop.row().status) == (status, status)


def test_parts_paid_there_leave_the_rest_to_claim(shop: Shop) -> None:
    shop.imported()
    shop.fake.billing.pay(shop.ids["S-1"], 3_000)
    shop.receive_all()
    assert shop.state() == ("open", "partially_paid", 7_000)
    shop.fake.billing.pay(shop.ids["S-1"])
    shop.receive_all()
    assert (shop.state(), len(shop.facts())) == (PAID, 2)


def test_a_debit_on_its_way_is_in_payment_until_its_result(shop: Shop) -> None:
    shop.imported()
    for succeeds, ending in ((False, "unpaid"), (True, "paid")):
        shop.fake.billing.begin_debit(shop.ids["S-1"])
        shop.receive_all()
        assert shop.invoice().money_state == "in_payment"
        shop.fake.billing.end_debit(shop.ids["S-1"], succeeds=succeeds)
        shop.receive_all()
        assert shop.invoice().money_state == ending


def test_an_automatic_debit_is_awaited_until_it_failed_for_good(shop: Shop) -> None:
    shop.imported(due_on=None, collection_method="charge_automatically")
    stripe_id = shop.ids["S-1"]
    for next_attempt, has_failed in ((1_900_000_000, False), (None, True)):
        shop.fake.billing.fail_debit(stripe_id, next_attempt=next_attempt)
        shop.receive_all()
        assert (shop.invoice().autopay, shop.invoice().autopay_failed_at is not None) == (True, has_failed)
    shop.fake.billing.begin_debit(stripe_id)
    shop.receive_all()
    assert (shop.invoice().autopay_failed_at, shop.invoice().money_state) == (None, "in_payment")


def test_an_invoice_that_was_never_imported_is_ignored_and_counted(shop: Shop) -> None:
    shop.imported()
    other = shop.bill("S-2")
    shop.fake.billing.pay(other)
    before = len(shop.fake.calls)
    events = [event for event in shop.fake.store.events if event["type"].startswith("invoice.")]
    shop.receive(*events)
    with shop.db.transaction() as session:
        outcomes = session.execute(text("SELECT outcome, count(*) FROM stripe_events GROUP BY 1")).all()
    assert [tuple(row) for row in outcomes] == [("ignored", 4)]
    assert (len(shop.fake.calls), shop.facts()) == (before, [])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"livemode": True}, "wrong_mode"),
        ({"currency": "usd"}, "wrong_currency"),
        ({"amount_due": 9_999}, "wrong_amount"),
    ],
)
def test_what_does_not_fit_is_reviewed_and_pays_nothing(shop: Shop, fault: dict[str, Any], reason: str) -> None:
    shop.imported()
    shop.fake.billing.pay(shop.ids["S-1"])
    shop.there().update(fault)
    shop.receive_all()
    shop.sweep()
    assert shop.state() == ("open", "needs_review", 10_000)
    (told,) = shop.notices("payment.needs_review")
    assert told["reason"] == reason


def test_an_event_of_another_mode_is_parked_and_reviewed(shop: Shop) -> None:
    shop.imported()
    shop.fake.distort_events(livemode=True)
    shop.fake.billing.pay(shop.ids["S-1"])
    shop.receive_all()
    assert shop.state() == ("open", "needs_review", 10_000)


@pytest.mark.parametrize("fault", [{"amount_received": 0}, {"currency": "usd"}, {"amount_received": 9_000}])
def test_a_payment_that_contradicts_its_invoice_is_reviewed(shop: Shop, fault: dict[str, Any]) -> None:
    shop.imported()
    shop.fake.billing.pay(shop.ids["S-1"]).update(fault)
    shop.receive_all()
    assert shop.state() == ("open", "needs_review", 10_000)


def test_a_corrected_amount_is_taken_by_the_next_import(shop: Shop) -> None:
    shop.imported()
    shop.there().update(amount_due=8_000, amount_remaining=8_000)
    assert shop.bring().updated == 1
    shop.fake.billing.pay(shop.ids["S-1"])
    shop.receive_all()
    assert shop.state() == PAID


def test_what_a_person_wrote_off_here_stays_so_and_what_stripe_did_is_lifted_by_money(shop: Shop) -> None:
    shop.imported()
    shop.fake.billing.mark_uncollectible(shop.ids["S-1"])
    shop.receive_all()
    shop.fake.billing.pay(shop.ids["S-1"])
    shop.receive_all()
    assert shop.state() == PAID
    shop.imported("S-2")
    with shop.db.transaction() as session:
        session.execute(text("UPDATE invoices SET status = 'uncollectible' WHERE number = 'S-2'"))
    shop.fake.billing.pay(shop.ids["S-2"])
    shop.receive_all()
    assert shop.state("S-2") == ("uncollectible", "paid", 0)


def test_a_refund_told_before_its_payment_still_finds_it(shop: Shop) -> None:
    shop.imported()
    intent = shop.fake.billing.pay(shop.ids["S-1"])
    shop.fake.refund(intent["id"], 3_000)
    refund = [event for event in shop.fake.store.events if event["type"] == "refund.created"]
    shop.receive(*refund)
    assert shop.state() == ("open", "needs_review", 3_000)
    assert [fact[1] for fact in shop.facts()] == ["payment", "refund"]


def test_a_paid_invoice_whose_money_a_person_moved_away_waits_for_a_person_once(shop: Shop) -> None:
    shop.imported("S-1", email="a@client.example")
    customer = shop.fake.store.get("customer", shop.there("S-1")["customer"])
    shop.ids["S-2"] = shop.fake.billing.bill(customer, "S-2", due_date=1_800_000_000)["id"]
    shop.bring()
    shop.fake.billing.pay(shop.ids["S-1"])
    shop.receive_all()
    with shop.db.transaction() as session:
        fact_id = session.scalar(text("SELECT id FROM money_facts"))
        targets = [
            {"invoice_id": shop.invoice("S-1").id, "amount": 0},
            {"invoice_id": shop.invoice("S-2").id, "amount": 10_000},
        ]
        retarget(session, fact_id, targets, now=NOW, actor="t")
    event = shop.fake.store.emit("invoice.updated", shop.there("S-1"))
    shop.receive(event)
    assert (shop.state("S-1")[:2], shop.state("S-2")[:2]) == (("open", "needs_review"), ("paid", "paid"))


def test_an_event_that_cannot_be_followed_up_silences_the_invoice_at_once(shop: Shop) -> None:
    shop.imported()
    shop.fake.billing.pay(shop.ids["S-1"])
    shop.fake.fail_next(*["503"] * 40, on="GET /v1/invoices")
    shop.receive_all()
    assert (shop.facts(), shop.invoice().money_state) == ([], "in_payment")
    shop.fake.faults.clear()
    with shop.db.transaction() as session:
        session.execute(text("UPDATE stripe_events SET next_try_at = now()"))
    shop.drain()
    assert shop.state() == PAID


STORIES: dict[str, Callable[[Shop], None]] = {}


def story(name: str) -> Callable[[Callable[[Shop], None]], Callable[[Shop], None]]:
    def keep(tells: Callable[[Shop], None]) -> Callable[[Shop], None]:
        STORIES[name] = tells
        return tells

    return keep


@story("parts_and_refund")
def _parts_and_refund(shop: Shop) -> None:
    first = shop.fake.billing.pay(shop.ids["S-1"], 4_000)
    shop.fake.billing.pay(shop.ids["S-1"])
    shop.fake.refund(first["id"], 1_000)


@story("written_off_then_paid")
def _written_off_then_paid(shop: Shop) -> None:
    shop.fake.billing.mark_uncollectible(shop.ids["S-1"])
    shop.fake.billing.pay(shop.ids["S-1"])


@story("debited_and_disputed")
def _debited_and_disputed(shop: Shop) -> None:
    intent = shop.fake.billing.begin_debit(shop.ids["S-1"])
    shop.fake.billing.end_debit(shop.ids["S-1"], succeeds=True)
    shop.fake.close_dispute(shop.fake.dispute(intent["id"])["id"], won=False)


@story("part_then_voided")
def _part_then_voided(shop: Shop) -> None:
    shop.fake.billing.pay(shop.ids["S-1"], 2_500)
    shop.fake.billing.void(shop.ids["S-1"])


PROOF = os.environ.get("NUDGEPAY_PROOF") == "1"
TELLING = {
    *("invoice.paid", "invoice.payment_succeeded", "invoice.voided", "invoice.marked_uncollectible"),
    *("payment_intent.succeeded", "refund.created", "charge.dispute.created", "charge.dispute.closed"),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(STORIES))
def test_all_orders_and_copies_of_five_events_end_in_the_same_books(
    shop: Shop, name: str, figures: Callable[..., None]
) -> None:
    shop.imported()
    STORIES[name](shop)
    told = [event for event in shop.fake.store.events if event["type"] in TELLING][-5:]
    orders = list(itertools.permutations(told))
    random.Random(5).shuffle(orders)
    endings = []
    for order in orders[: 120 if PROOF else 30]:
        wipe(shop)
        shop.receive(*order, *({**event, "id": f"{event['id']}copy"} for event in order[:1]))
        endings.append(books_of(shop))
    different = [ending for ending in endings if ending != endings[0]]
    figures(f"invoice events, {name}", events=len(told), orders=len(endings), different=len(different))
    assert not different
    wipe(shop)
    shop.sweep(since=NOW - timedelta(days=1))
    assert books_of(shop) == endings[0]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_events_that_arrive_while_things_happen_end_where_the_sweep_ends(shop: Shop, data: st.DataObject) -> None:
    """Between any two happenings any of the events so far arrive, any number of times; then the sweep alone."""
    number = f"S-{len(shop.ids) + 1}"
    shop.imported(number)
    stripe_id = shop.ids[number]
    billing = shop.fake.billing
    acts: list[Callable[[], Any]] = [
        lambda: billing.pay(stripe_id, 1_000),
        lambda: billing.mark_uncollectible(stripe_id),
        lambda: data.draw(st.sampled_from([billing.pay, billing.void, billing.pay_out_of_band]))(stripe_id),
    ]
    for act in acts:
        act()
        so_far = list(shop.fake.store.events)
        shop.receive(*data.draw(st.lists(st.sampled_from(so_far), max_size=3)))
    shop.sweep()
    ended = shop.invoice(number)
    if shop.there(number)["status"] == "paid":
        assert (ended.status, ended.money_state, ended.amount_paid) == ("paid", "paid", 10_000)
    else:
        assert (ended.status, ended.amount_paid) == ("void", 0)
    assert shop.sweep().drift == 0


def test_looks_go_round_so_that_none_starves(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in ("S-1", "S-2", "S-3"):
        shop.imported(number)
    for number in ("S-1", "S-2"):
        shop.fake.store.objects.pop(shop.ids[number])
    shop.fake.billing.pay(shop.ids["S-3"])
    shop.forget_events()
    looked = [
        invoice_looks.look_in_turns(shop.db, shop.gateway, now=NOW + timedelta(minutes=n), limit=2) for n in (1, 2)
    ]
    assert looked == [(2, 0), (2, 1)]
    assert shop.state("S-3") == PAID
    assert {notice["object"] for notice in shop.notices("stripe.drift")} >= {f"invoice:{shop.ids['S-1']}"}


def test_one_that_left_stripes_list_is_found_at_once_among_many(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        shop.bill(f"S-{number}")
    shop.bring()
    shop.fake.billing.pay(shop.ids["S-3"])
    shop.fake.billing.pay(shop.ids["S-5"], 1_000)
    shop.forget_events()
    assert invoice_looks.look_at_moved(shop.db, shop.gateway, now=NOW) == (2, 2)
    assert (shop.state("S-3"), shop.state("S-5")) == (PAID, ("open", "partially_paid", 9_000))
    assert invoice_looks.look_at_moved(shop.db, shop.gateway, now=NOW) == (0, 0)
    monkeypatch.setattr(invoice_looks, "MAX_LISTED", 3)
    shop.fake.billing.void(shop.ids["S-6"])
    shop.forget_events()
    assert invoice_looks.look_at_moved(shop.db, shop.gateway, now=NOW) == (0, 0)
    shop.sweep()
    assert shop.invoice("S-6").status == "void"


def test_a_sweep_that_stripe_interrupts_is_finished_by_the_next(shop: Shop) -> None:
    shop.imported()
    shop.fake.billing.pay(shop.ids["S-1"])
    shop.forget_events()
    shop.fake.fail_next(*["503"] * 3, on="GET /v1/invoices")
    with pytest.raises(StripeUnavailable):
        shop.sweep()
    shop.sweep()
    assert shop.state() == PAID
