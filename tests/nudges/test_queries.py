"""What the engine is told: each fact from its row, in a fixed number of statements."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event, text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.invoices.actions import add_contact
from nudgepay.nudges.facts import ClientFacts, InvoiceFacts
from nudgepay.nudges.queries import load_clients, load_rules
from nudgepay.payments.actions import record_payment
from nudges.books import MONDAY, make_client, make_invoice

NOW = MONDAY


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield statements
    event.remove(db.engine, "before_cursor_execute", note)


def load(db: Database, client_id: int, **options: object) -> ClientFacts:
    with db.transaction() as session:
        return load_clients(session, [client_id], now=NOW, **options)[client_id]


def only_invoice(db: Database, client_id: int) -> InvoiceFacts:
    (found,) = load(db, client_id).invoices
    return found


def change(db: Database, statement: str, **values: object) -> None:
    with db.transaction() as session:
        session.execute(text(statement), values)


def letter(db: Database, client_id: int, **changes: object) -> None:
    fields = {"state": "accepted", "currency": "EUR", "at": NOW, "run": None, "id": uuid.uuid4(), **changes}
    if fields["run"] is not None:
        change(db, "INSERT INTO runs (id, now) VALUES (:run, :at) ON CONFLICT DO NOTHING", run=fields["run"], at=NOW)
    change(
        db,
        "INSERT INTO letters (id, client_id, contact_id, run_id, currency, amount, locale, to_address, message_id,"
        " token, state, subject, mime, looked_at, sending_at)"
        " SELECT :id, client_id, id, :run, :currency, 1, 'en', email, :name, :name, :state, 'x', 'x', :at, :at"
        "   FROM contacts WHERE client_id = :client",
        client=client_id,
        name=str(fields["id"]),
        **fields,
    )


def test_it_asks_as_many_questions_for_twenty_clients_as_for_one(db: Database) -> None:
    ids = [make_client(db, f"client{number}") for number in range(20)]
    for client_id in ids:
        for number in range(3):
            make_invoice(db, client_id, f"{client_id}-{number}")
    with db.transaction() as session, counted(db) as for_one:
        load_clients(session, ids[:1], now=NOW)
    with db.transaction() as session, counted(db) as for_all:
        found = load_clients(session, ids, now=NOW)
    assert len(for_one) == len(for_all) <= 15
    assert [len(found[client_id].invoices) for client_id in ids] == [3] * 20


def test_an_address_is_blocked_for_every_client_that_shares_it(db: Database) -> None:
    first, second = make_client(db, "ada"), make_client(db, "bo")
    with db.transaction() as session:
        add_contact(session, client_id=second, name="Ada", email="Ada@client.example", role="approver", actor="test")
    change(
        db, "INSERT INTO suppressions (address, reason, source) VALUES ('ada@client.example', 'unsubscribed', 'x')"
    )
    change(db, "INSERT INTO suppressions (address, reason, source) VALUES ('ada@client.example', 'bounced', 'x')")
    assert [contact.blocked for contact in load(db, first).contacts] == ["contact_bounced"]
    assert [contact.blocked for contact in load(db, second).contacts] == [None, "contact_bounced"]
    change(db, "UPDATE suppressions SET lifted_at = now() WHERE reason = 'bounced'")
    assert [contact.blocked for contact in load(db, first).contacts] == ["opted_out"]


def test_the_last_contact_counts_over_all_clients_that_share_the_address(db: Database) -> None:
    first, second = make_client(db, "ada"), make_client(db, "bo")
    change(db, "UPDATE contacts SET email = 'books@office.example'")
    letter(db, first, at=NOW - timedelta(days=3))
    letter(db, second, at=NOW - timedelta(days=1), state="unknown")
    letter(db, second, at=NOW, state="failed")
    assert load(db, first).contacts[0].last_contact_at == NOW - timedelta(days=1)
    assert load(db, first).letter_unknown is False
    assert load(db, second).letter_unknown is True


def test_a_pass_may_write_in_two_currencies_but_not_to_two_clients_of_one_address(db: Database) -> None:
    first, second = make_client(db, "ada"), make_client(db, "bo")
    change(db, "UPDATE contacts SET email = 'books@office.example'")
    run = uuid.uuid4()
    letter(db, first, run=run)
    assert load(db, first, run_id=run).contacts[0].last_contact_at is None
    assert load(db, first, run_id=uuid.uuid4()).contacts[0].last_contact_at == NOW
    assert load(db, second, run_id=run).contacts[0].last_contact_at == NOW


def test_a_schedule_is_the_invoices_own_then_the_clients_then_the_default(db: Database) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    for version, name in ((2, "gentle"), (3, "strict")):
        change(
            db,
            "WITH made AS (INSERT INTO schedules (name, version, created_by) VALUES (:name, :version, 'x')"
            " RETURNING id)"
            " INSERT INTO schedule_steps (schedule_id, position, code, offset_days, template, tone)"
            " SELECT id, 1, 'DUE', 0, 'due', 'firm' FROM made",
            name=name,
            version=version,
        )
    assert only_invoice(db, client_id).schedule.name == "default"
    change(db, "UPDATE clients SET schedule_name = 'gentle'")
    assert (only_invoice(db, client_id).schedule.name, only_invoice(db, client_id).schedule.version) == ("gentle", 2)
    change(db, "UPDATE invoices SET schedule_name = 'strict'")
    assert only_invoice(db, client_id).schedule.name == "strict"
    change(db, "UPDATE invoices SET schedule_name = 'unheard-of'")
    found = only_invoice(db, client_id)
    assert (found.schedule.name, found.follows) == ("default", "unheard-of")


def test_a_promise_is_silent_through_its_grace_in_working_days(db: Database) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    change(
        db,
        "INSERT INTO promises (invoice_id, promised_on, amount, baseline_paid, grace_days, source, made_at)"
        " SELECT id, '2026-04-03', 1, 0, 2, 'page', now() FROM invoices",
    )
    assert only_invoice(db, client_id).promised_until == date(2026, 4, 9)  # Good Friday; then Tuesday plus two
    change(db, "UPDATE promises SET state = 'broken'")
    assert only_invoice(db, client_id).promised_until is None


def test_open_disputes_add_up_and_one_over_everything_contests_the_remainder(db: Database) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1", amount=10_000)
    insert = (
        "INSERT INTO disputes (invoice_id, amount, source, opened_at) SELECT id, :amount, 'page', now() FROM invoices"
    )
    change(db, insert, amount=1_000)
    change(db, insert, amount=2_500)
    assert (only_invoice(db, client_id).disputed, only_invoice(db, client_id).claimable) == (3_500, 6_500)
    change(db, insert, amount=None)
    assert only_invoice(db, client_id).claimable == 0
    change(db, "UPDATE disputes SET resolved_at = now()")
    assert only_invoice(db, client_id).claimable == 10_000


def test_a_claim_of_payment_counts_until_its_end(db: Database) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    change(
        db,
        "INSERT INTO payment_claims (invoice_id, claimed_at, until, source)"
        " SELECT id, now(), :until, 'page' FROM invoices",
        until=NOW + timedelta(days=3),
    )
    assert only_invoice(db, client_id).claimed_paid_until == NOW + timedelta(days=3)
    change(db, "UPDATE payment_claims SET until = :now", now=NOW)
    assert only_invoice(db, client_id).claimed_paid_until is None


def test_an_open_review_of_its_money_holds_an_invoice_until_it_is_settled(db: Database) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    change(db, "INSERT INTO reviews (invoice_id, reason, dedup_key) SELECT id, 'refund', 'k' FROM invoices")
    change(db, "UPDATE invoices SET money_state = 'refunded'")
    assert only_invoice(db, client_id).needs_review is True
    change(db, "UPDATE reviews SET resolved_at = now()")
    assert only_invoice(db, client_id).needs_review is False


@pytest.mark.parametrize(("kind", "credited"), [("credit", True), ("manual", False)])
def test_an_invoice_settled_by_credit_notes_alone_is_credited(db: Database, kind: str, credited: bool) -> None:
    client_id = make_client(db)
    invoice_id = make_invoice(db, client_id, "A-1", amount=10_000)
    change(
        db,
        "INSERT INTO reminders (invoice_id, client_id, step, schedule_version, due_at, look_at)"
        " VALUES (:invoice, :client, 'DUE', 1, :now, :now)",
        invoice=invoice_id,
        client=client_id,
        now=NOW,
    )
    with db.transaction() as session:
        record_payment(
            session,
            client_id=client_id,
            amount=10_000,
            currency="EUR",
            provider="manual",
            provider_id="1",
            kind=kind,
            occurred_at=NOW,
            targets=[{"invoice_id": invoice_id, "amount": 10_000}],
            actor="test",
            now=NOW,
        )
    assert only_invoice(db, client_id).credited is credited


def test_money_in_another_currency_is_a_mismatch(db: Database) -> None:
    client_id = make_client(db)
    invoice_id = make_invoice(db, client_id, "A-1")
    change(
        db,
        "WITH fact AS (INSERT INTO money_facts (provider, provider_id, kind, amount, currency, client_id,"
        " occurred_at, actor) VALUES ('manual', '1', 'manual', 5, 'USD', :client, now(), 'x') RETURNING id)"
        " INSERT INTO allocations SELECT id, :invoice, 5 FROM fact",
        client=client_id,
        invoice=invoice_id,
    )
    assert only_invoice(db, client_id).currency_mismatch is True


def test_the_balance_is_stale_while_an_event_waits_too_long_and_nobody_was_told(
    db: Database, settings: Settings
) -> None:
    def is_stale() -> bool:
        with db.transaction() as session:
            return load_rules(session, settings).balance_stale

    assert is_stale() is False
    change(
        db,
        "INSERT INTO stripe_events (event_id, type, payload, received_at)"
        " VALUES ('e', 't', '{}', now() - interval '20 min')",
    )
    assert is_stale() is True
    change(db, "UPDATE stripe_events SET handled_at = now(), outcome = 'parked'")
    assert is_stale() is False


def test_a_closed_invoice_comes_only_with_reminders_that_wait(db: Database) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    change(db, "UPDATE invoices SET status = 'void'")
    assert load(db, client_id).invoices == ()
    change(
        db,
        "INSERT INTO reminders (invoice_id, client_id, step, schedule_version, due_at, look_at)"
        " SELECT id, client_id, 'DUE', 1, :now, :now FROM invoices",
        now=datetime(2026, 3, 2, tzinfo=UTC),
    )
    assert only_invoice(db, client_id).status == "void"
