"""What the preview says of ninety days is what ninety days of real passes on a frozen clock then do."""

from datetime import date, datetime, timedelta

from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.nudges.queries import load_clients, rules_now
from nudgepay.nudges.simulate import simulate
from nudgepay.nudges.terms import terms_of
from nudges.books import MONDAY, make_client, make_invoice, plan_all, rows, send, value

DAYS = 90
Event = tuple[datetime, str, str, str]


def _books(db: Database) -> list[int]:
    ids = []
    for index, (zone, country) in enumerate(
        [("Europe/Berlin", "DE"), ("America/New_York", "US"), ("Asia/Tokyo", "JP"), ("Pacific/Auckland", "NZ")]
    ):
        client_id = make_client(db, f"client{index}", timezone=zone, country=country)
        ids.append(client_id)
        for number, days in enumerate((-40, 1, 12, 13, 27, 60)):
            due_on = MONDAY.date() + timedelta(days=days + index)
            currency = "EUR" if number % 2 else "JPY"
            make_invoice(db, client_id, f"{index}-{number}", due_on=due_on, currency=currency)
    with db.transaction() as session:
        session.execute(
            text("UPDATE invoices SET paused_until = :day WHERE number LIKE '%-2'"), {"day": date(2026, 4, 3)}
        )
        session.execute(text("UPDATE invoices SET reminders_off_at = now() WHERE number LIKE '%-4'"))
    return ids


def _foreseen(db: Database, ids: list[int], settings: Settings, end: datetime) -> set[Event]:
    terms = terms_of(settings)
    with db.transaction() as session:
        clients = load_clients(session, ids, now=MONDAY)
        rules = rules_now(session, terms.rules)
    seen = set()
    for client in clients.values():
        numbers = {invoice.id: invoice.number for invoice in client.invoices}
        for one in simulate(client, rules=rules, calendar=terms.calendar, start=MONDAY, end=end):
            if one.action == "send":
                seen.add((one.at, numbers[one.invoice_id], one.step, "send"))
            elif one.action == "skip":
                seen.add((MONDAY, numbers[one.invoice_id], one.step, str(one.reason)))
    return seen


def _lived(db: Database, settings: Settings, end: datetime) -> set[Event]:
    now: datetime | None = MONDAY
    passes = 0
    while now is not None and now <= end:
        plan_all(db, now=now)
        send(db, settings, now=now)
        passes += 1
        now = value(
            db,
            "SELECT min(at) FROM (SELECT next_at AS at FROM invoices WHERE status = 'open'"
            " UNION ALL SELECT look_at FROM reminders WHERE state = 'planned') AS coming WHERE at > :now",
            now=now,
        )
    assert passes > 50
    sent = rows(
        db,
        "SELECT l.sending_at, i.number, r.step FROM reminders r JOIN letters l ON l.id = r.letter_id"
        " JOIN invoices i ON i.id = r.invoice_id WHERE r.state = 'accepted'",
    )
    skipped = rows(
        db,
        "SELECT i.number, r.step, r.reason FROM reminders r JOIN invoices i ON i.id = r.invoice_id"
        " WHERE r.state = 'skipped'",
    )
    return {(*row, "send") for row in sent} | {(MONDAY, *row) for row in skipped}


def test_the_preview_of_ninety_days_is_what_then_happens(db: Database, settings: Settings) -> None:
    ids = _books(db)
    end = MONDAY + timedelta(days=DAYS)
    foreseen = _foreseen(db, ids, settings, end)
    lived = _lived(db, settings, end)
    assert {event for event in foreseen if event[3] == "send"}
    assert sorted(foreseen ^ lived) == []
