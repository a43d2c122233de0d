"""The statement's page and the invoice's own document: as things stand now, for whoever holds the link."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from starlette.testclient import TestClient

from nudgepay import clock
from nudgepay.invoices.actions import create_client, create_invoice
from nudgepay.invoices.documents import NotAPdf, attach_document, detach_document
from nudgepay.invoices.models import Client, Invoice
from nudgepay.invoices.queries import invoice_by_number
from nudgepay.nudges.mailings.statements import request_statement
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.bank import record_transfer
from nudgepay.runtime import Runtime

PDF = b"%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n"


@pytest.fixture
def client_id(runtime: Runtime) -> Iterator[int]:
    today = clock.now()
    with runtime.db.transaction() as session:
        client = create_client(
            session,
            name="Bäckerei Lindner",
            email="klara@lindner.example",
            locale="de",
            timezone="Europe/Berlin",
            country="DE",
            actor="t",
        )
        for number, days in (("A-1", -3), ("A-2", 20)):
            create_invoice(
                session,
                client_id=client.id,
                number=number,
                currency="EUR",
                amount_due=123_450,
                issued_on=date(2026, 2, 1),
                due_on=today.date() + timedelta(days=days),
                now=today,
                actor="t",
            )
    yield client.id


@pytest.fixture
def link(runtime: Runtime, client_id: int) -> str:
    from nudgepay.nudges.mailings.models import Mailing

    with runtime.db.transaction() as session:
        client = session.get_one(Client, client_id)
        request_statement(session, client, terms=terms_of(runtime.settings), now=clock.now())
        return f"/s/{session.query(Mailing).one().token}"


def test_the_page_shows_the_account_and_links_each_invoice(client: TestClient, runtime: Runtime, link: str) -> None:
    page = client.get(link).text
    assert '<html lang="de">' in page
    assert "2.469,00\xa0€" in page
    assert "Davon überfällig: 1.234,50\xa0€" in page
    with runtime.db.transaction() as session:
        assert f'href="/p/{invoice_by_number(session, "A-1").token}"' in page


def test_what_is_paid_leaves_the_account_and_shows_as_received(
    client: TestClient, runtime: Runtime, link: str
) -> None:
    with runtime.db.transaction() as session:
        record_transfer(
            session, numbers=["A-1", "A-2"], amount="2469.00", occurred_at=clock.now(), now=clock.now(), actor="t"
        )
    page = client.get(link).text
    assert "Es ist nichts offen" in page
    assert "Zahlungen der letzten 90 Tage" in page


def test_a_payment_on_its_way_is_said_so(client: TestClient, runtime: Runtime, link: str) -> None:
    with runtime.db.transaction() as session:
        invoice_by_number(session, "A-1").money_state = "in_payment"
    assert "Zahlung unterwegs" in client.get(link).text


def test_only_a_statements_own_link_opens_it(client: TestClient, runtime: Runtime, link: str) -> None:
    unknown = client.get("/s/" + "x" * 32)
    with runtime.db.transaction() as session:
        invoice = client.get(f"/s/{session.query(Invoice).first().token}")
    assert unknown.status_code == invoice.status_code == 404
    assert client.head(link).status_code == 200


def attach(runtime: Runtime, content: bytes = PDF, number: str = "A-1") -> str:
    with runtime.db.transaction() as session:
        return attach_document(session, invoice_by_number(session, number), content, actor="t").token


def test_a_document_is_linked_from_the_page_and_comes_back_byte_for_byte(
    client: TestClient, runtime: Runtime, client_id: int
) -> None:
    token = attach(runtime)
    answer = client.get(f"/d/{token}")
    assert (answer.status_code, answer.content) == (200, PDF)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'inline; filename="A-1.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    with runtime.db.transaction() as session:
        page = client.get(f"/p/{invoice_by_number(session, 'A-1').token}").text
    assert f'href="/d/{token}"' in page


def test_a_new_document_keeps_the_link_and_a_forgotten_one_leads_nowhere(
    client: TestClient, runtime: Runtime, client_id: int
) -> None:
    token = attach(runtime)
    assert attach(runtime, PDF.replace(b"1.7", b"1.4")) == token
    assert b"1.4" in client.get(f"/d/{token}").content
    with runtime.db.transaction() as session:
        detach_document(session, invoice_by_number(session, "A-1"), actor="t")
    assert client.get(f"/d/{token}").status_code == 404


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no complete PDF"),
        (b"<html>", "no complete PDF"),
        (b"%PDF-1.7 cut off", "no complete PDF"),
        (PDF[:-7] + b" " * (2 * 1024 * 1024) + PDF[-7:], "at most 2 MB"),
    ],
)
def test_what_is_no_small_whole_pdf_is_refused(runtime: Runtime, client_id: int, content: bytes, said: str) -> None:
    with pytest.raises(NotAPdf, match=said):
        attach(runtime, content)
