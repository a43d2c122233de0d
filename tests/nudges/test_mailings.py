"""Mail that reminds nobody: each message once, with the truth of the moment in which it leaves."""

import email
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, time, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay import ledger
from nudgepay.config import Settings
from nudgepay.db import Database, DatabaseUnavailable
from nudgepay.gateways.mail import (
    DeliveryReport,
    Finding,
    NoReceipts,
    OutcomeUnknown,
    PermanentRefusal,
    SenderNotReady,
    TemporaryRefusal,
)
from nudgepay.nudges.bounces import record_report
from nudgepay.nudges.languages import LANGUAGES, plural_forms
from nudgepay.nudges.mailings.doubt import order_resend, settle_as_sent
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.mailings.rendering import catalogue
from nudgepay.nudges.mailings.sending import run_mailings
from nudgepay.nudges.mailings.statements import NobodyToWriteTo, request_statement
from nudgepay.nudges.mailings.terms import MailingTerms, mailing_terms
from nudgepay.nudges.mailings.wishes import is_anything_owed, plan_wishes
from nudgepay.nudges.suppressions import suppress
from nudgepay.nudges.switch import pause_sending
from nudgepay.nudges.terms import terms_of
from nudgepay.nudges.unknowns import NotInDoubt
from nudgepay.payments.actions import undo_payment
from nudgepay.readiness.audit_log import NOTICE as AUDIT_BROKEN
from nudges.books import (
    MONDAY,
    Answering,
    due_clients,
    make_client,
    make_invoice,
    outbox_of,
    pay,
    rows,
    send,
    states,
    value,
)

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)
NOTHING = MailingTerms(
    thanks=False, digest_to=(), digest_at=None, timezone="Europe/Berlin", copies=0, copies_to="owner@atelier.example"
)
THANKS = replace(NOTHING, thanks=True)


def wish(db: Database, settings: Settings, wanted: MailingTerms, *, now: datetime = MONDAY + HOUR) -> int:
    return plan_wishes(db, wanted, terms=terms_of(settings), now=now)


def go(db: Database, settings: Settings, *, now: datetime = MONDAY + HOUR, **changes: Any) -> dict[str, int]:
    given: dict[str, Any] = {"transport": outbox_of(settings), "receipts": NoReceipts()} | changes
    return dict(run_mailings(db, terms=terms_of(settings), now=now, **given))


