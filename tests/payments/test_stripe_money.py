"""Stripe's events become money once, in any order, and only when they say exactly what was asked."""

import itertools
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.payments.inbox import parse, store
from nudgepay.payments.pay_link import NothingToPay, PaymentInFlight, TooMuch
from nudgepay.payments.sweep import run_sweep
from nudgepay.payments.terms import StripeTerms
from payments.conftest import NOW, TERMS, Books


def books_of(db: Database) -> dict[str, Any]:
    """Everything that must not depend on the order of events, without ids that do."""
    with db.transaction() as session:
        invoices = session.execute(
            text("SELECT number, status, money_state, amount_paid, amount_remaining FROM invoices ORDER BY number")
        ).all()
        facts = session.execute(
            text("SELECT provider_id, kind, amount, voided_at IS NOT NULL AS voided FROM money_facts ORDER BY 1, 2")
        ).all()
        allocations = session.execute(
            text(
                "SELECT f.provider_id, a.invoice_id, a.amount FROM allocations a"
                " JOIN money_facts f ON f.id = a.fact_id ORDER BY 1, 2"
            )
        ).all()
        reviews = session.execute(text("SELECT dedup_key FROM reviews WHERE resolved_at IS NULL ORDER BY 1")).all()
        notices = session.execute(text("SELECT dedup_key FROM notices WHERE resolved_at IS NULL ORDER BY 1")).all()
    return {
        "invoices": [tuple(row) for row in invoices],
        "facts": [tuple(row) for row in facts],
        "allocations": [tuple(row) for row in allocations],
        "reviews": [tuple(row) for row in reviews],
        "notices": [tuple(row) for row in notices],
    }


def wipe_money(db: Database) -> None:
    with db.transaction() as session:
        for table in ("allocations", "money_facts", "reviews", "stripe_events", "notices"):
            session.execute(text(f"DELETE FROM {table}"))
        session.execute(
            text(
                "UPDATE checkout_sessions SET completed_unpaid_at = NULL, succeeded_at = NULL, failed_at = NULL,"
                " expired_at = NULL, payment_intent_id = NULL"
            )
        )
        session.execute(
            text(
                "UPDATE invoices SET amount_paid = 0, amount_remaining = amount_due, money_state = 'unpaid',"
                " status = 'open', closed_at = NULL"
            )
        )


def test_a_card_payment_closes_the_invoice_once(books: Books) -> None:
    books.fake.pay(books.click())
    books.receive_all()
    invoice = books.invoice()
    assert (invoice.status, invoice.money_state, invoice.amount_remaining) == ("paid", "paid", 0)
    with books.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM money_facts")) == 1


def test_two_invoices_are_paid_by_one_link(books: Books) -> None:
    books.fake.pay(books.click(*books.invoice_ids))
    books.receive_all()
    assert [books.invoice(index).status for index in (0, 1)] == ["paid", "paid"]


def test_a_part_is_paid_and_the_rest_stays_open(books: Books) -> None:
    books.fake.pay(books.click(amount=4_000))
    books.receive_all()
    invoice = books.invoice()
    assert (invoice.status, invoice.money_state, invoice.amount_remaining) == ("open", "partially_paid", 6_000)


def test_a_debit_is_in_payment_until_its_result(books: Books) -> None:
    session_id = books.click()
    books.fake.pay(session_id, "sepa_debit")
    books.receive_all()
    assert books.invoice().money_state == "in_payment"
    with pytest.raises(PaymentInFlight):
        books.click()
    books.fake.settle(session_id, succeeds=False)
    books.receive_all()
    assert books.invoice().money_state == "unpaid"
    again = books.click()
    books.fake.pay(again, "sepa_debit")
    books.fake.settle(again, succeeds=True)
    books.receive_all()
    assert books.invoice().money_state == "paid"


def test_an_expired_session_changes_nothing(books: Books) -> None:
    before = books.invoice().version
    session_id = books.click()
    books.gateway.expire_checkout_session(session_id)
    books.receive_all()
    invoice = books.invoice()
    assert (invoice.money_state, invoice.version) == ("unpaid", before)
    assert books.click() != session_id


