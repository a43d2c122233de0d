"""One file for the auditor: complete, checkable without us, and the same whenever the rows are the same."""

import hashlib
import io
import json
import zipfile
from datetime import timedelta

import pytest
from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.errors import NotFound
from nudgepay.readiness.evidence import Evidence, file_name, gather_evidence, pack_evidence
from nudges.books import MONDAY, due_clients, pay, plan_all, send, value


def evidence(db: Database, number: str = "A-0") -> Evidence:
    with db.transaction() as session:
        return gather_evidence(session, number, now=MONDAY)


@pytest.fixture
def story(db: Database, settings: Settings) -> Database:
    """A letter, then a payment; somebody else has a story of their own."""
    first, _ = due_clients(db, 2)
    send(db, settings)
    pay(db, first)
    plan_all(db, now=MONDAY + timedelta(days=4))
    send(db, settings, now=MONDAY + timedelta(days=4))
    return db


def test_it_holds_what_was_sent_decided_and_paid(story: Database) -> None:
    found = evidence(story).document
    assert [one["state"] for one in found["letters"]] == ["accepted"]
    assert {(one["step"], one["state"], one["reason"]) for one in found["reminders"]} >= {("DUE", "accepted", None)}
    assert [(one["allocated"], one["kind"]) for one in found["money_facts"]] == [(10_000, "manual")]
    assert {one["action"] for one in found["audit"]} >= {"invoice.create", "manual.record"}
    assert found["invoice"]["status"] == "paid"


def test_the_letter_in_it_is_the_letter_that_left(story: Database, settings: Settings) -> None:
    packed = zipfile.ZipFile(io.BytesIO(pack_evidence(evidence(story))))
    (name,) = [name for name in packed.namelist() if name.startswith("letters/")]
    sent = (settings.nudgepay_home / "outbox" / name.removeprefix("letters/")).read_bytes()
    assert packed.read(name) == sent
    assert json.loads(packed.read("evidence.json"))["files"][name] == hashlib.sha256(sent).hexdigest()


def test_every_file_has_its_digest_and_nothing_else_is_in_it(story: Database) -> None:
    packed = zipfile.ZipFile(io.BytesIO(pack_evidence(evidence(story))))
    sums = dict(reversed(line.split("  ", 1)) for line in packed.read("SHA256SUMS").decode().splitlines())
    assert sums == {
        name: hashlib.sha256(packed.read(name)).hexdigest() for name in packed.namelist() if name != "SHA256SUMS"
    }


def test_the_same_rows_give_the_same_bytes(story: Database) -> None:
    assert pack_evidence(evidence(story)) == pack_evidence(evidence(story))


def test_nothing_of_another_client_is_in_it(story: Database) -> None:
    packed = pack_evidence(evidence(story))
    archive = zipfile.ZipFile(io.BytesIO(packed))
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"client0@client.example" in everything
    assert b"client1@client.example" not in everything
    token = value(story, "SELECT token FROM invoices WHERE number = 'A-0'")
    assert token.encode() not in archive.read("evidence.json") + archive.read("evidence.html")


def test_the_page_escapes_what_people_wrote(story: Database) -> None:
    with story.transaction() as session:
        session.execute(text("UPDATE clients SET name = '<img src=x onerror=alert(1)>'"))
    page = zipfile.ZipFile(io.BytesIO(pack_evidence(evidence(story)))).read("evidence.html").decode()
    assert "<img" not in page
    assert "&lt;img" in page


def test_an_unknown_invoice_is_said_so(db: Database) -> None:
    with pytest.raises(NotFound):
        evidence(db, "nope")


@pytest.mark.parametrize(
    ("number", "name"), [("A-1", "A-1"), ("2026/11 ü", "2026-11"), ("../../etc", "etc"), ("??", "invoice")]
)
def test_the_file_name_is_safe(number: str, name: str) -> None:
    assert file_name(number) == f"evidence-{name}.zip"
