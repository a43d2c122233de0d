"""One claim has one open session at Stripe, whatever happens between the click and the answer."""

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.errors import NotFound, NudgePayError
from nudgepay.gateways.stripe import (
    AmountNotPayable,
    StripeGateway,
    StripeKeyRejected,
    StripeOutcomeUnknown,
    StripeRefused,
    StripeUnavailable,
)
from nudgepay.invoices.actions import close_invoice, create_client, create_invoice
from nudgepay.invoices.queries import lock_invoices
from nudgepay.payments.actions import record_payment
from nudgepay.payments.closing import close_outdated
from nudgepay.payments.pay_link import (
    NothingToPay,
    PaymentInFlight,
    PayPage,
    Superseded,
    TooMuch,
    open_checkout,
)
from nudgepay.payments.reviews import open_review
from nudgepay.payments.sweep import run_sweep
from payments.conftest import NOW, TERMS, Books

CREATE = "POST /v1/checkout/sessions"


def click(
    books: Books,
    page: PayPage | None = None,
    *,
    amount: int | None = None,
    now: datetime = NOW,
    success_url: str = "https://pay.example/p/t?paid=1",
) -> str:
    """A payer's click; the session's id at Stripe."""
    url = open_checkout(
        books.db,
        books.gateway,
        page=page or books.page(),
        amount=amount,
        success_url=success_url,
        cancel_url="https://pay.example/p/t",
        now=now,
    )
    assert url.startswith(books.fake.url)
    return url.rsplit("/", 1)[1]


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Results or errors of calls that run at the same time."""
    results: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        try:
            results[place] = calls[place]()
        except NudgePayError as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def pay_by_transfer(books: Books, amount: int, index: int = 0) -> None:
    with books.db.transaction() as session:
        record_payment(
            session,
            client_id=books.client_id,
            amount=amount,
            currency="EUR",
            provider="manual",
            provider_id=f"transfer-{amount}",
            kind="manual",
            occurred_at=NOW,
            targets=[{"invoice_id": books.invoice_ids[index], "amount": amount}],
            actor="t",
            now=NOW,
        )


def void(books: Books, *invoice_ids: int) -> None:
    with books.db.transaction() as session:
        for invoice in lock_invoices(session, invoice_ids):
            close_invoice(session, invoice, status="void", now=NOW, actor="t")


def open_ids(books: Books) -> list[str]:
    return [session["id"] for session in books.fake.sessions("open")]


def creations(books: Books) -> int:
    return books.fake.calls.count(("POST", "/v1/checkout/sessions"))


def test_the_page_and_the_provider_agree_on_what_is_paid(books: Books) -> None:
    session_id = click(books, books.page(*books.invoice_ids))
    session = books.gateway.retrieve_checkout_session(session_id)
    assert (session["amount_total"], session["currency"]) == (20_000, "eur")
    with books.db.transaction() as db_session:
        row = db_session.execute(text("SELECT id, lines FROM checkout_sessions")).one()
    assert row.lines == [{"invoice_id": id, "amount": 10_000} for id in books.invoice_ids]
    assert session["metadata"] == {
        "nudgepay_page": "letter:test",
        "nudgepay_client": str(books.client_id),
        "nudgepay_checkout": str(row.id),
        "nudgepay_version": "2",
    }
    intent = books.fake.pay(session_id)["payment_intent"]
    assert books.gateway.retrieve_payment_intent(intent)["metadata"] == session["metadata"]


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"),
    [("JPY", 12_345, 12_345), ("EUR", 12_345, 12_345), ("KWD", 12_340, 12_340), ("ISK", 12_345, 1_234_500)],
)
def test_it_asks_for_the_invoices_amount_and_books_the_same(
    books: Books, currency: str, ours: int, theirs: int
) -> None:
    with books.db.transaction() as session:
        invoice = create_invoice(
            session,
            client_id=books.client_id,
            number=f"B-{currency}",
            currency=currency,
            amount_due=ours,
            issued_on=date(2026, 2, 1),
            due_on=date(2026, 3, 1),
            now=NOW,
            actor="t",
        ).id
    session_id = click(books, books.page(invoice, currency=currency))
    assert books.fake.sessions()[0]["amount_total"] == theirs
    books.fake.pay(session_id)
    books.receive_all()
    with books.db.transaction() as session:
        row = session.execute(
            text("SELECT amount_paid, status, money_state FROM invoices WHERE id = :id"), {"id": invoice}
        ).one()
    assert tuple(row) == (ours, "paid", "paid")


def test_an_amount_that_stripe_cannot_take_is_refused_before_anything_is_written(books: Books) -> None:
    with books.db.transaction() as session:
        invoice = create_invoice(
            session,
            client_id=books.client_id,
            number="B-KWD",
            currency="KWD",
            amount_due=12_345,
            issued_on=date(2026, 2, 1),
            due_on=date(2026, 3, 1),
            now=NOW,
            actor="t",
        ).id
    page = books.page(invoice, currency="KWD")
    with pytest.raises(AmountNotPayable):
        click(books, page)
    assert creations(books) == 0
    click(books, page, amount=12_340)
    assert books.fake.sessions()[0]["amount_total"] == 12_340


def test_a_second_click_is_sent_to_the_same_session(books: Books) -> None:
    assert click(books) == click(books)
    assert creations(books) == 1


def test_two_clicks_at_once_share_one_session_while_stripe_is_still_at_work(books: Books) -> None:
    books.fake.fail_next("hold", on=CREATE)
    first: list[str] = []
    slow = threading.Thread(target=lambda: first.append(click(books)))
    slow.start()
    assert books.fake.faults.holding.wait(10)
    threading.Timer(0.3, books.fake.faults.released.set).start()
    second = click(books)
    slow.join()
    assert first == [second]
    assert open_ids(books) == [second]


def test_ten_clicks_at_once_open_one_session(books: Books) -> None:
    results = at_once(*[lambda: click(books)] * 10)
    sessions = {result for result in results if isinstance(result, str)}
    assert all(isinstance(result, str | StripeOutcomeUnknown) for result in results), results
    assert len(sessions) == 1
    assert len(books.fake.sessions()) == 1


def test_clicks_on_two_pages_of_one_invoice_leave_one_session_open(books: Books) -> None:
    letter = books.page(*books.invoice_ids)
    for _ in range(5):
        results = at_once(lambda: click(books), lambda: click(books, letter))
        assert all(isinstance(result, str | Superseded) for result in results), results
        assert any(isinstance(result, str) for result in results)
        assert len(open_ids(books)) == 1
        assert set(open_ids(books)) <= set(results)


def test_the_later_click_counts_when_an_earlier_one_is_still_on_its_way(books: Books) -> None:
    books.fake.fail_next("hold", on=CREATE)
    first: list[Any] = []
    slow = threading.Thread(target=lambda: first.extend(at_once(lambda: click(books))))
    slow.start()
    assert books.fake.faults.holding.wait(10)
    second = click(books, books.page(*books.invoice_ids))
    books.fake.faults.released.set()
    slow.join()
    assert isinstance(first[0], Superseded)
    assert open_ids(books) == [second]


def test_an_edited_amount_gets_a_session_of_its_own_and_the_older_one_is_closed(books: Books) -> None:
    whole = click(books)
    with books.db.transaction() as session:
        session.execute(
            text(
                "UPDATE invoices SET amount_due = 9000, amount_remaining = 9000, version = version + 1 WHERE id = :id"
            ),
            {"id": books.invoice_ids[0]},
        )
    edited = click(books)
    assert edited != whole
    assert open_ids(books) == [edited]
    assert books.fake.sessions("open")[0]["amount_total"] == 9_000


def test_a_part_paid_invoice_asks_for_the_rest(books: Books) -> None:
    click(books)
    pay_by_transfer(books, 4_000)
    rest = click(books)
    assert [(s["id"], s["amount_total"]) for s in books.fake.sessions("open")] == [(rest, 6_000)]


def test_a_part_falls_on_the_oldest_invoice_first(books: Books) -> None:
    click(books, books.page(*reversed(books.invoice_ids)), amount=12_000)
    with books.db.transaction() as session:
        lines = session.scalar(text("SELECT lines FROM checkout_sessions"))
    assert lines == [
        {"invoice_id": books.invoice_ids[0], "amount": 10_000},
        {"invoice_id": books.invoice_ids[1], "amount": 2_000},
    ]


def test_what_is_contested_is_not_asked_for_but_may_be_paid(books: Books) -> None:
    first, second = books.invoice_ids
    page = PayPage("letter:test", books.client_id, (first, second), "EUR", "de", "A", contested={first: 4_000})
    lines = []
    for amount in (None, 17_000):
        click(books, page, amount=amount)
        with books.db.transaction() as session:
            lines.append(session.scalar(text("SELECT lines FROM checkout_sessions ORDER BY id DESC LIMIT 1")))
    assert lines[0] == [{"invoice_id": first, "amount": 6_000}, {"invoice_id": second, "amount": 10_000}]
    assert lines[1] == [{"invoice_id": first, "amount": 7_000}, {"invoice_id": second, "amount": 10_000}]
    with pytest.raises(NothingToPay):
        click(books, PayPage("invoice:1", books.client_id, (first,), "EUR", "de", "A", contested={first: 10_000}))


@pytest.mark.parametrize("amount", [0, -1, 10_001])
def test_an_amount_beyond_what_is_open_is_refused(books: Books, amount: int) -> None:
    with pytest.raises(TooMuch):
        click(books, amount=amount)
    assert books.fake.calls == []


def test_a_settled_or_voided_page_opens_nothing(books: Books) -> None:
    pay_by_transfer(books, 10_000)
    with pytest.raises(NothingToPay):
        click(books)
    void(books, books.invoice_ids[1])
    with pytest.raises(NothingToPay):
        click(books, books.page(books.invoice_ids[1]))
    assert books.fake.calls == []


def test_invoices_of_another_client_or_currency_are_not_paid(books: Books) -> None:
    with books.db.transaction() as session:
        other = create_client(
            session,
            name="Other",
            email="b@other.example",
            locale="en",
            timezone="Europe/London",
            country="GB",
            actor="t",
        ).id
    with pytest.raises(NotFound):
        click(books, PayPage("invoice:1", other, books.invoice_ids[:1], "EUR", "en", "A"))
    with pytest.raises(NotFound):
        click(books, books.page(currency="USD"))
    assert books.fake.calls == []


def test_a_payment_on_its_way_is_not_asked_for_again(books: Books) -> None:
    books.fake.pay(click(books), "sepa_debit")
    books.receive_all()
    with pytest.raises(PaymentInFlight):
        click(books)
    with pytest.raises(PaymentInFlight):
        click(books, books.page(*books.invoice_ids))
    click(books, books.page(books.invoice_ids[1]))


def test_a_payment_on_its_way_is_seen_behind_a_doubt(books: Books) -> None:
    books.fake.pay(click(books), "sepa_debit")
    books.receive_all()
    with books.db.transaction() as session:
        open_review(session, invoice_ids=books.invoice_ids[:1], reason="refund", source="doubt", details={})
        session.execute(text("UPDATE invoices SET money_state = 'needs_review' WHERE money_state = 'in_payment'"))
    with pytest.raises(PaymentInFlight):
        click(books)


def test_a_payment_that_no_webhook_told_of_yet_is_not_asked_for_again(books: Books) -> None:
    books.fake.pay(click(books))
    with pytest.raises(PaymentInFlight):
        click(books)
    with pytest.raises(PaymentInFlight):
        click(books, amount=5_000)
    assert open_ids(books) == []


def test_a_session_that_stripe_ended_is_replaced(books: Books) -> None:
    first = click(books)
    books.fake.expire(first)
    second = click(books)
    assert open_ids(books) == [second]
    assert click(books) == second


def test_a_session_that_stripe_does_not_know_is_replaced(books: Books) -> None:
    first = click(books)
    del books.fake.store.objects[first]
    assert [click(books)] == open_ids(books)


def test_a_session_that_ends_soon_is_replaced(books: Books) -> None:
    first = click(books)
    ends = datetime.fromtimestamp(books.fake.sessions()[0]["expires_at"], NOW.tzinfo)
    second = click(books, now=ends - timedelta(minutes=4))
    assert second != first
    assert open_ids(books) == [second]


def test_a_known_session_is_still_offered_while_the_api_is_down(books: Books) -> None:
    first = click(books)
    books.fake.fail_next("503", "503", "503", on="GET ")
    assert click(books) == first


def test_an_invoice_that_is_paid_during_the_click_is_not_offered(books: Books) -> None:
    books.fake.fail_next("hold", on=CREATE)
    results: list[Any] = []
    slow = threading.Thread(target=lambda: results.extend(at_once(lambda: click(books))))
    slow.start()
    assert books.fake.faults.holding.wait(10)
    pay_by_transfer(books, 10_000)
    books.fake.faults.released.set()
    slow.join()
    assert isinstance(results[0], NothingToPay)
    assert open_ids(books) == []


def test_a_lost_answer_costs_no_second_session(books: Books) -> None:
    books.fake.fail_next("drop_after", "drop_after", "drop_after", on=CREATE)
    with pytest.raises(StripeOutcomeUnknown):
        click(books)
    assert len(books.fake.sessions()) == 1
    assert click(books) == books.fake.sessions()[0]["id"]
    assert len(books.fake.sessions()) == 1


def test_an_answer_that_never_comes_costs_no_second_session(books: Books) -> None:
    impatient = StripeGateway(api_key=lambda: books.fake.api_key, base_url=books.fake.url, timeout=0.3)
    books.gateway, patient = impatient, books.gateway
    books.fake.fail_next("hang_after", "hang_after", "hang_after", on=CREATE)
    with pytest.raises(StripeOutcomeUnknown):
        click(books)
    books.fake.faults.clear()
    books.gateway = patient
    assert click(books) == books.fake.sessions()[0]["id"]
    assert len(books.fake.sessions()) == 1


def test_a_lost_answer_is_found_when_the_payer_reads_another_language(books: Books) -> None:
    books.fake.fail_next("drop_after", "drop_after", "drop_after", on=CREATE)
    with pytest.raises(StripeOutcomeUnknown):
        click(books)
    found = click(books, success_url="https://pay.example/p/t?paid=1&lang=fr")
    assert [session["id"] for session in books.fake.sessions()] == [found]


def test_nothing_is_concluded_from_the_absence_of_a_session_that_may_still_be_made(books: Books) -> None:
    books.fake.fail_next("drop", "drop", "drop", on=CREATE)
    with pytest.raises(StripeOutcomeUnknown):
        click(books)
    other_words = "https://pay.example/p/t?paid=1&lang=fr"
    with pytest.raises(StripeOutcomeUnknown):
        click(books, success_url=other_words)
    assert books.fake.sessions() == []
    assert [click(books, success_url=other_words, now=NOW + timedelta(minutes=3))] == open_ids(books)


def test_a_key_that_stripe_may_have_forgotten_is_not_repeated(books: Books) -> None:
    books.fake.fail_next("drop_after", "drop_after", "drop_after", on=CREATE)
    with pytest.raises(StripeOutcomeUnknown):
        click(books)
    made = books.fake.sessions()[0]
    made["expires_at"] += 3 * 86_400
    books.fake.advance(24.5 * 3600)
    before = creations(books)
    assert click(books, now=NOW + timedelta(hours=24, minutes=30)) == made["id"]
    assert creations(books) == before
    assert len(books.fake.sessions()) == 1


def test_a_forgotten_key_whose_session_was_never_made_gives_way_to_a_new_one(books: Books) -> None:
    books.fake.fail_next("drop", "drop", "drop", on=CREATE)
    with pytest.raises(StripeOutcomeUnknown):
        click(books)
    books.fake.advance(25 * 3600)
    assert [click(books, now=NOW + timedelta(hours=25))] == open_ids(books)


def test_a_saved_error_is_not_repeated_for_a_day(books: Books) -> None:
    books.fake.fail_next("500", on=CREATE)
    with pytest.raises(StripeOutcomeUnknown):
        click(books)
    assert [click(books)] == open_ids(books)
    assert creations(books) == 3  # the failure, its replay, and the new key


def test_a_session_behind_a_saved_error_is_found_before_a_new_key_is_used(books: Books) -> None:
    books.fake.fail_next("500_after", on=CREATE)
    with pytest.raises(StripeOutcomeUnknown):
        click(books)
    assert len(books.fake.sessions()) == 1
    assert click(books) == books.fake.sessions()[0]["id"]
    assert len(books.fake.sessions()) == 1


def test_a_lost_session_for_an_older_amount_is_closed(books: Books) -> None:
    books.fake.fail_next("drop_after", "drop_after", "drop_after", on=CREATE)
    with pytest.raises(StripeOutcomeUnknown):
        click(books)
    pay_by_transfer(books, 4_000)
    rest = click(books, now=NOW + timedelta(minutes=5))
    assert open_ids(books) == [rest]


def test_a_storm_of_clicks_stays_below_the_limit_and_each_ends(books: Books, figures: Callable[..., None]) -> None:
    with books.db.transaction() as session:
        ids = [
            create_invoice(
                session,
                client_id=books.client_id,
                number=f"S-{number}",
                currency="EUR",
                amount_due=1_000,
                issued_on=date(2026, 2, 1),
                due_on=date(2026, 3, 1),
                now=NOW,
                actor="t",
            ).id
            for number in range(30)
        ]
    books.gateway = StripeGateway(api_key=lambda: books.fake.api_key, base_url=books.fake.url, timeout=10)
    books.fake.limits.per_second = 25
    results = at_once(*[lambda id=id: click(books, books.page(id)) for id in ids])
    called = sorted(books.fake.called_at)
    busiest = max(sum(at <= other < at + 1 for other in called) for at in called)
    figures("storm", clicks=len(ids), calls=len(called), busiest_second=busiest)
    assert busiest <= 25
    assert books.fake.limits.turned_away == 0
    assert [result for result in results if not isinstance(result, str)] == []


def test_a_limiter_that_says_no_leaves_the_click_to_be_repeated(books: Books) -> None:
    books.fake.limits.retry_after = 60
    books.fake.fail_next("429", on=CREATE)
    with pytest.raises(StripeUnavailable):
        click(books)
    with pytest.raises(StripeUnavailable):
        click(books)
    assert creations(books) == 1
    calm = StripeGateway(api_key=lambda: books.fake.api_key, base_url=books.fake.url)
    books.gateway = calm
    assert [click(books)] == open_ids(books)


def test_a_revoked_key_is_told_once_and_settled_by_the_next_success(books: Books) -> None:
    key, books.fake.api_key = books.fake.api_key, "sk_test_other"
    books.gateway = StripeGateway(api_key=lambda: key, base_url=books.fake.url)
    for _ in range(3):
        with pytest.raises(StripeKeyRejected):
            click(books)
    assert creations(books) == 3
    count = text("SELECT count(*) FROM notices WHERE kind = 'stripe.key_rejected' AND resolved_at IS NULL")
    with books.db.transaction() as session:
        assert session.scalar(count) == 1
    key = books.fake.api_key
    click(books)
    with books.db.transaction() as session:
        assert session.scalar(count) == 0


def test_a_refused_request_is_not_repeated_under_its_key(books: Books) -> None:
    with pytest.raises(StripeRefused):
        click(books, success_url="no url")
    assert [click(books)] == open_ids(books)


def test_an_outdated_session_is_closed_by_the_sweep(books: Books) -> None:
    first = click(books)
    other = click(books, books.page(books.invoice_ids[1]))
    pay_by_transfer(books, 10_000)
    report = run_sweep(books.db, books.gateway, terms=TERMS, now=NOW + timedelta(minutes=1), since=NOW)
    assert report.sessions_closed == 1
    assert open_ids(books) == [other]
    assert books.gateway.retrieve_checkout_session(first)["status"] == "expired"
    assert close_outdated(books.db, books.gateway, now=NOW) == 0


def test_a_session_of_a_voided_invoice_is_closed_and_a_paid_one_is_left_alone(books: Books) -> None:
    click(books)
    paid = click(books, books.page(books.invoice_ids[1]))
    books.fake.pay(paid)
    void(books, *books.invoice_ids)
    assert close_outdated(books.db, books.gateway, now=NOW) == 1
    assert books.fake.sessions("complete")[0]["id"] == paid


def test_every_opened_checkout_is_audited_once(books: Books) -> None:
    click(books)
    click(books)
    with books.db.transaction() as session:
        rows = session.execute(
            text("SELECT actor, subject, after FROM audit_events WHERE action = 'checkout.open'")
        ).all()
    assert [(row.actor, row.after["amount"]) for row in rows] == [("payer", 10_000)]
