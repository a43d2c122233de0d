"""A real Postfix: its log proves acceptance and delivery, and what it sends back is understood."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from nudgepay import clock
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.gateways.fakes.smtp_turns import refuse
from nudgepay.gateways.postfix_log import PostfixLog
from nudgepay.gateways.report_parsing import read_message
from nudgepay.gateways.transports import receipts_for, transport_for
from nudgepay.nudges.reading_reports import read_relay_log
from nudgepay.nudges.reconcile import run_reconcile
from nudges.books import MONDAY, due_clients, rows, send, states, value
from verified.postfix import postfix, wait_for

pytestmark = pytest.mark.timeout(180)


def through(settings: Settings, port: int, log: Path) -> Settings:
    return settings.model_copy(
        update={
            "mail_transport": "smtp",
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_security": "none",
            "smtp_receipts": f"postfix:{log}",
        }
    )


def test_letters_are_accepted_delivered_and_bounced_as_the_log_says(
    db: Database, settings: Settings, tmp_path: Path
) -> None:
    due_clients(db, 4)
    with SmtpSink(tmp_path / "journal.jsonl") as sink, postfix(_home(tmp_path), next_hop=sink.port) as relay:
        sink.script.plan(refuse(550, text="5.1.1 nobody has this mailbox"), recipient="client1@client.example")
        sink.script.plan(refuse(552, text="5.2.2 mailbox full"), recipient="client2@client.example")
        given = through(settings, relay.port, relay.log)
        transport = transport_for(given)
        assert send(db, given, transport=transport).counts["accepted"] == 4
        transport.close()
        wait_for(lambda: relay.log.read_text().count("status=") >= 4)
        log = receipts_for(given)
        assert isinstance(log, PostfixLog)
        wait_for(lambda: relay.log.read_text().count("status=bounced") == 2)
        counts = read_relay_log(db, log, now=MONDAY, actor="test")
        assert counts == {"delivered": 2, "bounced": 2}
        assert read_relay_log(db, log, now=MONDAY, actor="test") == {}
        returned = [entry for entry in sink.kept() if entry["sender"] == ""]
    assert states(db, "letters") == {"delivered": 2, "bounced": 2}
    blocked = rows(db, "SELECT address FROM suppressions WHERE reason = 'bounced'")
    assert [row.address for row in blocked] == ["client1@client.example"]
    by_mail = {
        (report.recipient, report.fate, report.is_bad_address)
        for entry in returned
        for report in read_message(entry["content"].encode("latin-1"), source="mailbox").reports
    }
    assert by_mail == {("client1@client.example", "bounced", True), ("client2@client.example", "bounced", False)}


def test_a_letter_in_doubt_is_settled_by_the_relays_log(db: Database, settings: Settings, tmp_path: Path) -> None:
    due_clients(db, 2)
    with SmtpSink(tmp_path / "journal.jsonl") as sink, postfix(_home(tmp_path), next_hop=sink.port) as relay:
        given = through(settings, relay.port, relay.log)
        transport = transport_for(given)
        before = clock.now()
        send(db, given, transport=transport)
        transport.close()
        wait_for(lambda: relay.log.read_text().count("(queue active)") >= 2)
        with db.transaction() as session:
            session.execute(text("UPDATE letters SET state = 'unknown', looked_at = :at"), {"at": before})
            session.execute(text("UPDATE reminders SET state = 'unknown' WHERE state = 'accepted'"))
            session.execute(
                text(
                    "UPDATE letters SET message_id = replace(message_id, '.1@', '.7@'), n = 7 WHERE id = (SELECT min(id::text)::uuid FROM letters)"
                )
            )
        found = run_reconcile(
            db, receipts=receipts_for(given), now=MONDAY + timedelta(minutes=5), grace_seconds=-10_000
        )
    assert (found.accepted, found.planned_again + found.still_unknown) == (1, 1)
    assert value(db, "SELECT count(*) FROM letters WHERE state = 'accepted'") == 1


def _home(tmp_path: Path) -> Path:
    home = tmp_path / "postfix"
    home.mkdir()
    return home
