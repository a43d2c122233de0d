"""Letters in doubt: settled by the other side's own record, or by a person, and never by guessing."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.errors import NotFound, UsageError
from nudgepay.gateways.mail import Finding, NoReceipts, OutcomeUnknown, PermanentRefusal, TemporaryRefusal
from nudgepay.nudges.reconcile import Reconciled, run_reconcile
from nudgepay.nudges.unknowns import (
    NotInDoubt,
    letter_id_of,
    list_unknown,
    mark_accepted,
    order_resend,
    retry_failed,
)
from nudges.books import (
    MONDAY,
    Answering,
    due_clients,
    letters_in,
    outbox_of,
    pay,
    rows,
    send,
    states,
    value,
)


class Record:
    """A record of acceptance that says what the test tells it."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        self.asked: list[str] = []

    def find(self, message_id: str, *, since: datetime) -> Finding:
        self.asked.append(message_id)
        return self.finding


def doubtful(db: Database, settings: Settings, count: int = 1) -> Answering:
    due_clients(db, count)
    transport = Answering(outbox_of(settings), *[OutcomeUnknown("lost")] * count)
    assert send(db, settings, transport=transport).counts["unknown"] == count
    return transport


def reconcile(db: Database, receipts: Any, *, grace: float = 0) -> Reconciled:
    return run_reconcile(db, receipts=receipts, now=MONDAY, grace_seconds=grace)


def end_lease(db: Database) -> None:
    with db.transaction() as session:
        session.execute(text("UPDATE letters SET lease_until = clock_timestamp() - interval '1 s'"))


def test_a_letter_that_the_record_shows_is_accepted(db: Database, settings: Settings) -> None:
    doubtful(db, settings)
    at = datetime(2026, 3, 2, 9, 0, 3, tzinfo=UTC)
    record = Record(Finding("accepted", at=at, source="relay"))
    assert reconcile(db, record, grace=900) == Reconciled(accepted=1)
    (letter,) = rows(db, "SELECT * FROM letters")
    assert record.asked == [letter.message_id]
    assert (letter.state, letter.accepted_at) == ("accepted", at)
    assert states(db)["accepted"] == 1
    assert value(db, "SELECT count(*) FROM notices WHERE resolved_at IS NULL") == 0
    assert value(db, "SELECT actor FROM audit_events WHERE action = 'letter.confirm'") == "job:reconcile"


def test_a_letter_that_the_record_lacks_goes_again_under_the_same_message_id_once_its_lease_is_long_over(
    db: Database, settings: Settings
) -> None:
    transport = doubtful(db, settings)
    absent = Record(Finding("absent", source="relay"))
    assert reconcile(db, absent) == Reconciled(still_unknown=1), "its lease still runs"
    end_lease(db)
    assert reconcile(db, absent, grace=60) == Reconciled(still_unknown=1), "the grace still runs"
    assert reconcile(db, absent) == Reconciled(planned_again=1)
    assert send(db, settings, transport=transport).counts["accepted"] == 1
    assert len(transport.tried) == 2
    assert len(set(transport.tried)) == 1
    assert states(db, "letters") == {"accepted": 1}


def test_a_record_that_cannot_tell_leaves_it_to_a_person(db: Database, settings: Settings) -> None:
    doubtful(db, settings)
    end_lease(db)
    assert reconcile(db, NoReceipts()) == Reconciled(still_unknown=1)
    assert states(db, "letters") == {"unknown": 1}


def test_the_outbox_is_its_own_record(db: Database, settings: Settings) -> None:
    outbox = outbox_of(settings)
    due_clients(db, 2)

    class ForgetsToAnswer(Answering):
        def deliver(self, envelope: Any, *, may_begin: Any) -> Any:
            if not self.tried:
                self.outbox.deliver(envelope, may_begin=may_begin)
            self.tried.append(envelope.message_id)
            raise OutcomeUnknown("the answer was lost")

    send(db, settings, transport=ForgetsToAnswer(outbox))
    end_lease(db)
    assert reconcile(db, outbox) == Reconciled(accepted=1, planned_again=1)
    send(db, settings)
    assert states(db, "letters") == {"accepted": 2}
    assert len(letters_in(outbox.directory)) == 2


def test_what_was_paid_while_in_doubt_is_not_sent_when_it_turns_out_absent(db: Database, settings: Settings) -> None:
    doubtful(db, settings)
    pay(db, value(db, "SELECT client_id FROM letters"))
    end_lease(db)
    reconcile(db, Record(Finding("absent")))
    assert [one["reason"] for one in send(db, settings).skipped()] == ["paid"]
    assert letters_in(outbox_of(settings).directory) == []


