"""A whole pass, its run row, and the lock that keeps a pass by hand alone."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.errors import Busy
from nudgepay.nudges.manual import preview_nudge
from nudgepay.nudges.passes import PASS_LOCK, run_pass
from nudgepay.nudges.rehearsal import rehearse_pass
from nudgepay.nudges.reviews import NotWaiting, approve_review, waiting_reviews
from nudgepay.nudges.switch import ensure_switch, is_paused, resume_sending
from nudgepay.nudges.terms import terms_of
from nudges.books import (
    MONDAY,
    letters_in,
    make_client,
    make_invoice,
    outbox_of,
    pay,
    plan_all,
    rows,
    send,
    states,
    value,
)


def one_pass(db: Database, settings: Settings, **changes: Any) -> Any:
    outbox = outbox_of(settings)
    given: dict[str, Any] = {
        "transport": outbox,
        "receipts": outbox,
        "terms": terms_of(settings),
        "environment": "test",
        "now": MONDAY,
        "actor": "test",
    }
    return run_pass(db, **(given | changes))


def test_a_pass_plans_and_sends_and_is_written_down(db: Database, settings: Settings) -> None:
    make_invoice(db, make_client(db), "A-1")
    document = one_pass(db, settings).as_document()
    assert (document["planned"], document["letters"], document["accepted"]) == (2, 1, 1)
    assert document["skipped"] == [{"invoice": "A-1", "step": "T-3", "reason": "superseded"}]
    (run,) = rows(db, "SELECT * FROM runs")
    assert (str(run.id), run.now) == (document["run_id"], MONDAY)
    assert run.ended_at >= run.started_at
    assert run.counts["accepted"] == 1
    assert run.counts["skipped"] == {"superseded": 1}
    assert value(db, "SELECT run_id FROM letters") == run.id


def test_after_eight_days_down_each_claim_gets_one_letter_and_a_paid_one_none(
    db: Database, settings: Settings, figures: Callable[..., None]
) -> None:
    due = [MONDAY.date() + timedelta(days=offset) for offset in range(8)]
    clients = [make_client(db, f"client{index}") for index in range(24)]
    for index, client_id in enumerate(clients):
        make_invoice(db, client_id, f"A-{index}", due_on=due[index % 8])
    plan_all(db)
    paid = clients[::4]
    for client_id in paid:
        pay(db, client_id)
    later = MONDAY + timedelta(days=8)
    one_pass(db, settings, now=later)
    one_pass(db, settings, now=later + timedelta(minutes=1))
    letters = [row.client_id for row in rows(db, "SELECT client_id FROM letters WHERE state = 'accepted'")]
    claimed = set(clients) - set(paid)
    figures("eight days down", n=len(claimed), lost=len(claimed - set(letters)), duplicate=len(letters) - len(set(letters)),
            unexpected=len(set(letters) - claimed), unknown=states(db, "letters").get("unknown", 0))  # fmt: skip
    assert sorted(letters) == sorted(claimed)
    steps = {
        (row.due_on, row.step)
        for row in rows(
            db,
            "SELECT i.due_on, r.step FROM reminders r JOIN invoices i ON i.id = r.invoice_id WHERE r.state = 'accepted'",
        )
    }
    fits = {
        day: "+7" if (later.date() - day).days >= 7 else "+3" if (later.date() - day).days >= 3 else "DUE"
        for day in due
    }
    assert steps == {(due[index % 8], fits[due[index % 8]]) for index in range(24) if index % 4}


def test_a_first_start_in_production_sends_nothing_until_a_person_has_resumed_it(
    db: Database, settings: Settings
) -> None:
    make_invoice(db, make_client(db), "A-1")
    document = one_pass(db, settings, environment="production").as_document()
    assert [held["reason"] for held in document["held"]] == ["sending_paused"]
    with db.transaction() as session:
        assert is_paused(session)
        resume_sending(session, environment="production", actor="cli:ada")
        ensure_switch(session, environment="production", actor="test")
        assert not is_paused(session)
    assert one_pass(db, settings, environment="production").as_document()["accepted"] == 1


def test_a_pass_recovers_what_a_killed_one_left_behind(db: Database, settings: Settings) -> None:
    class Killed(BaseException):
        pass

    def watch(moment: str) -> None:
        if moment == "delivered":
            raise Killed

    make_invoice(db, make_client(db), "A-1")
    plan_all(db)
    with pytest.raises(Killed):
        send(db, settings, watch=watch)
    with db.transaction() as session:
        session.execute(text("UPDATE reminders SET lease_until = clock_timestamp() - interval '1 h'"))
        session.execute(text("UPDATE letters SET lease_until = clock_timestamp() - interval '1 h'"))
    assert one_pass(db, settings).as_document()["accepted"] == 0
    assert states(db, "letters") == {"accepted": 1}, "the outbox shows that it was taken"
    assert len(letters_in(outbox_of(settings).directory)) == 1


def test_planning_only_sends_nothing(db: Database, settings: Settings) -> None:
    make_invoice(db, make_client(db), "A-1")
    document = one_pass(db, settings, plan_only=True).as_document()
    assert (document["planned"], document["letters"]) == (2, 0)
    assert states(db) == {"planned": 2}


def test_a_pass_that_must_be_alone_is_refused_while_another_runs(db: Database, settings: Settings) -> None:
    with db.advisory_lock(PASS_LOCK, shared=True, wait_seconds=0) as held:
        assert held
        with pytest.raises(Busy):
            one_pass(db, settings, alone=True)
        assert one_pass(db, settings).as_document()["accepted"] == 0, "workers share"
    assert one_pass(db, settings, alone=True).run_id is not None


def test_a_pass_that_must_be_alone_waits_for_the_others_to_end(db: Database, settings: Settings) -> None:
    holding, end = threading.Event(), threading.Event()

    def hold() -> None:
        with db.advisory_lock(PASS_LOCK, shared=True, wait_seconds=0):
            holding.set()
            end.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    assert holding.wait(10)
    threading.Timer(0.2, end.set).start()
    assert one_pass(db, settings, alone=True, wait_seconds=10).run_id is not None
    other.join()


def test_a_rehearsal_says_what_a_pass_would_do_and_changes_nothing(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    make_invoice(db, client_id, "A-2", amount=5_000)
    before = rows(db, "SELECT id, next_at, version FROM invoices ORDER BY id")
    with db.transaction() as session:
        said = rehearse_pass(session, terms=terms_of(settings), now=MONDAY)
    assert rows(db, "SELECT id, next_at, version FROM invoices ORDER BY id") == before
    assert states(db) == {}
    done = one_pass(db, settings).as_document()
    for part in ("letters", "reminders", "held"):
        assert said[part] == done[part]
    assert sorted(map(str, said["skipped"])) == sorted(map(str, done["skipped"]))


def test_a_preview_shows_the_letter_of_a_nudge_or_why_it_would_wait(db: Database, settings: Settings) -> None:
    from nudgepay.invoices.queries import invoice_by_number

    make_invoice(db, make_client(db), "A-1")
    terms = terms_of(settings)
    with db.transaction() as session:
        invoice = invoice_by_number(session, "A-1")
        shown = preview_nudge(session, invoice, override_gap=False, terms=terms, now=MONDAY)
    assert shown.decision.action == "send"
    assert shown.to == "ada@client.example"
    assert shown.text is not None
    assert "A-1" in shown.text
    assert states(db) == {}
    one_pass(db, settings)
    with db.transaction() as session:
        later = preview_nudge(session, invoice, override_gap=False, terms=terms, now=MONDAY)
    assert (later.decision.reason, later.text) == ("contact_gap", None)


def test_a_step_for_review_waits_for_its_reader(db: Database, settings: Settings) -> None:
    with db.transaction() as session:
        session.execute(text("UPDATE schedule_steps SET review = true WHERE code = 'DUE'"))
    make_invoice(db, make_client(db), "A-1")
    assert [held["reason"] for held in one_pass(db, settings).sending.held()] == ["review"]
    with db.transaction() as session:
        (waiting,) = waiting_reviews(session, terms=terms_of(settings), now=MONDAY)
        assert "A-1" in (waiting["text"] or "")
        approve_review(session, waiting["reminder_id"], now=MONDAY, actor="cli:ada")
    with pytest.raises(NotWaiting), db.transaction() as session:
        approve_review(session, waiting["reminder_id"], now=MONDAY, actor="cli:ada")
    assert one_pass(db, settings).as_document()["accepted"] == 1
    assert value(db, "SELECT reviewed_by FROM reminders WHERE state = 'accepted'") == "cli:ada"
    assert value(db, "SELECT actor FROM audit_events WHERE action = 'reminder.approve'") == "cli:ada"
