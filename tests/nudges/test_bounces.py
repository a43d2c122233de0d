"""A letter's fate: a mailbox that does not exist gets nothing more, another contact hears instead, and people know."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.gateways.mail import DeliveryReport, Fate
from nudgepay.nudges.bounces import record_report
from nudges.books import MONDAY, due_clients, rows, send, states, value


def report(db: Database, fate: Fate = "bounced", status: str = "5.1.1", **changes: object) -> str:
    given = {"message_id": value(db, "SELECT message_id FROM letters ORDER BY sending_at LIMIT 1"), "status": status}
    with db.transaction() as session:
        return record_report(
            session, DeliveryReport(fate=fate, source="test", **(given | changes)), now=MONDAY, actor="t"
        )


def add_contact(db: Database, email: str) -> None:
    with db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO contacts (client_id, name, email, role, token)"
                " SELECT client_id, 'Ben', :email, 'approver', 'token-of-ben-0000000001' FROM contacts"
            ),
            {"email": email},
        )


def notices(db: Database) -> list[str]:
    return sorted(row.kind for row in rows(db, "SELECT kind FROM notices WHERE resolved_at IS NULL"))


@pytest.fixture
def sent(db: Database, settings: Settings) -> Settings:
    due_clients(db, 1)
    send(db, settings)
    assert states(db, "letters") == {"accepted": 1}
    return settings


def test_a_hard_bounce_ends_mail_to_the_address_and_tells_a_person(db: Database, sent: Settings) -> None:
    assert report(db, recipient="CLIENT0@client.example") == "bounced"
    assert (states(db, "letters"), states(db)["bounced"]) == ({"bounced": 1}, 1)
    assert notices(db) == ["contact.bounced"]
    later = send(db, sent, now=MONDAY + timedelta(days=10))
    assert later.counts["accepted"] == 0
    assert value(db, "SELECT count(*) FROM suppressions WHERE reason = 'bounced' AND lifted_at IS NULL") == 1


def test_another_contact_of_the_client_gets_the_letter_instead(db: Database, sent: Settings) -> None:
    add_contact(db, "ben@client.example")
    assert report(db) == "bounced"
    assert send(db, sent, now=MONDAY + timedelta(hours=1)).counts["accepted"] == 1
    assert [row.to_address for row in rows(db, "SELECT to_address FROM letters ORDER BY sending_at")] == [
        "client0@client.example",
        "ben@client.example",
    ]
    assert states(db)["accepted"] == 1


def test_a_full_mailbox_blocks_nobody_and_is_told(db: Database, sent: Settings) -> None:
    assert report(db, status="5.2.2") == "bounced"
    assert value(db, "SELECT count(*) FROM suppressions") == 0
    assert notices(db) == ["letter.bounced"]


def test_a_complaint_ends_mail_to_the_address(db: Database, sent: Settings) -> None:
    assert report(db, "complained") == "complained"
    assert notices(db) == ["contact.complained"]
    assert states(db, "letters") == {"complained": 1}


def test_a_report_that_comes_again_changes_nothing(db: Database, sent: Settings) -> None:
    assert [report(db), report(db)] == ["bounced", "repeated"]
    assert value(db, "SELECT count(*) FROM audit_events WHERE action = 'letter.bounced'") == 1


def test_a_bounce_after_a_delivery_has_the_last_word_and_a_delivery_after_it_none(
    db: Database, sent: Settings
) -> None:
    assert [report(db, "delivered", "2.0.0"), report(db), report(db, "delivered", "2.0.0")] == [
        "delivered",
        "bounced",
        "repeated",
    ]
    assert states(db, "letters") == {"bounced": 1}


def test_a_letter_in_doubt_that_anybody_reports_on_was_taken(db: Database, sent: Settings) -> None:
    with db.transaction() as session:
        session.execute(text("UPDATE letters SET state = 'unknown'"))
        session.execute(text("UPDATE reminders SET state = 'unknown' WHERE state = 'accepted'"))
    assert report(db, "delivered", "2.0.0") == "delivered"
    assert states(db)["delivered"] == 1


@pytest.mark.parametrize(
    "told", [datetime(9999, 12, 31, 23, 59, tzinfo=UTC), MONDAY + timedelta(days=400), datetime(1, 1, 1, tzinfo=UTC)]
)
def test_an_acceptance_is_never_in_the_future_or_before_its_letter(
    db: Database, sent: Settings, told: datetime
) -> None:
    with db.transaction() as session:
        session.execute(text("UPDATE letters SET state = 'unknown'"))
        session.execute(text("UPDATE reminders SET state = 'unknown' WHERE state = 'accepted'"))
    assert report(db, "delivered", "2.0.0", at=told) == "delivered"
    assert value(db, "SELECT accepted_at FROM letters") == MONDAY


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({"recipient": "somebody@else.example"}, "other_recipient"),
        ({"message_id": "<np.00000000-0000-0000-0000-000000000000.1@atelier.example>"}, "unknown_letter"),
        ({"message_id": "<4711@other.example>"}, "unknown_letter"),
    ],
)
def test_a_report_of_another_letter_or_address_changes_nothing(
    db: Database, sent: Settings, changes: dict[str, str], taken: str
) -> None:
    assert report(db, **changes) == taken
    assert states(db, "letters") == {"accepted": 1}
    assert value(db, "SELECT count(*) FROM suppressions") == 0
