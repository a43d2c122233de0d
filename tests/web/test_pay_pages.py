"""The payer's pages: what is owed now, ways to pay, four answers; and nothing changes before a POST."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay import clock
from nudgepay.config import Settings
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.invoices.actions import create_client, create_invoice
from nudgepay.invoices.models import Contact, Invoice
from nudgepay.payments.actions import undo_payment
from nudgepay.payments.bank import record_transfer
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.web.app import create_app

LINKS = (
    "/p/{invoice}",
    "/p/{invoice}/pay",
    "/p/{invoice}/receipt",
    "/p/{invoice}/paid",
    "/p/{invoice}/promise",
    "/p/{invoice}/dispute",
    "/p/{invoice}/wrong-person",
    "/u/{contact}",
)


class Payer:
    """A payer with a browser, an invoice and a Stripe."""

    def __init__(self, runtime: Runtime, fake: FakeStripe, browser: TestClient, currency: str) -> None:
        self.runtime, self.fake, self.browser = runtime, fake, browser
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
            made = [
                create_invoice(
                    session,
                    client_id=client.id,
                    number=f"A-{n}",
                    currency=currency,
                    amount_due=123_450,
                    issued_on=date(2026, 2, 1),
                    due_on=today.date() - timedelta(days=3),
                    now=today,
                    actor="t",
                )
                for n in (1, 2)
            ]
            self.client_id, self.invoice_ids = client.id, [invoice.id for invoice in made]
            self.token = made[0].token
            self.contact_token = session.query(Contact).filter_by(client_id=client.id).one().token

    def invoice(self, index: int = 0) -> Invoice:
        with self.runtime.db.transaction() as session:
            return session.get_one(Invoice, self.invoice_ids[index])

    def get(self, path: str = "", **options):
        return self.browser.get(f"/p/{self.token}{path}", **options)

    def post(self, path: str, **fields: str):
        return self.browser.post(f"/p/{self.token}{path}", data=fields)

    def dump(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table of ours."""
        with self.runtime.db.transaction() as session:
            names = session.scalars(
                text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")
            ).all()
            return {
                name: [tuple(map(str, row)) for row in session.execute(text(f'SELECT * FROM "{name}"'))]
                for name in names
            }

    def holds(self) -> dict[str, object]:
        """What the engine is told about the invoice."""
        from nudgepay.nudges.queries import load_clients

        with self.runtime.db.transaction() as session:
            client = load_clients(session, [self.client_id], now=clock.now())[self.client_id]
        found = next(invoice for invoice in client.invoices if invoice.id == self.invoice_ids[0])
        return {
            "promised": found.promised_until,
            "claimed": found.claimed_paid_until,
            "disputed": found.disputed,
            "blocked": client.contacts[0].blocked,
        }


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe() as server:
        yield server


@pytest.fixture
def payer(settings: Settings, fake: FakeStripe, request: pytest.FixtureRequest) -> Iterator[Payer]:
    given = settings.model_copy(
        update={
            "stripe_secret_key": SecretStr(fake.api_key),
            "stripe_api_base": fake.url,
            "base_url": "http://testserver",
        }
    )
    runtime = build_runtime(given)
    with TestClient(create_app(runtime), follow_redirects=False) as browser:
        yield Payer(runtime, fake, browser, getattr(request, "param", "EUR"))
    runtime.close()


def test_the_page_shows_what_is_owed_in_the_payers_language(payer: Payer) -> None:
    page = payer.get().text
    assert '<html lang="de">' in page
    assert "1.234,50\xa0€" in page
    assert "seit 3 Tagen überfällig" in page
    assert "DE89 3704 0044 0532 0130 00" in page
    assert "data:image/svg+xml" in page


def test_the_language_can_be_switched(payer: Payer) -> None:
    page = payer.get("?lang=en").text
    assert "3 days overdue" in page
    assert re.search(r"due \d{1,2} [A-Z][a-z]+ 20\d\d", page), "the day first, as everywhere but in the United States"


@pytest.mark.parametrize(
    ("payer", "shown", "theirs"),
    [("JPY", "123.450", 123_450), ("EUR", "1.234,50", 123_450), ("KWD", "123,450", 123_450)],
    indirect=["payer"],
)
def test_page_and_provider_agree_about_the_amount(payer: Payer, shown: str, theirs: int) -> None:
    assert shown in payer.get().text
    assert payer.post("/pay").status_code == 303
    assert payer.fake.sessions()[0]["amount_total"] == theirs


