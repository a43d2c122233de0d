"""Books that are changed at random, for what must follow them."""

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.invoices.actions import close_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.owed import fold_totals
from nudgepay.payments.actions import record_payment, undo_payment
from nudges.books import MONDAY, make_client, make_invoice, rows

TODAY = MONDAY.date()


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

    def rename(self) -> None:
        change = self.random.choice(
            [
                "UPDATE clients SET name = 'Ärzte ' || CAST(:n AS int) WHERE id = :client",
                "UPDATE invoices SET number = 'É-00' || CAST(:n AS int) WHERE id = (SELECT min(id) FROM invoices)",
                "UPDATE invoices SET external_id = 'x_' || CAST(:n AS int) WHERE id = (SELECT max(id) FROM invoices)",
                "UPDATE invoices SET client_id = :client WHERE id = (SELECT max(id) FROM invoices"
                " WHERE id NOT IN (SELECT invoice_id FROM allocations))",
            ]
        )
        self.count += 1
        with self.db.transaction() as session:
            session.execute(text(change), {"n": self.count, "client": self.random.choice(self.clients)})

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
