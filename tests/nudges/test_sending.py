"""The sending pass on real rows: each occurrence once, every silence explained."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.nudges.letter import LetterInput, WrittenLetter, write_letter
from nudgepay.nudges.switch import pause_sending, resume_sending
from nudgepay.nudges.terms import Terms, terms_of
from nudges.books import (
    MONDAY,
    Answering,
    due_clients,
    letters_in,
    make_client,
    make_invoice,
    nudge,
    outbox_of,
    plan_all,
    rows,
    send,
    states,
    value,
)


@pytest.fixture
def terms(settings: Settings) -> Terms:
    return terms_of(settings)


def test_a_due_step_becomes_one_accepted_letter(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    report = send(db, settings)
    assert (report.counts["accepted"], len(report.letters), len(report.reminders)) == (1, 1, 1)
    (letter,) = rows(db, "SELECT * FROM letters")
    assert letter.state == "accepted"
    assert (letter.sending_at, letter.accepted_at) == (MONDAY, MONDAY)
    name = f"{letter.message_id[1:].partition('@')[0]}.eml"
    assert (outbox_of(settings).directory / name).read_bytes() == bytes(letter.mime)
    assert states(db) == {"accepted": 1, "skipped": 1}
    assert value(db, "SELECT reason FROM reminders WHERE step = 'T-3'") == "superseded"


def test_the_letter_leads_to_its_own_page_and_to_the_readers_unsubscribe_page(
    db: Database, settings: Settings
) -> None:
    due_clients(db, 1)
    send(db, settings)
    (letter,) = rows(db, "SELECT l.*, k.token AS contact FROM letters l JOIN contacts k ON k.id = l.contact_id")
    mail = message_from_bytes(bytes(letter.mime), policy=default)
    body = mail.get_body(("plain",))
    assert body is not None
    assert f"{settings.base_url}/p/{letter.token}" in body.get_content()
    assert mail["List-Unsubscribe"] == f"<{settings.base_url}/u/{letter.contact}>"


def test_a_second_pass_sends_nothing_again(db: Database, settings: Settings, terms: Terms) -> None:
    due_clients(db, 3)
    without_gap = replace(terms, rules=replace(terms.rules, contact_gap_days=0))
    send(db, settings, terms=without_gap)
    again = send(db, settings, terms=without_gap)
    assert (again.counts.total(), again.letters, again.silences) == (0, set(), {})
    assert len(letters_in(outbox_of(settings).directory)) == 3


def test_passes_side_by_side_send_each_occurrence_once(db: Database, settings: Settings, terms: Terms) -> None:
    due_clients(db, 24)
    together = threading.Barrier(4)
    accepted: list[int] = []
    without_gap = replace(terms, rules=replace(terms.rules, contact_gap_days=0))

    def work() -> None:
        together.wait()
        accepted.append(send(db, settings, terms=without_gap).counts["accepted"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(accepted) == 24
    assert states(db, "letters") == {"accepted": 24}
    assert len(letters_in(outbox_of(settings).directory)) == 24


def test_two_invoices_of_one_client_go_in_one_letter_with_one_page(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1", amount=7_000)
    make_invoice(db, client_id, "A-2", amount=5_000)
    plan_all(db)
    report = send(db, settings)
    assert (len(report.letters), len(report.reminders)) == (1, 2)
    assert value(db, "SELECT amount FROM letters") == 12_000


def test_currencies_go_in_letters_of_their_own(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1", amount=7_000)
    make_invoice(db, client_id, "A-2", amount=5_000, currency="JPY")
    plan_all(db)
    send(db, settings)
    found = rows(db, "SELECT currency, amount FROM letters ORDER BY currency")
    assert [tuple(row) for row in found] == [("EUR", 7_000), ("JPY", 5_000)]


def test_a_due_step_that_has_no_row_yet_joins_the_letter(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    plan_all(db)
    make_invoice(db, client_id, "A-2")
    report = send(db, settings)
    assert len(report.reminders) == 2
    assert plan_all(db) == 1, "only the superseded step of the second invoice is new to the planner"
    assert send(db, settings).counts["accepted"] == 0


def test_a_nudge_and_a_step_of_the_same_invoice_are_one_letter(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    plan_all(db)
    nudge(db, "A-1", key="k")
    report = send(db, settings)
    assert len(report.letters) == 1
    assert [(held["step"], held["reason"]) for held in report.held()] == [("DUE", "contact_gap")]
    assert value(db, "SELECT amount FROM letters") == 10_000


def test_letters_wait_while_the_providers_word_is_not_booked(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    with db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO stripe_events (event_id, type, payload, received_at)"
                " VALUES ('evt_1', 'charge.refunded', '{}', clock_timestamp() - interval '1 hour')"
            )
        )
    assert [held["reason"] for held in send(db, settings).held()] == ["balance_stale"]
    with db.transaction() as session:
        session.execute(text("UPDATE stripe_events SET handled_at = now()"))
    assert send(db, settings, now=MONDAY + timedelta(minutes=10)).counts["accepted"] == 1


def test_a_later_letter_answers_the_earlier_ones(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    send(db, settings)
    thursday = MONDAY + timedelta(days=3)
    plan_all(db, now=thursday)
    send(db, settings, now=thursday)
    first, second = rows(db, "SELECT message_id, mime FROM letters ORDER BY sending_at")
    assert message_from_bytes(bytes(second.mime))["In-Reply-To"] == first.message_id


def test_a_hold_says_why_and_until_when_and_is_looked_at_then(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    evening = MONDAY.replace(hour=20)
    report = send(db, settings, now=evening)
    (held,) = report.held()
    morning = (MONDAY + timedelta(days=1)).replace(hour=8)
    assert (held["step"], held["reason"], held["until"]) == ("DUE", "outside_window", morning)
    (row,) = rows(db, "SELECT * FROM reminders WHERE step = 'DUE'")
    assert (row.state, row.held_reason, row.held_until, row.look_at) == (
        "planned",
        "outside_window",
        morning,
        morning,
    )
    assert send(db, settings, now=morning - timedelta(minutes=1)).counts.total() == 0
    assert send(db, settings, now=morning).counts["accepted"] == 1


def test_a_manual_nudge_at_four_holds_the_step_of_nine_next_day_until_the_gap_is_over(
    db: Database, settings: Settings
) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1", due_on=date(2026, 3, 3))
    afternoon = MONDAY.replace(hour=15)
    nudge(db, "A-1", key="k", now=afternoon)
    assert send(db, settings, now=afternoon).counts["accepted"] == 1
    tuesday = MONDAY + timedelta(days=1)
    plan_all(db, now=tuesday)
    (held,) = send(db, settings, now=tuesday).held()
    wednesday = (MONDAY + timedelta(days=2)).replace(hour=8)
    assert (held["step"], held["reason"], held["until"]) == ("DUE", "contact_gap", wednesday)
    assert send(db, settings, now=wednesday).counts["accepted"] == 1
    assert len(letters_in(outbox_of(settings).directory)) == 2


def test_a_nudge_with_the_same_key_is_one_nudge(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    assert nudge(db, "A-1", key="k") == nudge(db, "A-1", key="k")
    send(db, settings)
    nudge(db, "A-1", key="k")
    assert send(db, settings).counts.total() == 0


def test_an_overridden_gap_is_recorded_with_the_person(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    send(db, settings)
    nudge(db, "A-0", key="waits")
    (held,) = send(db, settings).held()
    assert held["reason"] == "contact_gap"
    nudge(db, "A-0", key="urgent", override_gap=True)
    assert send(db, settings).counts["accepted"] == 1
    assert value(db, "SELECT gap_overridden_by FROM reminders WHERE nudge_key = 'urgent'") == "test"
    audited = rows(db, "SELECT after FROM audit_events WHERE action = 'nudge.request' ORDER BY id")
    assert [row.after["gap_overridden"] for row in audited] == [False, True]


def test_nothing_leaves_while_sending_is_paused_and_all_of_it_afterwards(db: Database, settings: Settings) -> None:
    due_clients(db, 3)
    with db.transaction() as session:
        pause_sending(session, reason="look first", environment="test", actor="test")
    report = send(db, settings)
    assert {held["reason"] for held in report.held()} == {"sending_paused"}
    assert letters_in(outbox_of(settings).directory) == []
    with db.transaction() as session:
        assert resume_sending(session, environment="test", actor="test") == 3
    assert send(db, settings).counts["accepted"] == 3


def test_sending_stops_at_the_next_look_when_it_is_paused_in_the_middle(db: Database, settings: Settings) -> None:
    due_clients(db, 12)
    moments: list[str] = []

    def watch(moment: str) -> None:
        moments.append(moment)
        if moments.count("settled") == 1 and moment == "settled":
            with db.transaction() as session:
                pause_sending(session, reason="stop", environment="test", actor="test")

    report = send(db, settings, watch=watch)
    assert 1 <= report.counts["accepted"] <= 4, "at most what the first look had allowed"
    assert len(report.held()) == 12 - report.counts["accepted"]


def test_one_poisoned_record_is_reported_and_all_others_are_sent(
    db: Database, settings: Settings, terms: Terms, figures: Callable[..., None]
) -> None:
    due_clients(db, 40)

    def write(letter: LetterInput) -> WrittenLetter:
        if letter.lines[0].number == "A-17":
            raise KeyError("a bug in the writer")
        return write_letter(letter)

    report = send(db, settings, terms=replace(terms, write=write))
    figures("poisoned record", n=40, sent=report.counts["accepted"], reported=report.counts["poisoned"])
    assert (report.counts["accepted"], report.counts["poisoned"]) == (39, 1)
    assert [(held["invoice"], held["reason"]) for held in report.held()] == [("A-17", "template_error")]
    (notice,) = rows(db, "SELECT kind, details FROM notices")
    assert (notice.kind, notice.details["error"]) == ("letter.poisoned", "KeyError")
    assert send(db, settings, now=MONDAY + timedelta(days=1)).counts["accepted"] == 1, "it goes when it is repaired"
    assert value(db, "SELECT count(*) FROM notices WHERE resolved_at IS NULL") == 0
    assert len(letters_in(outbox_of(settings).directory)) == 40


@pytest.mark.parametrize("trouble", [MemoryError(), OSError(12, "Cannot allocate memory")])
def test_trouble_of_this_machine_blames_no_record_and_passes_in_a_minute(
    db: Database, settings: Settings, terms: Terms, trouble: Exception
) -> None:
    due_clients(db, 3)

    def write(letter: LetterInput) -> WrittenLetter:
        raise trouble

    report = send(db, settings, terms=replace(terms, write=write))
    assert (report.counts["accepted"], report.counts["poisoned"], report.held()) == (0, 0, [])
    assert value(db, "SELECT count(*) FROM notices") == 0
    assert send(db, settings, now=MONDAY + timedelta(minutes=1)).counts["accepted"] == 3


def test_a_client_that_cannot_even_be_read_stops_nobody_else(db: Database, settings: Settings) -> None:
    ids = due_clients(db, 12)
    with db.transaction() as session:
        session.execute(text("UPDATE clients SET timezone = 'Nowhere/Land' WHERE id = :id"), {"id": ids[5]})
        session.execute(text("UPDATE contacts SET timezone = NULL"))
    report = send(db, settings)
    assert (report.counts["accepted"], report.counts["poisoned"]) == (11, 1)
    assert states(db)["accepted"] == 11
    assert value(db, "SELECT count(*) FROM reminders WHERE held_reason = 'template_error'") >= 1


def test_a_contact_without_a_usable_address_is_held_as_without_recipient(db: Database, settings: Settings) -> None:
    due_clients(db, 2)
    with db.transaction() as session:
        session.execute(text("UPDATE contacts SET email = 'a@x.example,b@y.example' WHERE id = 1"))
    report = send(db, settings)
    assert report.counts["accepted"] == 1
    assert [held["reason"] for held in report.held()] == ["no_recipient"]


def test_the_clock_set_back_an_hour_or_a_zone_changed_repeats_nothing_and_loses_nothing(
    db: Database, settings: Settings
) -> None:
    ids = due_clients(db, 2)
    for now in (MONDAY, MONDAY - timedelta(hours=1), MONDAY, MONDAY - timedelta(days=2)):
        plan_all(db, now=now)
        send(db, settings, now=now)
    with db.transaction() as session:
        session.execute(text("UPDATE clients SET timezone = 'America/New_York' WHERE id = :id"), {"id": ids[0]})
        session.execute(text("UPDATE invoices SET next_at = :now"), {"now": MONDAY})
    for hours in range(0, 24 * 15):
        now = MONDAY + timedelta(hours=hours)
        plan_all(db, now=now)
        send(db, settings, now=now)
    sent = rows(
        db,
        "SELECT i.number, array_agg(r.step ORDER BY l.sending_at) AS steps FROM letters l"
        " JOIN reminders r ON r.letter_id = l.id JOIN invoices i ON i.id = r.invoice_id GROUP BY i.number ORDER BY 1",
    )
    assert [tuple(row) for row in sent] == [("A-0", ["DUE", "+3", "+7"]), ("A-1", ["DUE", "+3", "+7"])]


def test_manual_nudges_go_first(db: Database, settings: Settings) -> None:
    due_clients(db, 8)
    client_id = make_client(db, "urgent")
    make_invoice(db, client_id, "U-1", due_on=date(2026, 4, 1))
    nudge(db, "U-1", key="k")
    transport = Answering(outbox_of(settings))
    send(db, settings, transport=transport)
    first = transport.tried[0]
    assert value(db, "SELECT client_id FROM letters WHERE message_id = :name", name=first) == client_id
