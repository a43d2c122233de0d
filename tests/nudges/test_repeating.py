"""Doubt ended by the provider's memory: the same bytes under the same key, and only while they are still true."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.gateways.fakes.smtp_session import Manners
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.gateways.fakes.smtp_turns import ACCEPT_THEN_HANG_UP, HANG_UP_BEFORE_STORING, Turn
from nudgepay.gateways.idempotency import ensure_header_name
from nudgepay.gateways.mail import NoReceipts
from nudgepay.gateways.transports import transport_for
from nudgepay.nudges.passes import run_pass
from nudgepay.nudges.repeating import run_repeats
from nudgepay.nudges.suppressions import suppress
from nudgepay.nudges.switch import pause_sending
from nudgepay.nudges.terms import terms_of
from nudges.books import MONDAY, due_clients, make_client, make_invoice, pay, plan_all, send, states, value

HEADER = "Resend-Idempotency-Key"


class Provider:
    """A provider that remembers keys, an installation that uses it, and a letter in doubt."""

    def __init__(self, db: Database, settings: Settings, sink: SmtpSink) -> None:
        self.db, self.sink = db, sink
        self.settings = settings.model_copy(
            update={
                "mail_transport": "smtp",
                "smtp_host": "127.0.0.1",
                "smtp_port": sink.port,
                "smtp_security": "none",
                "smtp_idempotency_header": HEADER,
                "smtp_timeout_seconds": 2.0,
            }
        )
        self.terms = terms_of(self.settings)
        self.transport = transport_for(self.settings)

    def doubt(self, turn: Turn, clients: int = 1) -> None:
        """Letters whose answers were lost, their leases long over."""
        due_clients(self.db, clients)
        self.sink.script.plan(*[turn] * clients)
        send(self.db, self.settings, transport=self.transport, terms=self.terms)
        assert states(self.db, "letters") == {"unknown": clients}
        self.age("2 hours")

    def age(self, interval: str) -> None:
        with self.db.transaction() as session:
            session.execute(
                text(
                    "UPDATE letters SET looked_at = looked_at - CAST(:ago AS interval),"
                    " lease_until = looked_at - CAST(:ago AS interval)"
                ),
                {"ago": interval},
            )

    def repeat(self) -> dict[str, int]:
        return dict(run_repeats(self.db, transport=self.transport, terms=self.terms, now=MONDAY))


@pytest.fixture
def provider(db: Database, settings: Settings, tmp_path: Path) -> Any:
    with SmtpSink(tmp_path / "journal.jsonl", manners=Manners(idempotency_header=HEADER)) as sink:
        made = Provider(db, settings, sink)
        yield made
        made.transport.close()


def test_one_that_had_arrived_is_dropped_by_the_provider_and_the_doubt_ends(provider: Provider) -> None:
    provider.doubt(ACCEPT_THEN_HANG_UP)
    assert provider.repeat() == {"accepted": 1}
    assert (len(provider.sink.kept()), provider.sink.dropped) == (1, 1)
    assert states(provider.db)["accepted"] == 1
    assert value(provider.db, "SELECT count(*) FROM notices WHERE resolved_at IS NULL") == 0


def test_one_that_had_not_arrived_arrives_now_with_the_very_bytes_of_the_books(provider: Provider) -> None:
    provider.doubt(HANG_UP_BEFORE_STORING)
    assert provider.repeat() == {"accepted": 1}
    (kept,) = provider.sink.kept()
    stored = bytes(value(provider.db, "SELECT mime FROM letters")).decode("latin-1")
    key = value(provider.db, "SELECT message_id FROM letters").strip("<>").partition("@")[0]
    assert kept["content"] == f"{HEADER}: {key}\r\n{stored}"


def paid(provider: Provider) -> None:
    pay(provider.db, value(provider.db, "SELECT client_id FROM letters"))


def paid_in_part(provider: Provider) -> None:
    pay(provider.db, value(provider.db, "SELECT client_id FROM letters"), 2_000)


def opted_out(provider: Provider) -> None:
    address = value(provider.db, "SELECT to_address FROM letters")
    with provider.db.transaction() as session:
        suppress(session, address=address, reason="unsubscribed", source="t", now=MONDAY, actor="payer")


def paused(provider: Provider) -> None:
    with provider.db.transaction() as session:
        pause_sending(session, reason="t", environment="test", actor="t")


def joined_by_another_invoice(provider: Provider) -> None:
    make_invoice(provider.db, value(provider.db, "SELECT client_id FROM letters"), "B-1")
    plan_all(provider.db)


def moved_to_another_address(provider: Provider) -> None:
    with provider.db.transaction() as session:
        session.execute(text("UPDATE contacts SET email = 'new@client.example'"))


@pytest.mark.parametrize(
    "change", [paid, paid_in_part, opted_out, paused, joined_by_another_invoice, moved_to_another_address]
)
def test_what_is_not_true_any_more_is_not_said_again(provider: Provider, change: Callable[[Provider], None]) -> None:
    provider.doubt(HANG_UP_BEFORE_STORING)
    change(provider)
    assert provider.repeat() == {"changed": 1}
    assert provider.sink.kept() == []
    assert states(provider.db, "letters") == {"unknown": 1}
    assert (
        value(provider.db, "SELECT count(*) FROM notices WHERE kind = 'letter.unknown' AND resolved_at IS NULL") == 1
    )


def test_a_key_that_the_provider_may_have_forgotten_is_not_trusted(provider: Provider) -> None:
    provider.doubt(HANG_UP_BEFORE_STORING)
    provider.age("22 hours")
    assert provider.repeat() == {}


def test_a_letter_that_may_still_be_on_its_way_is_left_alone(provider: Provider) -> None:
    provider.doubt(HANG_UP_BEFORE_STORING)
    with provider.db.transaction() as session:
        session.execute(text("UPDATE letters SET lease_until = now()"))
    assert provider.repeat() == {}


def test_doubt_that_stays_is_doubt_again_and_a_pass_tries_by_itself(provider: Provider) -> None:
    provider.doubt(HANG_UP_BEFORE_STORING)
    provider.sink.script.plan(HANG_UP_BEFORE_STORING)
    assert provider.repeat() == {"unknown": 1}
    assert (
        value(provider.db, "SELECT count(*) FROM notices WHERE kind = 'letter.unknown' AND resolved_at IS NULL") == 1
    )
    provider.age("2 hours")
    run_pass(
        provider.db,
        transport=provider.transport,
        receipts=NoReceipts(),
        terms=provider.terms,
        environment="test",
        now=MONDAY,
        actor="t",
    )
    assert states(provider.db, "letters") == {"accepted": 1}
    assert len(provider.sink.kept()) == 1


def test_without_the_header_nothing_is_ever_repeated(db: Database, settings: Settings) -> None:
    assert make_client(db)
    assert not terms_of(settings).is_idempotent


@pytest.mark.parametrize("name", ["Subject", "message-id", "X Y", "a:b", "", "x\r\ny", "List-Id", "DKIM-Signature"])
def test_a_header_with_a_meaning_of_its_own_carries_no_key(name: str) -> None:
    with pytest.raises(UsageError):
        ensure_header_name(name)