def mails(settings: Settings, word: str) -> list[EmailMessage]:
    """The messages of the outbox whose subject holds a word, oldest name first."""
    found = []
    for path in sorted((settings.nudgepay_home / "outbox").glob("*.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        if word in str(message["Subject"]):
            found.append(message)
    return found


def words_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\xa0", " ")


@pytest.fixture
def paid(db: Database, settings: Settings) -> Settings:
    """A client who was written to and has paid since."""
    (client_id,) = due_clients(db, 1)
    send(db, settings)
    pay(db, client_id)
    return settings


def test_a_payment_after_a_letter_is_thanked_for_once(db: Database, paid: Settings) -> None:
    assert wish(db, paid, THANKS) == 1
    assert go(db, paid) == {"accepted": 1}
    assert wish(db, paid, THANKS) == 0
    (thanks,) = mails(paid, "Thank you")
    assert str(thanks["To"]) == "Client0 <client0@client.example>"
    assert "A-0" in words_of(thanks)
    assert "nothing left for you to do" in words_of(thanks)
    assert str(thanks["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"


def test_two_workers_at_once_thank_once(db: Database, paid: Settings) -> None:
    with ThreadPoolExecutor(4) as hands:
        list(hands.map(lambda _: wish(db, paid, THANKS), range(8)))
        list(hands.map(lambda _: go(db, paid), range(4)))
    assert len(mails(paid, "Thank you")) == 1


def test_two_invoices_paid_together_are_one_thank_you(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    first, second = (make_invoice(db, client_id, number) for number in ("A-1", "A-2"))
    plan_and_send(db, settings)
    settle(db, client_id, [first, second])
    wish(db, settings, THANKS)
    go(db, settings)
    (thanks,) = mails(settings, "Thank you")
    assert str(thanks["Subject"]) == "Thank you: 2 invoices are paid"
    assert {"A-1", "A-2"} <= set(re.findall(r"A-\d", words_of(thanks)))


def plan_and_send(db: Database, settings: Settings) -> None:
    from nudges.books import plan_all

    plan_all(db)
    send(db, settings)


def settle(db: Database, client_id: int, invoice_ids: list[int], *, provider: str = "manual") -> int:
    from nudgepay.payments.actions import record_payment

    with db.transaction() as session:
        return record_payment(
            session,
            client_id=client_id,
            amount=10_000 * len(invoice_ids),
            currency="EUR",
            provider=provider,
            provider_id="transfer-1",
            kind="manual",
            occurred_at=MONDAY,
            targets=[{"invoice_id": invoice_id, "amount": 10_000} for invoice_id in invoice_ids],
            actor="test",
            now=MONDAY,
        ).id


def test_what_was_never_asked_for_is_not_thanked_for(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    settle(db, client_id, [make_invoice(db, client_id, "A-1")])
    assert wish(db, settings, THANKS) == 0


def test_thanks_are_not_sent_days_late(db: Database, paid: Settings) -> None:
    assert wish(db, paid, THANKS, now=MONDAY + timedelta(days=4)) == 0


def test_a_payment_that_is_taken_back_before_the_thanks_leave_is_not_thanked_for(
    db: Database, settings: Settings
) -> None:
    client_id = make_client(db)
    invoice_id = make_invoice(db, client_id, "A-1")
    plan_and_send(db, settings)
    fact_id = settle(db, client_id, [invoice_id])
    wish(db, settings, THANKS)
    with db.transaction() as session:
        undo_payment(session, fact_id, now=MONDAY, actor="test")
    assert go(db, settings) == {"cancelled": 1}
    assert mails(settings, "Thank you") == []
    assert value(db, "SELECT reason FROM mailings") == "the invoices are open again"


def test_who_wants_no_letters_gets_no_thanks_either(db: Database, paid: Settings) -> None:
    wish(db, paid, THANKS)
    with db.transaction() as session:
        suppress(
            session,
            address="client0@client.example",
            reason="unsubscribed",
            source="one-click",
            now=MONDAY,
            actor="payer",
        )
    assert go(db, paid) == {"cancelled": 1}


def test_thanks_wait_for_the_sending_hours_and_for_the_big_switch(db: Database, paid: Settings) -> None:
    wish(db, paid, THANKS)
    night = MONDAY.replace(hour=21)
    assert go(db, paid, now=night) == {"held": 1}
    assert rows(db, "SELECT reason, look_at FROM mailings")[0] == ("outside_window", MONDAY.replace(day=3, hour=8))
    with db.transaction() as session:
        pause_sending(session, reason="test", environment="test", actor="test")
    assert go(db, paid, now=MONDAY.replace(day=3)) == {"held": 1}
    assert value(db, "SELECT reason FROM mailings") == "sending_paused"


@pytest.fixture
def owing(db: Database, settings: Settings) -> int:
    client_id = make_client(db, locale="de")
    make_invoice(db, client_id, "A-1", due_on=(MONDAY - timedelta(days=20)).date())
    make_invoice(db, client_id, "A-2", due_on=(MONDAY + timedelta(days=20)).date(), amount=2_500)
    make_invoice(db, client_id, "J-1", due_on=(MONDAY - timedelta(days=1)).date(), amount=5_000, currency="JPY")
    return client_id


def ask_for_statement(db: Database, settings: Settings, client_id: int, *, now: datetime = MONDAY) -> bool:
    from nudgepay.invoices.models import Client

    with db.transaction() as session:
        return request_statement(session, session.get_one(Client, client_id), terms=terms_of(settings), now=now)


def test_a_statement_tells_each_currency_and_links_its_page(db: Database, settings: Settings, owing: int) -> None:
    assert ask_for_statement(db, settings, owing)
    assert not ask_for_statement(db, settings, owing), "one a day"
    assert go(db, settings) == {"accepted": 1}
    (statement,) = mails(settings, "Ihr Konto")
    told = words_of(statement)
    assert all(part in told for part in ("A-1", "A-2", "125,00 €", "100,00 €", "5.000 ¥"))
    token = value(db, "SELECT token FROM mailings")
    assert f"http://127.0.0.1:8000/s/{token}" in told


def test_a_statement_of_nothing_is_not_sent(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    invoice_id = make_invoice(db, client_id, "A-1")
    ask_for_statement(db, settings, client_id)
    settle(db, client_id, [invoice_id])
    assert go(db, settings) == {"cancelled": 1}


def test_a_statement_is_a_contact_like_any_letter(db: Database, settings: Settings, owing: int) -> None:
    """It keeps the gap after a letter, and a letter keeps the gap after it."""
    from nudges.books import plan_all

    ask_for_statement(db, settings, owing)
    assert go(db, settings) == {"accepted": 1}
    plan_all(db)
    assert send(db, settings, now=MONDAY + HOUR).counts["accepted"] == 0
    assert {row.held_reason for row in rows(db, "SELECT held_reason FROM reminders WHERE state = 'planned'")} == {
        "contact_gap"
    }
    later = MONDAY + timedelta(days=2)
    assert send(db, settings, now=later).counts["accepted"] == 2, "one letter for each currency"
    ask_for_statement(db, settings, owing, now=later)
    assert go(db, settings, now=later) == {"held": 1}
    assert value(db, "SELECT reason FROM mailings WHERE state = 'planned'") == "contact_gap"


def test_a_client_without_anybody_to_write_to_gets_no_statement(db: Database, settings: Settings, owing: int) -> None:
    with db.transaction() as session:
        suppress(session, address="ada@client.example", reason="bounced", source="x", now=MONDAY, actor="t")
    with pytest.raises(NobodyToWriteTo):
        ask_for_statement(db, settings, owing)


def daily(**changes: Any) -> MailingTerms:
    return replace(NOTHING, digest_to=("owner@atelier.example",), digest_at=time(7, 30), **changes)


def test_the_digest_says_what_came_in_what_goes_out_and_what_needs_the_owner(
    db: Database, settings: Settings
) -> None:
    payer, other = due_clients(db, 2)
    pay(db, payer)
    with db.transaction() as session:
        ledger.notice(session, "letter.unknown", "letter.unknown:1", {})
        pause_sending(session, reason="moving house", environment="test", actor="test")
    now = value(db, "SELECT clock_timestamp()") + timedelta(seconds=5)
    with db.transaction() as session:
        session.execute(text("UPDATE invoices SET due_on = :day, next_at = :now"), {"day": now.date(), "now": now})
        session.execute(text("UPDATE reminders SET look_at = :now, due_at = :now"), {"now": now})
    morning = replace(daily(), digest_at=time(0, 0))
    assert wish(db, settings, morning, now=now) == 1
    assert go(db, settings, now=now) == {"accepted": 1}
    (digest,) = mails(settings, "what matters")
    told = words_of(digest)
    assert "Client0: €100.00" in told
    assert "moving house" in told
    assert "1 × Letters of which nobody knows whether they arrived" in told
    assert digest["List-Unsubscribe"] is None
    assert other


def test_the_digest_comes_once_a_day_from_its_hour_on(db: Database, settings: Settings) -> None:
    with db.transaction() as session:
        assert not is_anything_owed(session, daily(), now=MONDAY.replace(hour=6, minute=29))
    assert wish(db, settings, daily(), now=MONDAY.replace(hour=6, minute=29)) == 0
    assert wish(db, settings, daily(), now=MONDAY.replace(hour=6, minute=30)) == 1
    assert wish(db, settings, daily(), now=MONDAY.replace(hour=18)) == 0
    assert wish(db, settings, daily(), now=MONDAY.replace(day=3, hour=12)) == 1
    with db.transaction() as session:
        assert not is_anything_owed(session, daily(), now=MONDAY.replace(day=3, hour=13))


def test_the_first_letters_are_copied_as_attached_messages(db: Database, settings: Settings) -> None:
    due_clients(db, 3)
    send(db, settings)
    two = replace(NOTHING, copies=2)
    assert wish(db, settings, two) == 2
    assert wish(db, settings, two) == 0
    assert go(db, settings) == {"accepted": 2}
    copies = mails(settings, "Copy:")
    assert [str(one["To"]) for one in copies] == ["owner@atelier.example"] * 2
    (attached,) = list(copies[0].iter_attachments())
    letter = attached.get_content()
    assert isinstance(letter, EmailMessage)
    assert letter["To"].addresses[0].addr_spec in words_of(copies[0])


def test_settings_choose_what_is_sent(settings: Settings) -> None:
    own = settings.model_copy(update={"admin_email": "boss@atelier.example", "digest_at": "off"})
    found = mailing_terms(own)
    assert (found.digest_to, found.digest_at, found.copies_to) == (
        ("boss@atelier.example",),
        None,
        "boss@atelier.example",
    )
    several = mailing_terms(settings.model_copy(update={"digest_recipients": "a@x.example, b@x.example"}))
    assert several.digest_to == ("a@x.example", "b@x.example")


@pytest.mark.parametrize(
    ("error", "outcome", "state"),
    [
        (TemporaryRefusal("later", code=451), "put_back", "planned"),
        (PermanentRefusal("no", code=554), "failed", "failed"),
        (SenderNotReady("away"), "put_back", "planned"),
        (OutcomeUnknown("silence"), "unknown", "unknown"),
    ],
)
def test_every_way_to_fail_leaves_its_state_and_tells_a_person_what_needs_one(
    db: Database, paid: Settings, error: Exception, outcome: str, state: str
) -> None:
    wish(db, paid, THANKS)
    assert go(db, paid, transport=Answering(outbox_of(paid), error)) == {outcome: 1}
    assert states(db, "mailings") == {state: 1}
    told = [row.kind for row in rows(db, "SELECT kind FROM notices WHERE kind LIKE 'mailing%'")]
    assert told == ([f"mailing.{state}"] if state in {"failed", "unknown"} else [])


def test_eight_refusals_in_a_row_are_the_last(db: Database, paid: Settings) -> None:
    wish(db, paid, THANKS, now=MONDAY)
    now, outcomes = MONDAY, []
    for _ in range(8):
        refusing = Answering(outbox_of(paid), TemporaryRefusal("later", code=451))
        outcomes += go(db, paid, now=now, transport=refusing)
        now = value(db, "SELECT look_at FROM mailings")
        now = now if 8 <= now.hour < 16 else (now + timedelta(days=1)).replace(hour=9)
    assert outcomes == ["put_back"] * 7 + ["failed"]


def test_a_mailbox_that_does_not_exist_is_written_to_no_more(db: Database, paid: Settings) -> None:
    wish(db, paid, THANKS)
    refusal = PermanentRefusal("nobody", code=550, bad_address=True)
    go(db, paid, transport=Answering(outbox_of(paid), refusal))
    assert value(db, "SELECT reason FROM suppressions") == "bounced"


class Knowing:
    """A source of acceptance that knows one answer."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding

    def find(self, message_id: str, *, since: datetime) -> Finding:
        return self.finding


def lose_a_worker(db: Database, settings: Settings) -> None:
    """A message recorded as leaving, and nobody left to write down its end."""
    wish(db, settings, THANKS)
    go(db, settings, transport=Answering(outbox_of(settings), OutcomeUnknown("the line went dead")))
    with db.transaction() as session:
        session.execute(text("UPDATE mailings SET state = 'sending', lease_until = now() - interval '1 day'"))


def test_a_message_in_doubt_is_settled_by_the_relays_record(db: Database, paid: Settings) -> None:
    lose_a_worker(db, paid)
    assert go(db, paid, receipts=Knowing(Finding("cannot_tell"))) == {}
    assert states(db, "mailings") == {"unknown": 1}
    assert go(db, paid, receipts=Knowing(Finding("accepted", at=MONDAY))) == {"found": 1}
    assert states(db, "mailings") == {"accepted": 1}
    assert value(db, "SELECT count(*) FROM notices WHERE kind = 'mailing.unknown' AND resolved_at IS NULL") == 0


def test_a_message_that_surely_never_came_is_sent_again_under_its_name(db: Database, paid: Settings) -> None:
    lose_a_worker(db, paid)
    name = value(db, "SELECT message_id FROM mailings")
    assert go(db, paid, receipts=Knowing(Finding("absent"))) == {"planned_again": 1, "accepted": 1}
    assert [str(one["Message-ID"]) for one in mails(paid, "Thank you")] == [name]


def test_a_person_settles_doubt_and_a_resend_has_a_new_name(db: Database, paid: Settings) -> None:
    lose_a_worker(db, paid)
    go(db, paid)
    with db.transaction() as session:
        mailing = session.query(Mailing).one()
        order_resend(session, mailing.id, now=MONDAY, actor="test")
        assert ".2@" in mailing.message_id
        with pytest.raises(NotInDoubt):
            settle_as_sent(session, mailing.id, now=MONDAY, actor="test")
    assert go(db, paid) == {"accepted": 1}


def test_one_that_cannot_be_written_is_told_and_the_next_one_goes(db: Database, settings: Settings) -> None:
    clients = due_clients(db, 2)
    send(db, settings)
    for client_id in clients:
        pay(db, client_id)
    wish(db, settings, THANKS)
    with db.transaction() as session:
        session.execute(text("UPDATE mailings SET details = '{}' WHERE client_id = :id"), {"id": clients[0]})
    assert go(db, settings) == {"poisoned": 1, "accepted": 1}
    assert value(db, "SELECT kind FROM notices WHERE kind LIKE 'mailing%'") == "mailing.poisoned"


def test_a_client_that_somebody_else_has_locked_blames_no_message(
    db: Database, database_url: str, paid: Settings
) -> None:
    wish(db, paid, THANKS)
    impatient = Database(database_url, patience_seconds=1)
    with db.transaction() as session:
        session.execute(text("SELECT id FROM clients FOR UPDATE"))
        with pytest.raises(DatabaseUnavailable):
            go(impatient, paid)
    impatient.close()
    assert value(db, "SELECT count(*) FROM notices WHERE kind = 'mailing.poisoned'") == 0
    assert go(db, paid) == {"accepted": 1}


def test_a_bounced_statement_blocks_the_address(db: Database, settings: Settings, owing: int) -> None:
    ask_for_statement(db, settings, owing)
    go(db, settings)
    report = DeliveryReport(
        message_id=value(db, "SELECT message_id FROM mailings"), fate="bounced", status="5.1.1", source="test"
    )
    with db.transaction() as session:
        assert record_report(session, report, now=MONDAY, actor="t") == "bounced"
        assert record_report(session, report, now=MONDAY, actor="t") == "repeated"
    assert value(db, "SELECT reason FROM suppressions") == "bounced"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word_in_every_plural_form(language: str) -> None:
    english, own = catalogue("en"), catalogue(language)
    counted = {key.removesuffix("_other") for key in english if key.endswith("_other")}
    plain = {key for key in english if key.rpartition("_")[0] not in counted or key.endswith("_label")}
    expected = plain | {f"{key}_{form}" for key in counted for form in plural_forms(language)}
    assert set(own) == expected
    for key, said in own.items():
        like = english.get(key) or english[f"{key.rpartition('_')[0]}_other"]
        fields = set(re.findall(r"\{(\w+)\}", said))
        assert fields <= set(re.findall(r"\{(\w+)\}", like)) | {"count", "number"}, key


def test_every_kind_of_notice_is_a_task_in_words() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    kinds = set(re.findall(r"notice\(\s*session,\s*\"([a-z_.]+)\"", source)) | {AUDIT_BROKEN}
    assert len(kinds) > 12
    assert {kind for kind in kinds if f"task.{kind}" not in catalogue("en")} == set()


PDF = b"%PDF-1.7\n" + b"1" * 500 + b"\n%%EOF\n"


@pytest.mark.parametrize(("wish_for", "carries", "links"), [("link", 0, 1), ("attach", 1, 1), ("none", 0, 0)])
def test_a_letter_links_or_carries_the_invoices_own_pdf(
    db: Database, settings: Settings, wish_for: str, carries: int, links: int
) -> None:
    from nudgepay.invoices.documents import attach_document
    from nudgepay.invoices.queries import invoice_by_number

    due_clients(db, 1)
    with db.transaction() as session:
        token = attach_document(session, invoice_by_number(session, "A-0"), PDF, actor="t").token
    terms = terms_of(settings.model_copy(update={"invoice_pdfs": wish_for}))
    assert send(db, settings, terms=terms).counts["accepted"] == 1
    (letter,) = mails(settings, "A-0")
    files = list(letter.iter_attachments())
    assert [file.get_content() for file in files] == [PDF] * carries
    assert [file.get_filename() for file in files] == ["A-0.pdf"] * carries
    assert words_of(letter).count(f"/d/{token}") == links


def test_files_that_are_too_much_for_a_mail_are_linked_only(db: Database, settings: Settings) -> None:
    from nudgepay.invoices.documents import attach_document
    from nudgepay.invoices.queries import invoice_by_number
    from nudges.books import plan_all

    client_id = make_client(db)
    for number in ("A-1", "A-2"):
        make_invoice(db, client_id, number)
        with db.transaction() as session:
            content = b"%PDF-1.7\n" + number.encode() * 400_000 + b"%%EOF"
            attach_document(session, invoice_by_number(session, number), content, actor="t")
    plan_all(db)
    send(db, settings, terms=terms_of(settings.model_copy(update={"invoice_pdfs": "attach"})))
    (letter,) = mails(settings, "2 invoices")
    assert [file.get_filename() for file in letter.iter_attachments()] == ["A-1.pdf"]
    assert words_of(letter).count("/d/") == 2
