"""Markup and scripts in what clients, payers and relays can write: on an invoice's page they are only text."""

import re
from html.parser import HTMLParser

import pytest

from nudgepay import clock
from nudgepay.nudges.disputes import open_dispute
from web.ui.desk import Desk
from web.ui.invoice_books import an_invoice, form_of, look, one, run, sent

HOSTILE = (
    "</title></textarea></script><script>alert(1)</script><img src=x onerror=alert(1)>"
    '"><svg/onload=alert(1)> javascript:alert(1) {{ 7*7 }} {% raw %} %(amount)s'
)
HARMLESS = "an ordinary text"


class Shape(HTMLParser):
    """Every tag with the names of its attributes, in order; links without their values."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action", "hx-get"}]


REWRITTEN = (
    "UPDATE invoices SET number = :words, description = :words, external_id = :words",
    "UPDATE clients SET name = :words",
    "UPDATE contacts SET name = :words",
    "UPDATE letters SET subject = :words, reply = :words, to_address = :words",
    "UPDATE disputes SET message = :words",
    "UPDATE money_facts SET note = :words",
    "UPDATE reviews SET reason = :words, resolution = :words, resolved_by = :words",
    "UPDATE audit_events SET actor = :words WHERE action IN ('invoice.create', 'invoice.update')",
    "UPDATE audit_events SET after = jsonb_build_object('name', CAST(:words AS text)) WHERE action = 'invoice.update'",
)
"""Everything that others write about an invoice says `words`."""


def _an_invoice_with_a_past(desk: Desk) -> int:
    invoice_id = an_invoice(desk.runtime)
    desk.post(f"/invoices/{invoice_id}/payments", {"amount": "1", "note": "x"})
    desk.post(f"/invoices/{invoice_id}/nudges")
    given = {"invoice_id": invoice_id, "source": "page", "actor": "payer", "now": clock.now()}
    with desk.runtime.db.transaction() as session:
        open_dispute(session, amount=7, message="x", **given)
    subject = f"invoices:{invoice_id}"
    run(
        desk.runtime,
        "INSERT INTO audit_events (actor, action, subject) VALUES ('x', 'invoice.update', :s)",
        s=subject,
    )
    run(
        desk.runtime,
        "INSERT INTO reviews (invoice_id, reason, dedup_key, details, resolved_at, resolved_by, resolution)"
        " VALUES (:id, 'x', 'x', '{\"source\": \"x\"}', now(), 'x', 'x')",
        id=invoice_id,
    )
    desk.get(f"/invoices/{invoice_id}")  # what it has to tell once is told
    return invoice_id


def test_markup_from_others_is_text_on_every_page_of_an_invoice(desk: Desk) -> None:
    invoice_id = _an_invoice_with_a_past(desk)
    letter = one(desk.runtime, "SELECT id FROM letters")
    pages = ("", "/nudges/new", "/payments/new", "/payments/1/undo", "/disputes/new", "/pause", f"/letters/{letter}")
    shapes = {}
    for words in (HARMLESS, HOSTILE):
        for statement in REWRITTEN:
            run(desk.runtime, statement, words=words)
        shapes[words] = {path: Shape(desk.get(f"/invoices/{invoice_id}{path}").text) for path in pages}
    for path, shape in shapes[HOSTILE].items():
        assert shape.tags == shapes[HARMLESS][path].tags, path
        assert [link for link in shape.links if not link.startswith(("/", "#", "http://testserver/"))] == [], path


def test_a_typed_script_comes_back_as_text_in_its_field(desk: Desk) -> None:
    path = f"/invoices/{an_invoice(desk.runtime)}/payments"
    again = desk.post(path, {"amount": HOSTILE, "note": HOSTILE, "on": HOSTILE, "key": "12345678"})
    assert again.status_code == 422
    assert "<script>alert" not in again.text
    assert "<img src=x" not in again.text
    assert form_of(again.text, path)["key"] == "12345678"


@pytest.mark.parametrize("kind", ["html", "raw", "new"])
def test_a_letter_is_shown_where_it_can_do_nothing(desk: Desk, kind: str) -> None:
    """Its frame is sandboxed, and its own policy loads, runs and sends nothing, even if it is opened by itself."""
    invoice_id = an_invoice(desk.runtime)
    desk.post(f"/invoices/{invoice_id}/nudges")
    assert len(sent(desk.runtime)) == 1
    letter = one(desk.runtime, "SELECT id FROM letters")
    path = f"/invoices/{invoice_id}/letters/{letter}"
    assert f'src="{path}/html"' in desk.get(path).text
    assert 'sandbox loading="lazy"' in desk.get(path).text
    if kind == "raw":
        raw = desk.get(f"{path}/raw")
        assert raw.content == (desk.runtime.settings.nudgepay_home / "outbox" / sent(desk.runtime)[0]).read_bytes()
        assert raw.headers["content-disposition"].startswith("attachment; filename=")
        assert raw.headers["content-type"] == "message/rfc822"
        return
    framed = desk.get(f"{path}/html" if kind == "html" else f"/invoices/{invoice_id}/nudges/new/html")
    policy = framed.headers["content-security-policy"]
    assert {"default-src 'none'", "sandbox", "frame-ancestors 'self'"} <= set(policy.split("; "))
    assert "script" not in policy
    assert "x-frame-options" not in framed.headers
    assert look(desk.runtime, invoice_id).status == "open"


def test_a_nul_in_any_field_is_refused_and_breaks_nothing(desk: Desk) -> None:
    fields = {"email": "a\0@b.example", "password": "a\0b", "name": "a\0b", "reason": "a\0b", "message": "a\0b"}
    for path in (
        "/login",
        "/clients/new",
        "/operations/sending/pause",
        "/account",
        "/schedules/new",
        "/invoices/new",
    ):
        assert desk.post(path, fields).status_code < 500, path
    desk.client.cookies.clear()
    before = re.search(r'name="_csrf_token" value="(\w+)"', desk.get("/login").text)
    assert before is not None
    answer = desk.client.post("/login", data={**fields, "_csrf_token": before[1]}, headers={"accept": "text/html"})
    assert answer.status_code in {401, 422}
