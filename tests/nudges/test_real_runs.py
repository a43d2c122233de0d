"""The preview tells the truth: what it foresees is what real passes do on a frozen clock."""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.gateways.mail import TooLate
from nudgepay.nudges.models import Run
from nudgepay.nudges.preview import Foreseen, Span, foresee
from nudgepay.nudges.queries import load_calendar, load_rules
from nudgepay.nudges.sending import run_sending
from nudgepay.nudges.terms import terms_of
from nudges.books import Answering, make_client, make_invoice, outbox_of, plan_all, rows, value

START = datetime(2026, 1, 19, 0, 0, tzinfo=UTC)
END = START + timedelta(days=90)
Line = tuple[str, str, str, str | None, datetime | None]
"""Invoice, step, action, reason, and the instant at which it goes or its hold ends."""


def a_business(db: Database) -> None:
    """Clients in three zones, invoices over four months, every kind of silence that needs no further fact."""
    berlin = make_client(db, "ada")
    new_york = make_client(db, "bo", timezone="America/New_York", country="US")
    tokyo = make_client(db, "chie", timezone="Asia/Tokyo", country="JP")
    chance = random.Random(26)
    for client_id in (berlin, new_york, tokyo):
        for number in range(4):
            due_on = date(2026, 1, 10) + timedelta(days=chance.randrange(80))
            currency = chance.choice(["EUR", "EUR", "JPY"])
            make_invoice(db, client_id, f"{client_id}-{number}", due_on=due_on, currency=currency, now=START)
    with db.transaction() as session:
        for statement in (
            "UPDATE invoices SET paused_until = due_on + 5 WHERE number = '1-1'",
            "UPDATE invoices SET amnesty_at = now() WHERE number = '2-0'",
            "UPDATE clients SET paused_until = '2026-02-20' WHERE id = 3",
            "INSERT INTO disputes (invoice_id, amount, source, opened_at)"
            " SELECT id, 4000, 'page', now() FROM invoices WHERE number = '2-2'",
            "INSERT INTO disputes (invoice_id, amount, source, opened_at)"
            " SELECT id, NULL, 'page', now() FROM invoices WHERE number = '3-3'",
            "INSERT INTO promises (invoice_id, promised_on, amount, baseline_paid, grace_days, source, made_at)"
            " SELECT id, due_on + 4, 1, 0, 2, 'page', now() FROM invoices WHERE number = '2-1'",
        ):
            session.execute(text(statement))


def foreseen(db: Database, settings: Settings) -> list[Line]:
    with db.transaction() as session:
        span = Span(load_rules(session, settings), load_calendar(settings), START, END)
        return sorted((_line(one) for one in foresee(session, span)), key=repr)


def _line(one: Foreseen) -> Line:
    decision = one.decision
    moment = {"send": decision.at, "hold": decision.until, "skip": None}[decision.action]
    return one.invoice, decision.step, decision.action, decision.reason, moment


def instants(db: Database) -> Iterator[datetime]:
    """A frozen clock that jumps to the next instant that the rows name, and to some that they do not."""
    chance = random.Random(90)
    now = START
    while now <= END:
        yield now
        named = value(
            db,
            "SELECT min(at) FROM (SELECT next_at AS at FROM invoices WHERE next_at > :now UNION ALL"
            " SELECT look_at FROM reminders WHERE state = 'planned' AND look_at > :now) AS named",
            now=now,
        )
        between = now + timedelta(minutes=chance.randrange(1, 5 * 24 * 60))
        now = min(named or between, between)


def lived_through(db: Database, settings: Settings) -> list[Line]:
    log: list[Line] = []
    holding: dict[tuple[str, str], str] = {}
    for now in instants(db):
        report = a_pass(db, settings, now)
        log += [(one["invoice"], one["step"], "skip", one["reason"], None) for one in report.skipped()]
        for one in report.held():
            if holding.get((one["invoice"], one["step"])) != one["reason"]:
                holding[one["invoice"], one["step"]] = one["reason"]
                log.append((one["invoice"], one["step"], "hold", one["reason"], one["until"]))
    sent = rows(
        db,
        "SELECT i.number, r.step, l.sending_at FROM reminders r JOIN invoices i ON i.id = r.invoice_id"
        " JOIN letters l ON l.id = r.letter_id WHERE l.state = 'accepted'",
    )
    log += [(row.number, row.step, "send", None, row.sending_at) for row in sent]
    return sorted(log, key=repr)


def a_pass(db: Database, settings: Settings, now: datetime, **changes: Any) -> Any:
    with db.transaction() as session:
        run = Run(id=uuid.uuid4(), now=now)
        session.add(run)
    plan_all(db, now=now)
    given: dict[str, Any] = {"transport": outbox_of(settings), "terms": terms_of(settings)} | changes
    return run_sending(db, now=now, run_id=run.id, **given)


def test_the_simulated_log_of_ninety_days_is_the_log_of_the_real_runs(db: Database, settings: Settings) -> None:
    a_business(db)
    expected = foreseen(db, settings)
    assert expected == lived_through(db, settings)
    actions = {line[2] for line in expected}
    reasons = {line[3] for line in expected}
    assert actions == {"send", "hold", "skip"}
    assert reasons >= {"superseded", "contact_gap", "paused_until", "promised_until", "disputed", "amnesty"}


def test_the_second_currency_of_a_pass_goes_in_it_even_when_it_must_be_looked_at_twice(
    db: Database, settings: Settings
) -> None:
    client_id = make_client(db)
    monday = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    for number, currency in (("A-1", "EUR"), ("A-2", "JPY")):
        make_invoice(db, client_id, number, currency=currency, due_on=monday.date(), now=monday)

    class SecondLate(Answering):
        def deliver(self, envelope: Any, *, may_begin: Any) -> Any:
            if len(self.tried) == 1:
                self.tried.append(envelope.message_id)
                raise TooLate("the last look is too old: nothing was written")
            return super().deliver(envelope, may_begin=may_begin)

    report = a_pass(db, settings, monday, transport=SecondLate(outbox_of(settings)))
    assert (report.counts["too_late"], report.counts["accepted"]) == (1, 2)
    assert {row.currency for row in rows(db, "SELECT currency FROM letters WHERE state = 'accepted'")} == {
        "EUR",
        "JPY",
    }
