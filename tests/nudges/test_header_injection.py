"""Whatever people and records say, a letter has its own headers and one recipient (A37): at input, and on the wire."""

import itertools
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from examples import examples
from nudgepay.config import Settings
from nudgepay.config.problems import SettingsValidationError
from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.invoices.actions import create_client, create_invoice
from nudgepay.nudges.letter import Recipient, write_letter
from nudgepay.nudges.letter_text import LetterTemplate
from nudgepay.nudges.mail_headers import LetterError
from nudges.books import MONDAY, due_clients, outbox_of, rows, send, states
from nudges.letter_builders import LINE, letter, parsed

EVIL = "evil.example"
INJECTIONS = [
    f"A\r\nBcc: x@{EVIL}",
    f"A\nBcc: x@{EVIL}",
    f"A\rBcc: x@{EVIL}",
    f"A\r\n\r\n<a href=http://{EVIL}>",
    f"A\u2028Bcc: x@{EVIL}",
    f"A\x85Bcc: x@{EVIL}",
    f"A\x0bBcc: x@{EVIL}",
    f"A\x00Bcc: x@{EVIL}",
    f"=?utf-8?q?A=0d=0aBcc:_x@{EVIL}?=",
    f"A\u202eBcc: x@{EVIL}",
]
HEADERS = {
    *("message-id", "date", "from", "to", "reply-to", "subject", "list-unsubscribe", "list-unsubscribe-post"),
    *("auto-submitted", "x-auto-response-suppress", "content-language", "mime-version", "content-type"),
    *("in-reply-to", "references"),
}
NO_LINE_ENDS = [value for value in INJECTIONS if not value.startswith("=?")]


def make(db: Database, **fields: str) -> None:
    client = {"name": "Acme", "email": "ap@acme.example", "contact_name": "Amy", "locale": "en", "country": "DE"}
    invoice = {"number": "A-1", "description": "Website", "currency": "EUR"}
    with db.transaction() as session:
        made = create_client(
            session, timezone="Europe/Berlin", actor="t", **(client | {k: fields[k] for k in fields if k in client})
        )
        create_invoice(
            session,
            client_id=made.id,
            amount_due=100,
            issued_on=MONDAY.date(),
            due_on=MONDAY.date(),
            now=MONDAY,
            actor="t",
            **(invoice | {k: fields[k] for k in fields if k in invoice}),
        )


@pytest.mark.parametrize("field", ["name", "email", "contact_name", "number", "description", "locale", "country"])
def test_no_input_takes_a_line_break_and_the_refusal_names_the_field(db: Database, field: str) -> None:
    for value in NO_LINE_ENDS:
        with pytest.raises(UsageError) as refused:
            make(db, **{field: value})
        assert field.removesuffix("_name") in str(refused.value) or field in str(refused.value)
        assert EVIL not in str(refused.value)
    assert rows(db, "SELECT 1 FROM clients") == []


@pytest.mark.parametrize("setting", ["BUSINESS_NAME", "REPLY_TO", "FROM_EMAIL"])
def test_no_setting_writes_headers(db: Database, settings: Settings, setting: str) -> None:
    due_clients(db, 1)
    for value in INJECTIONS:
        if "\0" in value:
            continue
        with db.transaction() as session:
            session.execute(text("UPDATE reminders SET look_at = :now, held_reason = NULL"), {"now": MONDAY})
        given = {"ENVIRONMENT": "test", "FROM_EMAIL": "billing@atelier.example", setting: value}
        try:
            made = Settings.load({**given, "NUDGEPAY_HOME": str(settings.nudgepay_home)})
            send(db, made)
        except (SettingsValidationError, UsageError):
            continue
    assert letters_on_disk(settings) == []
    assert states(db).get("accepted", 0) == 0


def letters_on_disk(settings: Settings) -> list[Path]:
    return sorted((settings.nudgepay_home / "outbox").glob("*.eml"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE contacts SET name = :value",
        "UPDATE contacts SET email = :value",
        "UPDATE invoices SET number = :value",
        "UPDATE invoices SET description = :value",
        "UPDATE contacts SET locale = :value",
        "UPDATE clients SET name = :value",
        "UPDATE clients SET locale = :value",
    ],
)
def test_a_record_that_came_past_every_check_adds_no_header_and_no_recipient(
    db: Database, settings: Settings, statement: str
) -> None:
    """The second net: rows as another program, or an older version of this one, might have left them."""
    due_clients(db, len(INJECTIONS))
    for n, value in enumerate(INJECTIONS):
        if "\0" in value:
            continue
        where = "client_id" if "clients SET" not in statement else "id"
        with db.transaction() as session:
            session.execute(
                text(f"{statement} WHERE {where} = (SELECT min(id) + :n FROM clients)"), {"value": value, "n": n}
            )
    send(db, settings)
    held = rows(db, "SELECT held_reason FROM reminders WHERE state = 'planned' AND held_reason IS NOT NULL")
    assert states(db).get("accepted", 0) + len(held) == len(INJECTIONS)
    for path in letters_on_disk(settings):
        raw = path.read_bytes()
        message = message_from_bytes(raw, policy=policy.default)
        names = [name.lower() for name in message]
        assert set(names) <= HEADERS
        assert len(names) == len(set(names))
        assert [one.addr_spec.rpartition("@")[2] for one in message["To"].addresses] == ["client.example"]
        head = raw.partition(b"\r\n\r\n")[0]
        assert not any(line.lower().startswith((b"bcc", b"cc:")) for line in head.splitlines())


@examples(150)
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_any_name_number_and_words_leave_the_headers_as_they_are(name: str, number: str, words: str) -> None:
    line = replace(LINE, number=number, description=words)
    try:
        message = parsed(letter(line, recipient=Recipient(name, "jm@client.example", "de")))
    except LetterError:
        return
    assert {header.lower() for header in message} <= HEADERS
    assert [one.addr_spec for one in message["To"].addresses] == ["jm@client.example"]


def test_operators_subject_writes_no_header() -> None:
    for value, place in itertools.product(INJECTIONS, ("{}", "{{{{ number }}}} {}")):
        texts = {(LINE.template, "de"): LetterTemplate(place.format(value), "Bitte zahlen.")}
        try:
            raw = write_letter(letter(texts=texts)).mime
        except LetterError:
            continue
        message = message_from_bytes(raw, policy=policy.default)
        assert {header.lower() for header in message} <= HEADERS
        assert "\n" not in str(message["Subject"])


def test_a_letter_that_cannot_be_written_is_held_and_told(db: Database, settings: Settings) -> None:
    due_clients(db, 2)
    with db.transaction() as session:
        session.execute(
            text("UPDATE contacts SET name = :v WHERE id = (SELECT min(id) FROM contacts)"), {"v": INJECTIONS[0]}
        )
    send(db, settings)
    assert states(db)["accepted"] == 1
    assert [row.held_reason for row in rows(db, "SELECT held_reason FROM reminders WHERE state = 'planned'")] == [
        "template_error"
    ]
    assert len(letters_on_disk(settings)) == len(list(outbox_of(settings).directory.glob("*.eml"))) == 1