def test_the_button_leads_to_the_hosted_form_for_all_or_a_part(payer: Payer) -> None:
    answer = payer.post("/pay")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(payer.fake.url)
    assert payer.post("/pay", amount="234,50").status_code == 303
    assert payer.fake.sessions("open")[0]["amount_total"] == 23_450


@pytest.mark.parametrize("amount", ["9999999", "0", "-1", "abc", "1.2.3"])
def test_an_amount_that_cannot_be_is_refused_beside_its_field(payer: Payer, amount: str) -> None:
    answer = payer.post("/pay", amount=amount)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert payer.fake.sessions() == []


def test_without_stripe_the_page_offers_the_bank_alone(payer: Payer) -> None:
    with TestClient(create_app(replace(payer.runtime, stripe=None)), follow_redirects=False) as bare:
        page = bare.get(f"/p/{payer.token}").text
    assert "Per Überweisung" in page
    assert "/pay" not in page


def test_a_settled_invoice_closes_its_page(payer: Payer) -> None:
    with payer.runtime.db.transaction() as session:
        from nudgepay.payments.bank import record_transfer

        record_transfer(
            session, numbers=["A-1"], amount="1234.50", occurred_at=clock.now(), now=clock.now(), actor="t"
        )
    page = payer.get().text
    assert "Alles ist bezahlt" in page
    assert payer.post("/pay").status_code == 303
    assert payer.fake.sessions() == []


def test_a_receipt_tells_what_was_received_and_what_was_taken_back_is_not_there(payer: Payer) -> None:
    assert "Bisher ist nichts eingegangen" in payer.get("/receipt").text
    assert "/receipt" not in payer.get().text
    now = clock.now()
    with payer.runtime.db.transaction() as session:
        for amount, reference in (("200.00", "SEPA-1"), ("34.50", "SEPA-2")):
            booked = record_transfer(
                session, numbers=["A-1"], amount=amount, occurred_at=now, now=now, actor="t", reference=reference
            )
        undo_payment(session, booked.fact_id, now=now, actor="t")
    assert f'href="/p/{payer.token}/receipt"' in payer.get().text
    receipt = payer.get("/receipt").text
    assert "200,00\xa0€" in receipt
    assert "per Überweisung" in receipt
    assert "1.034,50\xa0€" in receipt
    assert "34,50\xa0€" not in receipt.replace("1.034,50\xa0€", "")


def test_a_stripe_that_is_away_is_said_and_nothing_is_lost(payer: Payer) -> None:
    payer.fake.fail_next(*["503"] * 9)
    answer = payer.post("/pay")
    assert answer.status_code == 503
    assert "Überweis" in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_any_mailed_link_changes_nothing(payer: Payer, method: str) -> None:
    before = payer.dump()
    for link in LINKS:
        path = link.format(invoice=payer.token, contact=payer.contact_token)
        answer = payer.browser.request(method, path)
        assert answer.status_code in {200, 405}, path
        assert "set-cookie" not in answer.headers
    assert payer.dump() == before
    assert payer.fake.calls == []