def test_the_list_names_every_letter_in_doubt(db: Database, settings: Settings) -> None:
    doubtful(db, settings)
    with db.transaction() as session:
        (one,) = list_unknown(session)
    (letter,) = rows(db, "SELECT * FROM letters")
    assert one == {
        "letter_id": str(letter.id),
        "message_id": letter.message_id,
        "to": "client0@client.example",
        "since": MONDAY,
        "invoices": ["A-0"],
    }


def test_a_persons_word_that_it_was_sent_ends_the_doubt_and_wakes_the_client(
    db: Database, settings: Settings
) -> None:
    doubtful(db, settings)
    letter_id = value(db, "SELECT id FROM letters")
    with db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO reminders (invoice_id, client_id, step, schedule_version, due_at, look_at, held_reason)"
                " SELECT invoice_id, client_id, '+3', 1, due_at, :later, 'letter_unknown' FROM reminders LIMIT 1"
            ),
            {"later": MONDAY + timedelta(days=1)},
        )
        mark_accepted(session, letter_id, accepted_at=MONDAY, now=MONDAY, actor="cli:ada", source="a person")
    assert states(db, "letters") == {"accepted": 1}
    assert value(db, "SELECT look_at FROM reminders WHERE step = '+3'") == MONDAY
    assert value(db, "SELECT actor FROM audit_events WHERE action = 'letter.confirm'") == "cli:ada"


def test_a_persons_order_to_resend_is_a_new_message_and_is_audited(db: Database, settings: Settings) -> None:
    transport = doubtful(db, settings)
    letter_id = value(db, "SELECT id FROM letters")
    with db.transaction() as session:
        order_resend(session, letter_id, now=MONDAY, actor="cli:ada")
    send(db, settings, transport=transport)
    first, second = transport.tried
    assert second == first.replace(".1@", ".2@")
    (letter,) = rows(db, "SELECT * FROM letters")
    assert (letter.id, letter.state, letter.n, letter.message_id) == (letter_id, "accepted", 2, second)
    assert second.encode() in bytes(letter.mime)
    assert value(db, "SELECT after FROM audit_events WHERE action = 'letter.resend'") == {"n": 2}


def test_only_a_letter_in_doubt_can_be_settled_and_only_once(db: Database, settings: Settings) -> None:
    doubtful(db, settings)
    letter_id = value(db, "SELECT id FROM letters")
    with db.transaction() as session:
        mark_accepted(session, letter_id, accepted_at=MONDAY, now=MONDAY, actor="test", source="a person")
    with pytest.raises(NotInDoubt), db.transaction() as session:
        order_resend(session, letter_id, now=MONDAY, actor="test")
    with pytest.raises(NotFound), db.transaction() as session:
        order_resend(session, uuid.uuid4(), now=MONDAY, actor="test")


def test_a_failed_letter_is_tried_exactly_once_for_each_order_to_retry(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    transport = Answering(
        outbox_of(settings),
        PermanentRefusal("554 to message", code=554),
        PermanentRefusal("554 to message", code=554),
    )
    send(db, settings, transport=transport)
    for expected in (2, 3):
        letter_id = value(db, "SELECT id FROM letters WHERE state = 'failed'")
        with db.transaction() as session:
            retry_failed(session, letter_id, now=MONDAY, actor="cli:ada")
        for _ in range(3):
            send(db, settings, transport=transport)
        assert len(transport.tried) == expected
    assert len(set(transport.tried)) == 1
    assert states(db, "letters") == {"accepted": 1}


def test_after_the_last_attempt_an_order_to_retry_is_one_attempt_more(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    with db.transaction() as session:
        session.execute(text("UPDATE reminders SET attempts = 7"))
    transport = Answering(outbox_of(settings), *[TemporaryRefusal("later", code=451)] * 9)
    send(db, settings, transport=transport)
    assert states(db, "letters") == {"failed": 1}
    with db.transaction() as session:
        retry_failed(session, value(db, "SELECT id FROM letters"), now=MONDAY, actor="cli:ada")
    send(db, settings, transport=transport)
    assert states(db, "letters") == {"failed": 1}
    assert len(transport.tried) == 2


def test_a_letter_is_named_by_its_id_or_its_message_id() -> None:
    letter = uuid.uuid4()
    assert letter_id_of(str(letter)) == letter
    assert letter_id_of(f"<np.{letter.hex}.2@atelier.example>") == letter
    with pytest.raises(UsageError):
        letter_id_of("A-1")
