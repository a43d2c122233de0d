"""What is owed: sums that every change adds to, whatever the order, and that nobody waits for."""

import random
import threading
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.invoices.actions import close_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.owed import AGES, due_between, fold_totals, is_unfolded, owed_by_age
from nudgepay.nudges.planning import run_planning
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.actions import record_payment, undo_payment
from nudges.books import MONDAY, make_client, make_invoice, rows, value

TODAY = MONDAY.date()
SUMS = "SELECT currency, due_on, sum(invoices), sum(amount) FROM open_invoice_totals GROUP BY 1, 2 HAVING sum(invoices) <> 0 OR sum(amount) <> 0"
BOOKS = "SELECT currency, due_on, count(*), sum(amount_remaining) FROM invoices WHERE status = 'open' GROUP BY 1, 2"


def assert_sums_are_those_of_the_books(db: Database) -> None:
    assert sorted(map(tuple, rows(db, SUMS))) == sorted(map(tuple, rows(db, BOOKS)))


class Bookkeeper:
    """Does to the books whatever may be done to them, at random."""

    def __init__(self, db: Database, seed: int) -> None:
        self.db, self.random, self.count = db, random.Random(seed), 0
        self.clients = [make_client(db, f"c{n}") for n in range(2)]

    def _invoice(self, *status: str) -> Any:
        found = rows(
            self.db, "SELECT id, client_id, currency, amount_due FROM invoices WHERE status = ANY(:s)", s=list(status)
        )
        return self.random.choice(found) if found else None

    def create(self) -> None:
        self.count += 1
        due = TODAY + timedelta(days=self.random.randint(-95, 5))
        currency, client = self.random.choice(["EUR", "JPY", "KWD"]), self.random.choice(self.clients)
        make_invoice(
            self.db, client, f"A-{self.count}", due_on=due, amount=self.random.randint(1, 10**9), currency=currency
        )

    def create_many(self) -> None:
        with self.db.transaction() as session:
            session.execute(
                text(
                    "INSERT INTO invoices (number, client_id, currency, amount_due, amount_remaining, status, issued_on, due_on, token)"
                    " SELECT :prefix || n, :client, 'EUR', n, n, CASE n % 3 WHEN 0 THEN 'draft' ELSE 'open' END, CAST(:day AS date), CAST(:day AS date) - n, :prefix || n"
                    " FROM generate_series(1, 7) AS n"
                ),
                {"prefix": f"B-{self.random.random()}-", "client": self.clients[0], "day": TODAY},
            )

    def _book(self, kind: str, amount: int, invoice: Any, **more: Any) -> None:
        with self.db.transaction() as session:
            record_payment(
                session,
                client_id=invoice.client_id,
                amount=amount,
                currency=invoice.currency,
                provider="manual",
                provider_id=f"f{self.random.random()}",
                kind=kind,
                occurred_at=MONDAY,
                actor="test",
                now=MONDAY,
                **more,
            )

    def pay(self) -> None:
        if invoice := self._invoice("open"):
            amount = self.random.choice([1, invoice.amount_due, invoice.amount_due + 5])
            self._book("manual", amount, invoice, targets=[{"invoice_id": invoice.id, "amount": amount}])

    def refund(self) -> None:
        paid = rows(self.db, "SELECT * FROM money_facts WHERE kind = 'manual' AND voided_at IS NULL")
        if paid:
            fact = self.random.choice(paid)
            self._book("refund", self.random.randint(1, fact.amount), fact, targets=[], reverses=fact.provider_id)

    def undo(self) -> None:
        paid = rows(self.db, "SELECT id FROM money_facts WHERE kind = 'manual' AND voided_at IS NULL")
        if paid:
            with self.db.transaction() as session:
                undo_payment(session, self.random.choice(paid).id, now=MONDAY, actor="test")

    def close(self) -> None:
        if invoice := self._invoice("open"):
            with self.db.transaction() as session:
                status = self.random.choice(["void", "uncollectible"])
                close_invoice(session, session.get_one(Invoice, invoice.id), status=status, now=MONDAY, actor="test")

    def edit(self) -> None:
        if invoice := self._invoice("open", "draft", "void"):
            change = self.random.choice(
                [
                    "due_on = due_on + 31",
                    "currency = 'USD'",
                    "amount_due = amount_due + 7, amount_remaining = amount_remaining + 7",
                    "status = 'open'",
                    "status = 'draft'",
                ]
            )
            with self.db.transaction() as session:
                session.execute(text(f"UPDATE invoices SET {change} WHERE id = :id"), {"id": invoice.id})

    def delete(self) -> None:
        with self.db.transaction() as session:
            untouched = "id NOT IN (SELECT invoice_id FROM allocations)"
            session.execute(text(f"DELETE FROM invoices WHERE id = (SELECT max(id) FROM invoices WHERE {untouched})"))

    def roll_back(self) -> None:
        with pytest.raises(ZeroDivisionError), self.db.transaction() as session:
            session.execute(text("UPDATE invoices SET due_on = due_on - 1 WHERE status = 'open'"))
            raise ZeroDivisionError

    def fold(self) -> None:
        with self.db.transaction() as session:
            fold_totals(session)


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
