"""What the other side said, and what becomes of the letter: refused, put back, failed, in doubt."""

from dataclasses import replace
from datetime import date, timedelta

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.gateways.mail import (
    OutcomeUnknown,
    PermanentRefusal,
    SenderNotReady,
    TemporaryRefusal,
)
from nudgepay.invoices.actions import add_contact
from nudgepay.nudges.letter import write_letter
from nudgepay.nudges.sending import run_sending
from nudgepay.nudges.terms import terms_of
from nudges.books import (
    MONDAY,
    Answering,
    due_clients,
    make_client,
    make_invoice,
    nudge,
    outbox_of,
    pay,
    plan_all,
    rows,
    send,
    states,
    value,
)


def test_a_temporary_refusal_is_tried_again_under_the_same_message_id(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    transport = Answering(
        outbox_of(settings), TemporaryRefusal("later", code=451), TemporaryRefusal("later", code=450)
    )
    report = send(db, settings, transport=transport)
    assert (report.counts["planned"], report.held()[0]["reason"]) == (1, "sender_not_ready")
    assert send(db, settings, transport=transport).counts.total() == 0, "not before its time"
    send(db, settings, transport=transport, now=MONDAY + timedelta(minutes=5))
    final = send(db, settings, transport=transport, now=MONDAY + timedelta(minutes=15))
    assert final.counts["accepted"] == 1
    assert len(transport.tried) == 3
    assert len(set(transport.tried)) == 1
    assert states(db, "letters") == {"accepted": 1}
    assert value(db, "SELECT attempts FROM reminders WHERE state = 'accepted'") == 2


def test_a_letter_refused_eight_times_has_failed_is_listed_and_told(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    transport = Answering(outbox_of(settings), *[TemporaryRefusal("later", code=451)] * 20)
    now = MONDAY
    for _ in range(40):
        now = value(db, "SELECT max(look_at) FROM reminders WHERE state = 'planned'") or now
        now = max(now, MONDAY)
        run_sending(db, transport=transport, terms=replace(terms_of(settings), write=write_letter), now=now)
        if states(db).get("failed"):
            break
    assert len(transport.tried) == 8
    assert states(db, "letters") == {"failed": 1}
    assert value(db, "SELECT count(*) FROM notices WHERE kind = 'letter.failed'") == 1


def test_what_was_paid_between_two_tries_is_not_tried_again(db: Database, settings: Settings) -> None:
    (client_id,) = due_clients(db, 1)
    transport = Answering(outbox_of(settings), TemporaryRefusal("later", code=451))
    send(db, settings, transport=transport)
    pay(db, client_id)
    later = send(db, settings, transport=transport, now=MONDAY + timedelta(minutes=5))
    assert [one["reason"] for one in later.skipped()] == ["paid"]
    assert states(db, "letters") == {"cancelled": 1}
    assert len(transport.tried) == 1


def test_what_was_paid_in_part_between_two_tries_claims_the_remainder(db: Database, settings: Settings) -> None:
    (client_id,) = due_clients(db, 1)
    transport = Answering(outbox_of(settings), TemporaryRefusal("later", code=451))
    send(db, settings, transport=transport)
    pay(db, client_id, 4_000)
    later = MONDAY + timedelta(minutes=5)
    assert send(db, settings, transport=transport, now=later).counts["accepted"] == 1
    assert value(db, "SELECT amount FROM letters") == 6_000
    assert b"60.00" in bytes(value(db, "SELECT mime FROM letters"))


def test_a_relay_that_cannot_be_used_holds_everything_that_is_due_and_fails_nothing(
    db: Database, settings: Settings
) -> None:
    due_clients(db, 10)
    transport = Answering(outbox_of(settings), SenderNotReady("relay down"))
    report = send(db, settings, transport=transport)
    assert report.counts["accepted"] == 0
    assert len(transport.tried) == 1, "the others are not even tried"
    assert {held["reason"] for held in report.held()} == {"sender_not_ready"}
    assert value(db, "SELECT count(*) FROM reminders WHERE state = 'planned' AND held_reason IS NULL") == 0
    assert value(db, "SELECT kind FROM notices WHERE resolved_at IS NULL") == "sender.not_ready"
    assert send(db, settings, transport=transport, now=MONDAY + timedelta(minutes=2)).counts["accepted"] == 10
    assert value(db, "SELECT count(*) FROM notices WHERE resolved_at IS NULL") == 0


def test_a_missing_mailbox_blocks_the_address_and_is_told(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    transport = Answering(outbox_of(settings), PermanentRefusal("550 to RCPT", code=550, bad_address=True))
    report = send(db, settings, transport=transport)
    assert report.counts["failed"] == 1
    assert states(db)["failed"] == 1
    assert value(db, "SELECT address FROM suppressions WHERE reason = 'bounced'") == "client0@client.example"
    kinds = {row.kind for row in rows(db, "SELECT kind FROM notices")}
    assert kinds == {"contact.bounced", "letter.failed"}
    nudge(db, "A-0", key="again", override_gap=True)
    assert [held["reason"] for held in send(db, settings, transport=transport).held()] == ["contact_bounced"]


def test_another_contact_still_gets_what_the_bounced_one_did_not(db: Database, settings: Settings) -> None:
    (client_id,) = due_clients(db, 1)
    with db.transaction() as session:
        add_contact(
            session, client_id=client_id, name="Bob", email="bob@client.example", role="approver", actor="test"
        )
    transport = Answering(outbox_of(settings), PermanentRefusal("550 to RCPT", code=550, bad_address=True))
    send(db, settings, transport=transport)
    letters = rows(db, "SELECT to_address, state FROM letters ORDER BY created_at")
    assert [tuple(row) for row in letters] == [
        ("client0@client.example", "failed"),
        ("bob@client.example", "accepted"),
    ]


def test_a_refusal_of_the_text_fails_the_letter_and_blocks_nobody(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    transport = Answering(outbox_of(settings), PermanentRefusal("554 to message", code=554))
    send(db, settings, transport=transport)
    assert states(db)["failed"] == 1
    assert value(db, "SELECT count(*) FROM suppressions") == 0


def test_a_letter_in_doubt_is_unknown_told_and_silences_its_client(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    make_invoice(db, client_id, "A-2", due_on=date(2026, 3, 5))
    plan_all(db)
    transport = Answering(outbox_of(settings), OutcomeUnknown("lost after DATA"))
    assert send(db, settings, transport=transport).counts["unknown"] == 1
    assert value(db, "SELECT kind FROM notices") == "letter.unknown"
    for days in (3, 10, 30):
        later = MONDAY + timedelta(days=days)
        plan_all(db, now=later)
        report = send(db, settings, transport=transport, now=later)
        assert {held["reason"] for held in report.held()} == {"letter_unknown"}
    assert len(transport.tried) == 1


def test_a_transport_that_breaks_its_word_leaves_doubt_and_never_repeats(db: Database, settings: Settings) -> None:
    due_clients(db, 2)
    transport = Answering(outbox_of(settings), ZeroDivisionError("a bug"))
    report = send(db, settings, transport=transport)
    assert (report.counts["unknown"], report.counts["accepted"]) == (1, 1)
    assert send(db, settings, transport=transport).counts.total() == 0
