"""What a payer's page gives away: to a browser's cache, to other sites, to logs and to metrics (A13)."""

from pathlib import Path

import pytest

from nudgepay import clock
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.invoices.actions import create_client, create_invoice
from nudgepay.invoices.models import Contact
from web.served import serving

PERSON = ("Klara Geheim", "klara.geheim@lindner.example", "Bäckerei Geheim", "Torte-4711")


def test_no_token_and_no_person_reaches_the_log_or_the_metrics(
    settings: Settings, db: Database, tmp_path: Path
) -> None:
    now = clock.now()
    with db.transaction() as session:
        client = create_client(
            session,
            name=PERSON[2],
            email=PERSON[1],
            contact_name=PERSON[0],
            locale="de",
            timezone="Europe/Berlin",
            country="DE",
            actor="t",
        )
        made = create_invoice(
            session,
            client_id=client.id,
            number=PERSON[3],
            currency="EUR",
            amount_due=123_450,
            issued_on=now.date(),
            due_on=now.date(),
            now=now,
            actor="t",
        )
        tokens = (made.token, session.query(Contact).one().token)
    page = f"/p/{tokens[0]}"
    form = {"message": f"{PERSON[0]} sagt nein\0", "day": PERSON[1], "amount": PERSON[3]}
    with serving(settings, tmp_path / "served", LOG_LEVEL="DEBUG") as served:
        for path in ("", "/pay", "/paid", "/promise", "/dispute", "/wrong-person", "/nothing-here"):
            for method in ("GET", "POST", "PUT", "TRACE"):
                served.ask(page + path, method=method, form=form, headers={"Referer": page})
        served.ask(f"/u/{tokens[1]}", method="POST", form={"List-Unsubscribe": "One-Click"})
        served.ask(f"/u/{tokens[1]}?lang={PERSON[3]}")
        served.ask(f"{page}?{PERSON[1]}", headers={"X-Request-ID": PERSON[1]})
        served.ask(page, headers={"Host": tokens[0]})
        _, _, figures = served.ask("/metrics")
    logged = served.log.read_text()
    assert logged.count('"request"') > 20, "requests were logged"
    for secret in (*tokens, *PERSON, "Geheim", "sagt nein"):
        assert secret not in logged, secret
        assert secret not in figures


@pytest.mark.parametrize("page", ["p", "u"])
def test_a_page_is_kept_by_nobody_and_tells_no_other_site(
    settings: Settings, db: Database, tmp_path: Path, page: str
) -> None:
    now = clock.now()
    with db.transaction() as session:
        client = create_client(
            session,
            name="Acme",
            email="ap@acme.example",
            locale="en",
            timezone="Europe/Berlin",
            country="DE",
            actor="t",
        )
        invoice = create_invoice(
            session,
            client_id=client.id,
            number="A-1",
            currency="EUR",
            amount_due=100,
            issued_on=now.date(),
            due_on=now.date(),
            now=now,
            actor="t",
        )
        token = invoice.token if page == "p" else session.query(Contact).one().token
    with serving(settings, tmp_path / "served") as served:
        status, headers, text = served.ask(f"/{page}/{token}")
    assert status == 200
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert not {"server", "x-powered-by", "set-cookie", "etag", "last-modified"} & headers.keys()
    assert "ap@acme.example" not in text, "the page names no address"
    assert [part for part in text.split('"') if part.startswith(("http://", "https://", "//"))] == []