def test_every_unknown_link_gets_the_same_answer(payer: Payer) -> None:
    unknown = ["A" * 32, "1", "..etc", str(payer.invoice_ids[0]), payer.contact_token, "' OR 1=1", "%00", "x" * 300]
    answers = [payer.browser.get(f"/p/{token}") for token in unknown]
    answers += [payer.browser.get(f"/u/{payer.token}"), payer.browser.post(f"/p/{'B' * 32}/pay")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1


def test_an_unknown_link_costs_as_many_questions_as_a_known_one(payer: Payer) -> None:
    from sqlalchemy import event

    def questions(token: str) -> int:
        asked: list[str] = []
        engine = payer.runtime.db.engine
        listen = lambda *args: asked.append(args[2])  # noqa: E731
        event.listen(engine, "before_cursor_execute", listen)
        payer.browser.get(f"/p/{token}")
        event.remove(engine, "before_cursor_execute", listen)
        return sum("invoices.token" in statement or "letters.token" in statement for statement in asked)

    assert questions(payer.token) == questions("C" * 32) == questions("1") == 2


def test_guessing_is_slowed_down(payer: Payer) -> None:
    statuses = [payer.browser.get(f"/p/{'D' * 30}{n:02}").status_code for n in range(32)]
    assert statuses[:30] == [404] * 30
    assert statuses[30:] == [429, 429]


def test_the_answers_keep_to_themselves(payer: Payer) -> None:
    headers = payer.get().headers
    assert headers["cache-control"] == "no-store"
    assert "noindex" in headers["x-robots-tag"]
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    page = payer.get().text
    assert not re.search(r"<script|style=|\son\w+=", page)


def test_another_host_is_not_answered(payer: Payer) -> None:
    assert payer.get(headers={"Host": "evil.example"}).status_code == 400


def test_a_form_that_is_too_large_is_refused(payer: Payer) -> None:
    assert payer.post("/dispute", message="x" * 70_000).status_code == 413


def test_a_hostile_request_id_is_replaced(payer: Payer) -> None:
    assert payer.get(headers={"X-Request-ID": "fine-1"}).headers["x-request-id"] == "fine-1"
    assert payer.get(headers={"X-Request-ID": "a b"}).headers["x-request-id"] != "a b"


def test_i_have_paid_silences_for_a_bounded_time_and_tells_a_person(payer: Payer) -> None:
    assert payer.post("/paid").status_code == 200
    assert payer.holds()["claimed"] is not None
    with payer.runtime.db.transaction() as session:
        assert session.scalars(text("SELECT kind FROM notices")).all() == ["payment.claimed"]


def test_a_promise_is_noted_once_and_silences(payer: Payer) -> None:
    day = (clock.now().date() + timedelta(days=5)).isoformat()
    assert payer.post("/promise", day=day).status_code == 200
    assert payer.post("/promise", day=day).status_code == 200
    assert payer.holds()["promised"] is not None
    with payer.runtime.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM promises WHERE state = 'pending'")) == 1


@pytest.mark.parametrize("day", ["", "soon", "2001-01-01", "2099-01-01"])
def test_an_impossible_promise_is_refused(payer: Payer, day: str) -> None:
    assert payer.post("/promise", day=day).status_code == 422
    assert payer.holds()["promised"] is None


@pytest.mark.parametrize(("paid", "state"), [("1234.50", "kept"), ("500.00", "partially_kept"), (None, "broken")])
def test_a_promise_ends_as_kept_part_kept_or_broken(payer: Payer, paid: str | None, state: str) -> None:
    from nudgepay.nudges.promises import settle_promises
    from nudgepay.payments.bank import record_transfer

    payer.post("/promise", day=(clock.now().date() + timedelta(days=3)).isoformat())
    with payer.runtime.db.transaction() as session:
        if paid is not None:
            record_transfer(
                session, numbers=["A-1"], amount=paid, occurred_at=clock.now(), now=clock.now(), actor="t"
            )
        settle_promises(session, now=clock.now() + timedelta(days=30))
    with payer.runtime.db.transaction() as session:
        assert session.scalars(text("SELECT state FROM promises")).all() == [state]
        broken = session.scalar(text("SELECT count(*) FROM notices WHERE kind LIKE 'promise.%'"))
    assert bool(broken) is (state == "broken")
    assert payer.holds()["promised"] is None if state != "kept" else payer.invoice().status == "paid"


def test_a_part_can_be_contested_and_only_the_rest_is_claimed(payer: Payer) -> None:
    assert payer.post("/dispute", message="zu viel", amount="234,50").status_code == 200
    assert payer.holds()["disputed"] == 23_450
    assert "1.000,00\xa0€" in payer.get().text


def test_words_that_no_text_may_hold_are_refused_and_nothing_is_contested(payer: Payer) -> None:
    assert payer.post("/dispute", message="a\0b").status_code == 422
    assert payer.holds()["disputed"] == 0


def test_all_of_it_can_be_contested(payer: Payer) -> None:
    assert payer.post("/dispute", message="nie bestellt").status_code == 200
    assert payer.holds()["disputed"] == 123_450


def test_the_wrong_person_hears_no_more(payer: Payer) -> None:
    assert payer.post("/wrong-person").status_code == 200
    assert payer.holds()["blocked"] == "wrong_person"


def test_one_click_stops_reminders_to_this_person_and_the_owner_sees_it(payer: Payer) -> None:
    answer = payer.browser.post(f"/u/{payer.contact_token}", data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert payer.holds()["blocked"] == "opted_out"
    payer.browser.post(f"/u/{payer.contact_token}", data={"List-Unsubscribe": "One-Click"})
    with payer.runtime.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM suppressions")) == 1
        assert session.scalar(text("SELECT count(*) FROM notices WHERE kind = 'contact.unsubscribed'")) == 1
    payer.browser.post(f"/u/{payer.contact_token}", data={"undo": "yes"})
    assert payer.holds()["blocked"] is None