@pytest.mark.parametrize(
    "fault",
    [{"amount_total": 9_999}, {"currency": "usd"}, {"amount_total": 0}, {"amount_total": -5}],
    ids=["amount", "currency", "zero", "negative"],
)
def test_money_that_was_not_asked_for_is_reviewed_and_pays_nothing(books: Books, fault: dict[str, Any]) -> None:
    books.fake.pay(books.click())
    done = next(e for e in books.fake.store.events if e["type"] == "checkout.session.completed")
    done["data"]["object"].update(fault)
    books.receive(done, done)
    invoice = books.invoice()
    assert (invoice.status, invoice.money_state, invoice.amount_paid) == ("open", "needs_review", 0)
    with books.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM notices WHERE kind = 'payment.needs_review'")) == 1


def test_another_mode_is_parked_and_the_invoice_it_names_is_reviewed(books: Books) -> None:
    books.fake.pay(books.click())
    done = next(e for e in books.fake.store.events if e["type"] == "checkout.session.completed")
    done["livemode"] = True
    books.receive(done)
    assert (books.invoice().money_state, books.invoice().amount_paid) == ("needs_review", 0)


def test_another_account_is_parked(books: Books) -> None:
    books.fake.pay(books.click())
    done = next(e for e in books.fake.store.events if e["type"] == "checkout.session.completed")
    done["account"] = "acct_other"
    from nudgepay.gateways.fakes.stripe.deliveries import event_body
    from nudgepay.payments.apply import drain

    with books.db.transaction() as session:
        store(session, parse(event_body(done)))
    ours = StripeTerms(livemode=False, account="acct_ours")
    assert drain(books.db, books.gateway, terms=ours, now=NOW) == {"wrong_account": 1}
    assert books.invoice().amount_paid == 0


@pytest.mark.parametrize("named", ["1 OR 1", "../1", str(2**63), "999", ""])
def test_metadata_of_nothing_of_ours_is_foreign(books: Books, named: str) -> None:
    session_id = books.click()
    books.fake.pay(session_id)
    done = next(e for e in books.fake.store.events if e["type"] == "checkout.session.completed")
    done["data"]["object"].update(id="cs_test_other", metadata={"nudgepay_checkout": named})
    books.receive(done)
    with books.db.transaction() as session:
        assert session.scalars(text("SELECT outcome FROM stripe_events")).all() == ["foreign"]
        assert session.scalar(text("SELECT count(*) FROM money_facts")) == 0


def test_metadata_that_names_another_client_is_foreign(books: Books) -> None:
    books.fake.pay(books.click())
    done = next(e for e in books.fake.store.events if e["type"] == "checkout.session.completed")
    done["data"]["object"]["metadata"]["nudgepay_client"] = "4711"
    books.receive(done)
    assert books.invoice().amount_paid == 0


def five_events(books: Books, story: str) -> list[dict[str, Any]]:
    """Five events of one invoice: a payment, and what came back of it."""
    session_id = books.click()
    books.fake.pay(session_id, "card" if story == "refund" else "sepa_debit")
    if story != "refund":
        books.fake.settle(session_id, succeeds=story != "failed")
    intent = books.fake.store.get("checkout.session", session_id)["payment_intent"]
    if story in {"refund", "lost", "won"}:
        books.fake.refund(intent, 3_000)
    if story in {"lost", "won"}:
        books.fake.close_dispute(books.fake.dispute(intent, 7_000)["id"], won=story == "won")
    events = [event for event in books.fake.store.events if event["type"] in STORIES[story]]
    return [*events, *events[: 5 - len(events)]]


DEBIT = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
STORIES = {
    "won": (*DEBIT, "refund.created", "charge.dispute.created", "charge.dispute.closed"),
    "lost": (*DEBIT, "refund.created", "charge.dispute.funds_withdrawn", "charge.dispute.closed"),
    "refund": ("checkout.session.completed", "payment_intent.succeeded", "refund.created", "charge.refunded"),
    "failed": ("checkout.session.completed", "checkout.session.async_payment_failed"),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("story", "orders", "paid"), [("won", 120, 7_000), ("lost", 12, 0), ("refund", 12, 7_000), ("failed", 6, 0)]
)
def test_all_orders_of_five_events_end_in_the_same_books(
    books: Books, story: str, orders: int, paid: int, figures: Callable[..., None]
) -> None:
    seed = 20260313
    every = list(itertools.permutations(five_events(books, story)))
    endings = []
    for order in random.Random(seed).sample(every, orders):
        wipe_money(books.db)
        books.receive(*order)
        endings.append(books_of(books.db))
    different = [ending for ending in endings if ending != endings[0]]
    figures(f"orders of {story}", n=len(endings), different=len(different), seed=seed)
    assert not different
    assert endings[0]["invoices"][0][3] == paid
    assert bool(endings[0]["reviews"]) == (story != "failed")


