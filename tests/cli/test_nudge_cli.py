"""The commands around letters, run in this process: shapes, exit codes, one JSON document."""

import json

import pytest

from cli.conftest import Command
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.errors import Busy, Refused, UsageError
from nudgepay.gateways.mail import OutcomeUnknown
from nudgepay.nudges.passes import PASS_LOCK
from nudges.books import MONDAY, Answering, due_clients, make_client, make_invoice, outbox_of, send, states, value

AT = "2026-03-02T09:00:00Z"


def test_a_run_tells_what_it_did_in_one_document(db: Database, command: Command) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    make_invoice(db, make_client(db, "bob", timezone="America/New_York"), "B-1")
    told = json.loads(command("nudge", "run", "--now", AT, "--json"))
    assert set(told) == {
        *("run_id", "now", "planned", "letters", "reminders", "accepted", "failed", "unknown", "held", "skipped")
    }
    assert (told["letters"], told["reminders"], told["accepted"]) == (1, 1, 1)
    (held,) = told["held"]
    assert held == {"invoice": "B-1", "step": "T-3", "reason": "outside_window", "until": "2026-03-02T14:00:00+00:00"}
    assert {one["reason"] for one in told["skipped"]} == {"superseded"}
    assert json.loads(command("nudge", "run", "--now", AT, "--json"))["letters"] == 0


def test_a_dry_run_changes_nothing(db: Database, command: Command) -> None:
    make_invoice(db, make_client(db), "A-1")
    assert json.loads(command("nudge", "run", "--now", AT, "--dry-run", "--json"))["letters"] == 1
    assert (states(db), value(db, "SELECT count(*) FROM runs")) == ({}, 0)


def test_another_time_is_refused_where_letters_are_real(
    db: Database, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_TRANSPORT", "smtp")
    monkeypatch.setenv("SMTP_HOST", "127.0.0.1")
    for arguments in (["run"], ["run", "--plan-only"], ["send", "A-1"]):
        with pytest.raises(Refused) as caught:
            command("nudge", *arguments, "--now", AT)
        assert caught.value.exit_code == 3
    command("nudge", "run", "--now", AT, "--dry-run")


def test_a_run_beside_another_is_busy(db: Database, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nudgepay.cli.nudge.WAIT_SECONDS", 0)
    with db.advisory_lock(PASS_LOCK, shared=True, wait_seconds=0), pytest.raises(Busy) as caught:
        command("nudge", "run", "--now", AT)
    assert caught.value.exit_code == 75


def test_a_nudge_is_shown_sent_once_per_key_and_held_by_the_gap(db: Database, command: Command) -> None:
    make_invoice(db, make_client(db), "A-1")
    shown = json.loads(command("nudge", "send", "A-1", "--preview", "--now", AT, "--json"))
    assert (shown["action"], shown["to"]) == ("send", "ada@client.example")
    sent = json.loads(command("nudge", "send", "A-1", "--key", "k", "--now", AT, "--json"))
    assert (sent["state"], sent["accepted"]) == ("accepted", 1)
    again = json.loads(command("nudge", "send", "A-1", "--key", "k", "--now", AT, "--json"))
    assert (again["state"], again["accepted"]) == ("accepted", 0)
    held = json.loads(command("nudge", "send", "A-1", "--key", "l", "--now", AT, "--json"))
    assert [one["reason"] for one in held["held"] if one["step"] == "manual"] == ["contact_gap"]


def test_letters_are_listed_by_state(db: Database, command: Command, settings: Settings) -> None:
    due_clients(db, 2)
    send(db, settings, transport=Answering(outbox_of(settings), OutcomeUnknown("lost")))
    (one,) = json.loads(command("letters", "--state", "accepted", "--json"))
    assert (one["amount"], one["currency"], one["steps"]) == (10_000, "EUR", ["DUE"])
    assert len(json.loads(command("letters", "--json"))) == 2
    assert "client1@client.example" in command("letters")
    with pytest.raises(UsageError):
        command("letters", "--state", "lost")


def test_doubt_is_listed_and_settled_by_a_person(db: Database, command: Command, settings: Settings) -> None:
    due_clients(db, 2)
    send(db, settings, transport=Answering(outbox_of(settings), OutcomeUnknown("lost"), OutcomeUnknown("lost")))
    listed = json.loads(command("unknown", "list", "--json"))
    assert [set(one) for one in listed] == [{"letter_id", "message_id", "to", "since", "invoices"}] * 2
    command("unknown", "resolve", listed[0]["letter_id"], "--sent")
    command("unknown", "resolve", listed[1]["message_id"], "--resend")
    assert json.loads(command("unknown", "list", "--json")) == []
    assert states(db, "letters") == {"accepted": 1, "planned": 1}
    with pytest.raises(UsageError):
        command("unknown", "resolve", listed[0]["letter_id"])


def test_the_switch_holds_and_lets_go(db: Database, command: Command) -> None:
    due_clients(db, 1)
    command("sending", "pause", "--reason", "look first")
    told = json.loads(command("nudge", "run", "--now", AT, "--json"))
    assert [one["reason"] for one in told["held"]] == ["sending_paused"]
    command("sending", "resume")
    assert json.loads(command("nudge", "run", "--now", MONDAY.isoformat(), "--json"))["accepted"] == 1
