"""Closed months against the same figures worked out one by one from the facts."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.insights.closing import next_month, run_closing
from nudgepay.insights.reading import (
    behaviour_of,
    figures_by_currency,
    promises_ended,
    slowest_payers,
    steps_and_money,
)
from nudgepay.invoices.actions import close_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.nudges.client_file import Habit, habit_of
from nudgepay.nudges.promises import make_promise, settle_promises
from nudgepay.payments.actions import undo_payment
from nudgepay.payments.bank import record_transfer
from nudgepay.payments.came_in import days_to_pay
from nudges.books import make_client, make_invoice

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 4, 20, 9, 0, tzinfo=UTC)
SEED = 20260420


def _pay(db: Database, number: str, amount: int, at: datetime, *, booked_at: datetime | None = None) -> int:
    with db.transaction() as session:
        return record_transfer(
            session,
            numbers=[number],
            amount=f"{amount / 100:.2f}",
            occurred_at=at,
            now=booked_at or at,
            actor="test",
        ).fact_id


def _month_ends(db: Database) -> dict[tuple[date, str], dict[str, int]]:
    with db.transaction() as session:
        rows = session.execute(text("SELECT * FROM month_ends")).mappings()
        return {(row["month"], row["currency"]): dict(row) for row in rows}


def test_month_ends_are_what_the_facts_say_one_by_one(db: Database) -> None:
    dice = random.Random(SEED)
    client = make_client(db)
    told: list[dict[str, Any]] = []
    for n in range(60):
        due = date(2025, 11, 1) + timedelta(days=dice.randrange(160))
        currency = dice.choice(["EUR", "USD"])
        amount = dice.randrange(1_00, 900_00)
        issued_at = datetime(due.year, due.month, due.day, 8, tzinfo=UTC) - timedelta(days=20)
        make_invoice(db, client, f"A-{n}", due_on=due, amount=amount, currency=currency, now=issued_at)
        one: dict[str, Any] = {"currency": currency, "issued": due - timedelta(days=20), "due": due, "amount": amount}
        one |= {"paid": [], "void": None}
        if dice.random() < 0.6:
            at = datetime(due.year, due.month, due.day, 23, 30, tzinfo=UTC) + timedelta(days=dice.randrange(-5, 60))
            if at < NOW:
                part = amount if dice.random() < 0.7 else amount // 2
                fact = _pay(db, f"A-{n}", part, at)
                if dice.random() < 0.1:
                    with db.transaction() as session:
                        undo_payment(session, fact, now=at, actor="test")
                else:
                    one["paid"].append((at, part))
        elif dice.random() < 0.3:
            at = datetime(due.year, due.month, due.day, 10, tzinfo=UTC) + timedelta(days=10)
            with db.transaction() as session:
                invoice = session.query(Invoice).filter_by(number=f"A-{n}").one()
                close_invoice(session, invoice, status="void", now=at, actor="test")
            one["void"] = at
        told.append(one)
    assert run_closing(db, now=NOW, zone=BERLIN) == 6
    found = _month_ends(db)
    assert {month for month, _ in found} == {date(2025, m, 1) for m in (10, 11, 12)} | {
        date(2026, m, 1) for m in (1, 2, 3)
    }
    for (month, currency), row in found.items():
        end = datetime.combine(next_month(month), datetime.min.time(), BERLIN)
        last = next_month(month) - timedelta(days=1)
        mine = [one for one in told if one["currency"] == currency and one["issued"] <= last]
        rest = {
            index: max(0, one["amount"] - sum(part for at, part in one["paid"] if at < end))
            for index, one in enumerate(mine)
            if one["void"] is None or one["void"] >= end
        }
        assert row["receivable"] == sum(rest.values())
        assert row["not_due"] == sum(left for index, left in rest.items() if mine[index]["due"] >= last)
        assert row["over_90"] == sum(left for index, left in rest.items() if (last - mine[index]["due"]).days > 90)
        start = datetime.combine(month, datetime.min.time(), BERLIN)
        came = [part for one in told if one["currency"] == currency for at, part in one["paid"] if start <= at < end]
        assert row["received"] == sum(came)


def test_closing_again_changes_nothing_and_a_late_payment_reaches_a_month_until_it_settles(db: Database) -> None:
    client = make_client(db)
    make_invoice(db, client, "A-1", due_on=date(2026, 3, 10), amount=50_000)
    early = datetime(2026, 4, 2, 3, 0, tzinfo=UTC)
    assert run_closing(db, now=early, zone=BERLIN) == 2
    before = _month_ends(db)
    assert run_closing(db, now=early, zone=BERLIN) == 0
    assert _month_ends(db) == before
    _pay(db, "A-1", 50_000, datetime(2026, 3, 30, 12, 0, tzinfo=UTC))
    assert run_closing(db, now=early + timedelta(days=16), zone=BERLIN) == 1
    assert _month_ends(db)[date(2026, 3, 1), "EUR"]["receivable"] == 0
    assert run_closing(db, now=early + timedelta(days=17), zone=BERLIN) == 0
    with db.transaction() as session:
        assert slowest_payers(session, most=5)[0].days_late == 20
        assert (behaviour_of(session, client) or [None])[0] == 1
        assert figures_by_currency(session)["EUR"][-1].received == 50_000


def test_a_draft_that_was_voided_was_never_owed(db: Database) -> None:
    client = make_client(db)
    for number in ("A-1", "D-1"):
        make_invoice(db, client, number, due_on=date(2026, 3, 1), amount=50_000)
    with db.transaction() as session:
        draft = session.query(Invoice).filter_by(number="D-1").one()
        draft.status = "draft"
        close_invoice(session, draft, status="void", now=NOW, actor="test")
    run_closing(db, now=NOW, zone=BERLIN)
    assert {row["receivable"] for row in _month_ends(db).values()} == {50_000}


def test_a_payer_is_as_late_as_the_money_however_late_it_was_booked(db: Database) -> None:
    client = make_client(db)
    make_invoice(db, client, "A-1", due_on=date(2026, 3, 10), amount=50_000)
    booked_at = datetime(2026, 4, 28, 12, 0, tzinfo=UTC)
    _pay(db, "A-1", 50_000, datetime(2026, 3, 12, 12, 0, tzinfo=UTC), booked_at=booked_at)
    run_closing(db, now=booked_at + timedelta(days=5), zone=BERLIN)
    with db.transaction() as session:
        assert slowest_payers(session, most=5)[0].days_late == 2
        assert habit_of(session, client, zone="Europe/Berlin") == Habit(2.0, 1)
        paid = days_to_pay(session, day_of=lambda at: at.astimezone(BERLIN).date())
        issued_on = session.scalar(text("SELECT issued_on FROM invoices"))
        assert paid is not None
        assert paid.days == (date(2026, 3, 12) - issued_on).days


def test_money_counts_for_the_last_letter_before_it(db: Database) -> None:
    client = make_client(db)
    invoice_id = make_invoice(db, client, "A-1", due_on=date(2026, 3, 1), amount=50_000)
    for step, day in (("DUE", 2), ("+3", 5)):
        _letter(db, client, invoice_id, step, datetime(2026, 3, day, 9, 0, tzinfo=UTC))
    _pay(db, "A-1", 50_000, datetime(2026, 3, 7, 9, 0, tzinfo=UTC))
    run_closing(db, now=NOW, zone=BERLIN)
    with db.transaction() as session:
        assert {row.step: (row.sent, row.followed, row.days) for row in steps_and_money(session)} == {
            "DUE": (1, 0, 0),
            "+3": (1, 1, 2),
        }


def _letter(db: Database, client_id: int, invoice_id: int, step: str, at: datetime) -> None:
    with db.transaction() as session:
        session.execute(
            text(
                "WITH sent AS (INSERT INTO letters (id, client_id, contact_id, currency, amount, locale, to_address,"
                " message_id, token, state, subject, mime, looked_at, sending_at)"
                " SELECT gen_random_uuid(), :client, k.id, 'EUR', 1, 'en', k.email, :step, md5(:step), 'accepted', 's',"
                " '', :at, :at FROM contacts k WHERE k.client_id = :client RETURNING id)"
                " INSERT INTO reminders (invoice_id, client_id, step, schedule_version, state, due_at, look_at, letter_id)"
                " SELECT :invoice, :client, :step, 1, 'accepted', :at, :at, id FROM sent"
            ),
            {"client": client_id, "invoice": invoice_id, "step": step, "at": at},
        )


def test_promises_are_counted_in_the_month_in_which_they_ended(db: Database) -> None:
    client = make_client(db)
    made = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    for number in ("A-1", "A-2"):
        invoice_id = make_invoice(db, client, number, due_on=date(2026, 3, 1), amount=50_000, now=made)
        with db.transaction() as session:
            make_promise(
                session, invoice_id=invoice_id, promised_on=date(2026, 3, 5), now=made, actor="t", source="t"
            )
    _pay(db, "A-1", 50_000, made + timedelta(days=1))
    with db.transaction() as session:
        settle_promises(session, now=made + timedelta(days=20))
    run_closing(db, now=NOW, zone=BERLIN)
    with db.transaction() as session:
        assert tuple(promises_ended(session)) == (1, 0, 1)
