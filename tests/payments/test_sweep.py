"""Stripe and the books compared both ways: what no webhook brought, what moved, what only one side knows."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay import clock, ledger
from nudgepay.payments import sweep
from nudgepay.payments.drift import compare_facts
from nudgepay.payments.sweep import NAME, SweepReport, run_sweep
from payments.conftest import NOW, TERMS, Books

LONG_AGO = NOW - timedelta(days=9)


def swept(books: Books, *, now: datetime = NOW + timedelta(minutes=10), since: datetime | None = NOW) -> SweepReport:
    return run_sweep(books.db, books.gateway, terms=TERMS, now=now, since=since)


def forget_events(books: Books) -> None:
    """No webhook came, and Stripe's list of events is empty: only the objects themselves can tell."""
    books.fake.deliveries.waiting.clear()
    books.fake.store.events.clear()


def open_drift(books: Books) -> list[dict[str, Any]]:
    with books.db.transaction() as session:
        query = "SELECT details FROM notices WHERE kind = 'stripe.drift' AND resolved_at IS NULL ORDER BY id"
        return list(session.scalars(text(query)))


def test_paid_sessions_are_found_without_any_event(books: Books) -> None:
    books.fake.pay(books.click())
    forget_events(books)
    assert swept(books).sessions_changed == 1
    assert books.invoice().status == "paid"
    again = swept(books)
    assert (again.sessions_changed, again.sessions_found, again.refunds_found, again.drift) == (0, 0, 0, 0)


def test_a_session_whose_answer_was_lost_is_found_by_its_metadata(books: Books) -> None:
    session_id = books.click()
    with books.db.transaction() as session:
        session.execute(text("UPDATE checkout_sessions SET session_id = NULL, url = NULL"))
    books.fake.pay(session_id)
    forget_events(books)
    assert swept(books).sessions_found == 1
    assert books.invoice().status == "paid"


@pytest.mark.parametrize("succeeds", [True, False])
def test_the_end_of_a_debit_is_found_without_any_event(books: Books, succeeds: bool) -> None:
    session_id = books.click()
    books.fake.pay(session_id, "sepa_debit")
    books.receive_all()
    assert books.invoice().money_state == "in_payment"
    books.fake.settle(session_id, succeeds=succeeds)
    forget_events(books)
    assert swept(books).sessions_changed == 1
    assert books.invoice().money_state == ("paid" if succeeds else "unpaid")
    assert swept(books).sessions_checked == 0


def test_a_refund_is_found_without_any_event_and_taken_back_when_it_fails(books: Books) -> None:
    intent = books.fake.pay(books.click())["payment_intent"]
    books.receive_all()
    refund = books.fake.refund(intent, 2_000)
    forget_events(books)
    assert swept(books).refunds_found == 1
    assert books.invoice().amount_remaining == 2_000
    books.fake.fail_refund(refund["id"])
    forget_events(books)
    assert swept(books).refunds_found == 1
    assert (books.invoice().status, swept(books).refunds_found) == ("paid", 0)


def test_sessions_that_stripe_does_not_know_do_not_keep_others_from_their_turn(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "MAX_LOOKS", 2)
    with books.db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO checkout_sessions (page, client_id, lines, amount, currency, idempotency_key, session_id,"
                " created_at) SELECT 'invoice:1', :client, '[]', 1, 'EUR', 'gone' || n, 'cs_test_gone' || n, :at"
                " FROM generate_series(1, 3) n"
            ),
            {"client": books.client_id, "at": LONG_AGO},
        )
    books.fake.pay(books.click())
    forget_events(books)
    books.fake.store.objects[books.fake.sessions()[0]["id"]]["created"] = 0
    for minutes in (10, 20):
        swept(books, now=NOW + timedelta(minutes=minutes))
    assert books.invoice().status == "paid"
    assert len(open_drift(books)) == 3


def test_money_here_that_stripe_does_not_know_is_told_and_taken_back_when_it_does(books: Books) -> None:
    intent = books.fake.pay(books.click())["payment_intent"]
    books.receive_all()
    kept = books.fake.store.objects.pop(intent)
    assert swept(books).drift == 1
    assert open_drift(books) == [{"object": f"payment:{intent}", "fault": "unknown_at_stripe"}]
    books.fake.store.objects[intent] = kept
    assert compare_facts(books.db, books.gateway, since=clock.now() + timedelta(days=1)) == 0
    assert open_drift(books) == []


def test_another_amount_at_stripe_is_drift(books: Books) -> None:
    intent = books.fake.pay(books.click())["payment_intent"]
    books.receive_all()
    books.fake.store.objects[intent]["amount_received"] = 9_000
    assert swept(books).drift == 1
    assert open_drift(books)[0]["fault"] == "other_amount_at_stripe"


def test_only_events_that_matter_are_fetched(books: Books) -> None:
    books.fake.pay(books.click())
    swept(books)
    with books.db.transaction() as session:
        types = set(session.scalars(text("SELECT type FROM stripe_events")))
    assert types == {"checkout.session.completed", "payment_intent.succeeded"}


def test_a_sweep_goes_on_where_the_last_whole_one_began(books: Books) -> None:
    def begin() -> datetime:
        with books.db.transaction() as session:
            return sweep._last_sweep(session, clock.now())

    assert clock.now() - begin() > timedelta(days=28)
    with ledger.execution(books.db, kind="job", name=NAME, actor="t") as details:
        details["skipped"] = "no Stripe"
    assert clock.now() - begin() > timedelta(days=28)
    with pytest.raises(ZeroDivisionError), ledger.execution(books.db, kind="job", name=NAME, actor="t") as details:
        details.update(SweepReport().document())
        raise ZeroDivisionError
    assert clock.now() - begin() > timedelta(days=28)
    with ledger.execution(books.db, kind="job", name=NAME, actor="t") as details:
        details.update(SweepReport().document())
    assert clock.now() - begin() < timedelta(hours=2)


def test_a_sweep_that_stripe_interrupts_is_finished_by_the_next(books: Books) -> None:
    from nudgepay.gateways.stripe import StripeUnavailable

    books.fake.pay(books.click())
    books.fake.deliveries.waiting.clear()
    books.fake.fail_next("ok", *["503"] * 4)
    with pytest.raises(StripeUnavailable):
        swept(books)
    books.fake.faults.clear()
    swept(books)
    assert books.invoice().status == "paid"