def test_fifty_copies_at_once_have_one_effect(books: Books, figures: Callable[..., None]) -> None:
    books.fake.pay(books.click())
    done = next(e for e in books.fake.store.events if e["type"] == "checkout.session.completed")
    copies = [{**done, "id": f"evt_copy{number}"} for number in range(25)] + [done] * 25

    from nudgepay.gateways.fakes.stripe.deliveries import event_body

    def arrive(event: dict[str, Any]) -> None:
        with books.db.transaction() as session:
            store(session, parse(event_body(event)))

    threads = [threading.Thread(target=arrive, args=(event,)) for event in copies]
    threads += [threading.Thread(target=books.drain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    books.drain()
    with books.db.transaction() as session:
        effects = session.scalar(text("SELECT count(*) FROM money_facts"))
        unhandled = session.scalar(text("SELECT count(*) FROM stripe_events WHERE handled_at IS NULL"))
    figures("copies", n=len(copies), effects=effects, unhandled=unhandled)
    assert (effects, unhandled) == (1, 0)
    assert books.invoice().amount_paid == 10_000


def test_a_refund_reopens_the_balance_and_waits_for_a_person(books: Books) -> None:
    session_id = books.click()
    intent = books.fake.pay(session_id)["payment_intent"]
    books.fake.refund(intent, 3_000)
    books.receive_all()
    invoice = books.invoice()
    assert (invoice.status, invoice.money_state, invoice.amount_remaining) == ("open", "needs_review", 3_000)


def test_a_refund_that_fails_closes_the_invoice_again(books: Books) -> None:
    intent = books.fake.pay(books.click())["payment_intent"]
    refund = books.fake.refund(intent)
    books.receive_all()
    assert books.invoice().status == "open"
    books.fake.fail_refund(refund["id"])
    books.receive_all()
    assert (books.invoice().status, books.invoice().money_state) == ("paid", "paid")


def test_a_lost_chargeback_reopens_and_a_won_one_closes(books: Books) -> None:
    intent = books.fake.pay(books.click())["payment_intent"]
    books.receive_all()
    dispute = books.fake.dispute(intent)
    books.receive_all()
    assert (books.invoice().status, books.invoice().money_state) == ("open", "needs_review")
    books.fake.close_dispute(dispute["id"], won=True)
    books.receive_all()
    assert (books.invoice().status, books.invoice().money_state) == ("paid", "paid")


def test_a_link_paid_twice_leaves_credit_and_a_task(books: Books) -> None:
    first = books.click()
    second = books.gateway.create_checkout_session(
        amount=10_000,
        currency="EUR",
        description="again",
        success_url="https://pay.example",
        cancel_url="https://pay.example",
        metadata=books.fake.sessions()[0]["metadata"],
        idempotency_key="other",
        locale="de",
    )
    books.fake.pay(first)
    books.receive_all()
    with books.db.transaction() as session:
        session.execute(text("UPDATE checkout_sessions SET session_id = NULL"))
    books.fake.pay(second["id"])
    books.receive_all()
    assert (books.invoice().amount_paid, books.invoice().money_state) == (10_000, "overpaid")
    with books.db.transaction() as session:
        tasks = session.scalars(
            text("SELECT details FROM notices WHERE kind = 'payment.unapplied_credit' AND resolved_at IS NULL")
        ).all()
    assert [list(task["facts"].values()) for task in tasks] == [[10_000]]


def test_a_webhook_that_never_comes_is_found_by_the_sweep(books: Books) -> None:
    books.fake.pay(books.click())
    report = run_sweep(books.db, books.gateway, terms=TERMS, now=NOW + timedelta(minutes=10), since=NOW)
    assert books.invoice().status == "paid"
    assert report.events_found + report.sessions_changed + report.sessions_found > 0
    again = run_sweep(books.db, books.gateway, terms=TERMS, now=NOW + timedelta(minutes=20), since=NOW)
    assert (again.events_found, again.sessions_changed, again.drift) == (0, 0, 0)


def test_events_dropped_and_three_days_late_end_in_the_same_books(books: Books) -> None:
    events = five_events(books, "refund")
    books.receive(*events)
    in_order = books_of(books.db)
    wipe_money(books.db)
    books.receive(events[3], events[0])
    run_sweep(books.db, books.gateway, terms=TERMS, now=NOW + timedelta(days=3), since=NOW - timedelta(days=1))
    assert books_of(books.db) == in_order


def test_a_fact_that_stripe_does_not_know_is_told(books: Books) -> None:
    books.fake.pay(books.click())
    books.receive_all()
    for key in [key for key in books.fake.store.objects if key.startswith("pi_")]:
        del books.fake.store.objects[key]
    books.fake.store.events.clear()
    assert run_sweep(books.db, books.gateway, terms=TERMS, now=NOW, since=NOW - timedelta(days=999)).drift == 1


def test_a_poisoned_event_is_parked_and_the_others_are_applied(books: Books) -> None:
    poison = {
        "id": "evt_poison",
        "object": "event",
        "type": "checkout.session.completed",
        "livemode": False,
        "data": {},
    }
    with books.db.transaction() as session:
        from nudgepay.gateways.fakes.stripe.deliveries import event_body

        store(session, parse(event_body(poison)))
    books.fake.pay(books.click())
    books.receive_all()
    assert books.invoice().status == "paid"
    for _ in range(8):
        with books.db.transaction() as session:
            session.execute(text("UPDATE stripe_events SET next_try_at = now()"))
        books.drain()
    with books.db.transaction() as session:
        assert session.scalar(text("SELECT outcome FROM stripe_events WHERE event_id = 'evt_poison'")) == "parked"
        assert session.scalar(text("SELECT count(*) FROM notices WHERE kind = 'stripe.event_parked'")) == 1


def test_an_event_waits_while_stripe_is_down(books: Books) -> None:
    intent = books.fake.pay(books.click())["payment_intent"]
    books.receive_all()
    books.fake.refund(intent)
    books.fake.deliveries.waiting = [e for e in books.fake.deliveries.waiting if e["type"] == "charge.refunded"]
    books.fake.fail_next(*["503"] * 12)
    books.receive_all()
    assert books.invoice().status == "paid"
    books.fake.faults.clear()
    with books.db.transaction() as session:
        session.execute(text("UPDATE stripe_events SET next_try_at = now()"))
    books.drain()
    assert books.invoice().status == "open"


def test_two_clicks_open_one_session(books: Books) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(books.click())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(books.fake.sessions("open")) == 1


def test_another_amount_closes_the_older_session(books: Books) -> None:
    first = books.click()
    second = books.click(amount=5_000)
    assert first != second
    assert [session["id"] for session in books.fake.sessions("open")] == [second]


def test_a_settled_page_opens_nothing_and_too_much_is_refused(books: Books) -> None:
    with pytest.raises(TooMuch):
        books.click(amount=10_001)
    books.fake.pay(books.click())
    books.receive_all()
    with pytest.raises(NothingToPay):
        books.click()


def test_a_lost_answer_is_found_again_even_after_the_key_is_forgotten(books: Books, fake: FakeStripe) -> None:
    from nudgepay.gateways.stripe import StripeOutcomeUnknown
    from nudgepay.payments.pay_link import open_checkout

    fake.fail_next("drop_after", "drop_after", "drop_after")
    with pytest.raises(StripeOutcomeUnknown):
        books.click()
    fake.store.skew = 24.5 * 3600
    for session in fake.sessions():
        session["expires_at"] += 90_000
    url = open_checkout(
        books.db,
        books.gateway,
        page=books.page(),
        amount=None,
        success_url="https://pay.example/p/t?paid=1",
        cancel_url="https://pay.example/p/t",
        now=NOW + timedelta(hours=24, minutes=30),
    )
    assert len(fake.sessions("open")) == 1
    assert url.endswith(fake.sessions("open")[0]["id"])
