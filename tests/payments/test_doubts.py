"""What Stripe says twice and differently, or of somebody else's money, moves nothing and is told to a person."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.invoices.actions import close_invoice, create_client, create_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.payments.actions import CannotAllocate, record_payment, resolve_review, retarget, undo_payment
from nudgepay.payments.books import reallocate
from payments.conftest import NOW, Books


def event_of(books: Books, kind: str) -> dict[str, Any]:
    return next(event for event in books.fake.store.events if event["type"] == kind)


def column(books: Books, query: str) -> list[Any]:
    with books.db.transaction() as session:
        return list(session.scalars(text(query)))


def open_reviews(books: Books) -> list[str]:
    return column(books, "SELECT dedup_key FROM reviews WHERE resolved_at IS NULL ORDER BY 1")


def open_notices(books: Books, kind: str) -> int:
    return len(column(books, f"SELECT id FROM notices WHERE kind = '{kind}' AND resolved_at IS NULL"))


@pytest.mark.parametrize("wrong_first", [True, False])
def test_two_events_that_differ_about_one_payment_are_a_doubt_and_never_stuck(
    books: Books, wrong_first: bool
) -> None:
    books.fake.pay(books.click())
    done, intent = event_of(books, "checkout.session.completed"), event_of(books, "payment_intent.succeeded")
    done["data"]["object"]["amount_total"] = 9_999
    books.receive(*((done, intent) if wrong_first else (intent, done)))
    assert books.invoice().money_state == "needs_review"
    assert column(books, "SELECT count(*) FROM stripe_events WHERE handled_at IS NULL") == [0]
    assert column(books, "SELECT count(*) FROM money_facts") == [1]
    assert open_notices(books, "payment.needs_review") == 1


def test_a_debit_over_another_amount_is_a_doubt_before_its_money_comes(books: Books) -> None:
    books.fake.pay(books.click(), "sepa_debit")
    done = event_of(books, "checkout.session.completed")
    done["data"]["object"]["amount_total"] = 1
    books.receive(done)
    assert books.invoice().money_state == "needs_review"


def test_our_session_with_anothers_client_in_its_metadata_is_held_for_its_own_client(books: Books) -> None:
    books.fake.pay(books.click())
    done = event_of(books, "checkout.session.completed")
    done["data"]["object"]["metadata"]["nudgepay_client"] = "4711"
    books.receive(done)
    assert (books.invoice().money_state, books.invoice().amount_paid) == ("needs_review", 0)
    assert column(books, "SELECT problem FROM money_facts") == ["wrong_client"]


@pytest.mark.parametrize("key", ["nudgepay_client", "nudgepay_page"])
def test_paid_money_that_only_looks_like_ours_is_booked_nowhere_and_told(books: Books, key: str) -> None:
    books.fake.pay(books.click())
    done = event_of(books, "checkout.session.completed")
    done["data"]["object"]["id"] = "cs_test_of_another"
    done["data"]["object"]["metadata"][key] = "invoice:4711"
    books.receive(done)
    assert column(books, "SELECT outcome FROM stripe_events") == ["foreign"]
    assert column(books, "SELECT count(*) FROM money_facts") == [0]
    assert open_notices(books, "stripe.unknown_payment") == 1


def test_an_invoice_of_another_client_is_never_filled(books: Books) -> None:
    with books.db.transaction() as session:
        other = create_client(
            session,
            name="Other",
            email="b@other.example",
            locale="de",
            timezone="Europe/Berlin",
            country="DE",
            actor="t",
        )
        pay(session, books, "pi_cross", client_id=other.id)
    assert (books.invoice().money_state, books.invoice().amount_paid) == ("unpaid", 0)
    assert open_notices(books, "payment.unapplied_credit") == 1


@pytest.mark.parametrize("fault", ["wrong_mode", "wrong_account"])
def test_foreign_money_is_kept_as_a_fact_that_never_counts_and_nobody_can_accept(books: Books, fault: str) -> None:
    books.fake.pay(books.click())
    done = event_of(books, "checkout.session.completed")
    done.update({"livemode": True} if fault == "wrong_mode" else {"account": "acct_other"})
    books.receive(done)
    assert column(books, "SELECT outcome FROM stripe_events") == [fault]
    assert (books.invoice().money_state, books.invoice().amount_paid) == ("needs_review", 0)
    (fact_id,) = column(books, "SELECT id FROM money_facts")
    with pytest.raises(CannotAllocate), books.db.transaction() as session:
        retarget(session, fact_id, [{"invoice_id": books.invoice_ids[0], "amount": 1}], now=NOW, actor="t")


def test_our_own_account_named_in_an_event_is_ours(books: Books) -> None:
    books.fake.pay(books.click())
    done = event_of(books, "checkout.session.completed")
    done["account"] = books.fake.store.account
    books.receive(done)
    assert books.invoice().status == "paid"


def test_a_person_may_accept_the_amount_that_came(books: Books) -> None:
    books.fake.pay(books.click())
    done = event_of(books, "checkout.session.completed")
    done["data"]["object"]["amount_total"] = 6_000
    books.receive(done)
    (fact_id,) = column(books, "SELECT id FROM money_facts")
    (review_id,) = column(books, "SELECT id FROM reviews")
    with books.db.transaction() as session:
        retarget(session, fact_id, [{"invoice_id": books.invoice_ids[0], "amount": 6_000}], now=NOW, actor="t")
        resolve_review(session, review_id, resolution="the payer paid a part", now=NOW, actor="t")
    invoice = books.invoice()
    assert (invoice.money_state, invoice.amount_remaining) == ("partially_paid", 4_000)
    assert open_notices(books, "payment.needs_review") == 0
    books.receive({**done, "id": "evt_told_again"})
    assert books.invoice().money_state == "partially_paid"


def pay(session: Any, books: Books, name: str, amount: int = 10_000, **changes: Any) -> int:
    values: dict[str, Any] = {
        "client_id": books.client_id,
        "amount": amount,
        "currency": "EUR",
        "provider": "stripe",
        "provider_id": name,
        "kind": "payment",
        "occurred_at": NOW,
        "targets": [{"invoice_id": books.invoice_ids[0], "amount": amount}],
        "actor": "t",
        "now": NOW,
        **changes,
    }
    return record_payment(session, **values).id


def refund(session: Any, books: Books, name: str, of: str, amount: int = 10_000) -> int:
    return pay(session, books, name, amount, kind="refund", targets=[], reverses=of)


def test_a_refund_of_what_was_paid_twice_asks_nobody(books: Books) -> None:
    with books.db.transaction() as session:
        pay(session, books, "pi_1")
        pay(session, books, "pi_2", occurred_at=NOW + timedelta(minutes=1))
    assert books.invoice().money_state == "overpaid"
    with books.db.transaction() as session:
        refund(session, books, "re_1", of="pi_2")
    assert (books.invoice().status, books.invoice().money_state) == ("paid", "paid")
    assert open_reviews(books) == []
    assert open_notices(books, "payment.unapplied_credit") == 0


def test_credit_that_fills_the_room_of_a_refund_settles_its_doubt(books: Books) -> None:
    with books.db.transaction() as session:
        pay(session, books, "pi_1")
        refund(session, books, "re_1", of="pi_1")
    assert open_reviews(books) == [f"refund:stripe:re_1:{books.invoice_ids[0]}"]
    with books.db.transaction() as session:
        bank = pay(session, books, "transfer", provider="bank", kind="manual")
    assert (books.invoice().money_state, open_reviews(books)) == ("paid", [])
    assert open_notices(books, "payment.needs_review") == 0
    with books.db.transaction() as session:
        undo_payment(session, bank, now=NOW, actor="t")
    assert books.invoice().money_state == "needs_review"
    assert open_reviews(books) == [f"refund:stripe:re_1:{books.invoice_ids[0]}"]


def test_a_refund_holds_only_the_invoice_whose_balance_it_reopens(books: Books) -> None:
    both = [{"invoice_id": invoice_id, "amount": 10_000} for invoice_id in books.invoice_ids]
    with books.db.transaction() as session:
        pay(session, books, "pi_1", 20_000, targets=both)
        refund(session, books, "re_1", of="pi_1", amount=4_000)
    assert [books.invoice(index).money_state for index in (0, 1)] == ["paid", "needs_review"]


def test_a_doubt_that_a_person_settled_stays_settled_and_the_chase_may_go_on(books: Books) -> None:
    with books.db.transaction() as session:
        pay(session, books, "pi_1")
        refund(session, books, "re_1", of="pi_1", amount=2_500)
    (review_id,) = column(books, "SELECT id FROM reviews")
    later = NOW + timedelta(hours=1)
    with books.db.transaction() as session:
        resolve_review(session, review_id, resolution="they owe the rest", now=later, actor="op:1")
        reallocate(session, books.client_id, now=later)
    invoice = books.invoice()
    assert (invoice.status, invoice.money_state, invoice.amount_remaining) == ("open", "partially_paid", 2_500)
    assert invoice.next_at == later
    assert column(books, "SELECT resolved_by FROM reviews") == ["op:1"]
    with books.db.transaction() as session:
        refund(session, books, "re_2", of="pi_1", amount=1_000)
    assert open_reviews(books) == [f"refund:stripe:re_2:{books.invoice_ids[0]}"]


def test_what_changes_nothing_keeps_the_version(books: Books) -> None:
    with books.db.transaction() as session:
        pay(session, books, "pi_1", 4_000)
    version = books.invoice().version
    with books.db.transaction() as session:
        pay(session, books, "pi_1", 4_000)
        reallocate(session, books.client_id, now=NOW + timedelta(days=1))
    assert books.invoice().version == version
    assert books.invoice(1).version == 1


def test_a_void_invoice_gives_its_money_back_as_credit_and_a_written_off_one_keeps_it(books: Books) -> None:
    with books.db.transaction() as session:
        for index, name in enumerate(("pi_1", "pi_2")):
            target = [{"invoice_id": books.invoice_ids[index], "amount": 4_000}]
            pay(session, books, name, 4_000, targets=target)
        for index, status in enumerate(("void", "uncollectible")):
            invoice = session.get_one(Invoice, books.invoice_ids[index])
            close_invoice(session, invoice, status=status, now=NOW, actor="t")
        reallocate(session, books.client_id, now=NOW)
    assert [(i.status, i.amount_paid, i.money_state) for i in (books.invoice(0), books.invoice(1))] == [
        ("void", 0, "unpaid"),
        ("uncollectible", 4_000, "partially_paid"),
    ]
    tasks = column(books, "SELECT details FROM notices WHERE kind = 'payment.unapplied_credit'")
    assert [list(task["facts"].values()) for task in tasks] == [[4_000]]


def test_only_invoices_that_money_touches_are_locked(books: Books) -> None:
    with books.db.transaction() as session:
        for number in range(50):
            create_invoice(
                session,
                client_id=books.client_id,
                number=f"B-{number}",
                currency="EUR",
                amount_due=100,
                issued_on=NOW.date(),
                due_on=NOW.date(),
                now=NOW,
                actor="t",
            )
    with books.db.transaction() as session:
        pay(session, books, "pi_1")
        locked = session.scalar(text("SELECT count(*) FROM invoices WHERE xmax = pg_current_xact_id()::xid"))
    assert locked is not None
    assert locked <= 2
