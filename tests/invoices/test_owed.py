"""What is owed: sums that every change adds to, whatever the order, and that nobody waits for."""

import threading
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from invoices.bookkeeper import TODAY, Bookkeeper
from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.invoices.actions import close_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.owed import AGES, due_between, fold_totals, is_unfolded, owed_by_age
from nudgepay.nudges.planning import run_planning
from nudgepay.nudges.terms import terms_of
from nudges.books import MONDAY, make_client, make_invoice, rows, value

SUMS = "SELECT currency, due_on, sum(invoices), sum(amount) FROM open_invoice_totals GROUP BY 1, 2 HAVING sum(invoices) <> 0 OR sum(amount) <> 0"
BOOKS = "SELECT currency, due_on, count(*), sum(amount_remaining) FROM invoices WHERE status = 'open' GROUP BY 1, 2"


def assert_sums_are_those_of_the_books(db: Database) -> None:
    assert sorted(map(tuple, rows(db, SUMS))) == sorted(map(tuple, rows(db, BOOKS)))


@pytest.mark.parametrize("seed", range(3))
def test_the_sums_are_those_of_the_books_whatever_was_done_to_them(db: Database, seed: int) -> None:
    keeper = Bookkeeper(db, seed)
    acts = [keeper.create, keeper.create, keeper.create_many, keeper.pay, keeper.pay, keeper.refund, keeper.undo]
    acts += [keeper.close, keeper.edit, keeper.delete, keeper.roll_back, keeper.fold]
    for _ in range(60):
        keeper.random.choice(acts)()
        assert_sums_are_those_of_the_books(db)
    keeper.fold()
    assert_sums_are_those_of_the_books(db)
    with db.transaction() as session:
        assert not is_unfolded(session)
        for owed in owed_by_age(session, today=TODAY):
            for age, cell in owed.ages.items():
                first, last = due_between(age, today=TODAY)
                behind = "SELECT count(*), coalesce(sum(amount_remaining), 0) FROM invoices WHERE status = 'open' AND currency = :currency AND due_on BETWEEN coalesce(:first, date '0001-01-01') AND coalesce(:last, date '9999-12-31')"
                listed = session.execute(
                    text(behind), {"currency": owed.currency, "first": first, "last": last}
                ).one()
                assert tuple(listed) == (cell.invoices, cell.amount)


def test_a_voided_invoice_is_owed_no_more(db: Database) -> None:
    client = make_client(db)
    ids = [make_invoice(db, client, f"A-{n}", due_on=TODAY - timedelta(days=40), amount=100 * n) for n in (1, 2)]
    with db.transaction() as session:
        close_invoice(session, session.get_one(Invoice, ids[0]), status="void", now=MONDAY, actor="test")
    with db.transaction() as session:
        (owed,) = owed_by_age(session, today=TODAY)
    assert (owed.currency, owed.total.invoices, owed.total.amount) == ("EUR", 1, 200)
    assert owed.ages["31-60"].amount == owed.overdue.amount == 200


def test_ages_have_no_gap_and_share_no_day() -> None:
    for days in range(-3, 200):
        due = TODAY - timedelta(days=days)
        spans = [due_between(age, today=TODAY) for age in AGES]
        assert sum((first or date.min) <= due <= (last or date.max) for first, last in spans) == 1
    with pytest.raises(UsageError):
        due_between("older", today=TODAY)


def test_planning_adds_nothing_to_the_sums(db: Database) -> None:
    client = make_client(db)
    for number in range(5):
        make_invoice(db, client, f"A-{number}")
    before = value(db, "SELECT count(*) FROM open_invoice_totals")
    from nudgepay.config import Settings

    run_planning(db, now=MONDAY, calendar=terms_of(Settings.load({"ENVIRONMENT": "test"})).calendar)
    assert value(db, "SELECT count(*) FROM invoices WHERE next_at <> :now", now=MONDAY) == 5
    assert value(db, "SELECT count(*) FROM open_invoice_totals") == before


def test_writers_in_opposite_order_and_a_fold_never_wait_for_each_other(db: Database) -> None:
    client = make_client(db)
    days = [TODAY, TODAY + timedelta(days=1)] * 2
    first, second, third, fourth = (make_invoice(db, client, f"A-{n}", due_on=day) for n, day in enumerate(days))
    both = threading.Barrier(2, timeout=10)
    failures: list[Exception] = []

    def change(*ids: int) -> None:
        try:
            with db.transaction() as session:
                session.execute(text("SET LOCAL lock_timeout = '2s'"))
                for id in ids:
                    session.execute(
                        text("UPDATE invoices SET amount_due = 900, amount_remaining = 900 WHERE id = :id"),
                        {"id": id},
                    )
                    both.wait()
        except Exception as error:  # noqa: BLE001  # told by the test
            failures.append(error)

    threads = [threading.Thread(target=change, args=ids) for ids in ((first, second), (fourth, third))]
    for thread in threads:
        thread.start()
    with db.transaction() as session:
        session.execute(text("SET LOCAL lock_timeout = '2s'"))
        fold_totals(session)
        with db.transaction() as another:
            assert fold_totals(another) == 0
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert_sums_are_those_of_the_books(db)
