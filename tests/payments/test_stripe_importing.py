"""Stripe's open invoices are brought here whole or not at all, and the same again changes nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.errors import UsageError
from nudgepay.gateways.stripe import StripeUnavailable
from nudgepay.invoices.actions import create_client, create_invoice
from nudgepay.payments.bank import record_transfer
from nudgepay.payments.stripe_importing import import_invoices
from nudgepay.payments.terms import StripeTerms
from payments.shop import DEFAULTS, NOW, TERMS, Shop, seconds


def count(shop: Shop, table: str) -> int:
    with shop.db.transaction() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def test_an_open_invoice_comes_with_its_client_days_language_and_country(shop: Shop) -> None:
    stripe_id = shop.bill("S-1", 12_345, effective_at=seconds(date(2026, 3, 2)), description="Desk")
    report = shop.bring()
    assert (report.rows, report.created, report.waiting, report.errors) == (1, 1, 0, [])
    invoice = shop.invoice()
    assert (invoice.external_id, invoice.currency, invoice.amount_due) == (stripe_id, "EUR", 12_345)
    assert (invoice.issued_on, invoice.due_on, invoice.description) == (date(2026, 3, 2), date(2026, 4, 1), "Desk")
    with shop.db.transaction() as session:
        client = session.execute(
            text("SELECT c.*, k.email FROM clients c JOIN contacts k ON k.client_id = c.id")
        ).one()
    assert (client.name, client.email, client.locale, client.country) == (
        "Client S-1",
        "s-1@client.example",
        "de-AT",
        "AT",
    )
    assert (client.external_id, client.timezone) == (shop.there()["customer"], "Europe/Berlin")


@pytest.mark.parametrize(
    ("currency", "theirs", "ours"), [("jpy", 500, 500), ("kwd", 12_340, 12_340), ("isk", 50_000, 500)]
)
def test_amounts_are_minor_units_of_their_currency(shop: Shop, currency: str, theirs: int, ours: int) -> None:
    shop.bill("S-1", theirs, currency=currency)
    assert not shop.bring().errors
    assert (shop.invoice().currency, shop.invoice().amount_due) == (currency.upper(), ours)


def test_a_day_is_the_business_zones_day(shop: Shop) -> None:
    shop.bill("S-1", due_on=None, due_date=seconds(date(2026, 3, 31)) + 11 * 3600)
    shop.bring()
    assert shop.invoice().due_on == date(2026, 4, 1)


def test_the_same_again_changes_nothing(shop: Shop) -> None:
    for number in ("S-1", "S-2"):
        shop.bill(number)
    shop.fake.billing.pay(shop.ids["S-2"], 4_000)
    shop.bring()
    before = [(shop.invoice(number).version, shop.state(number)) for number in ("S-1", "S-2")]
    again = shop.bring()
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)
    assert [(shop.invoice(number).version, shop.state(number)) for number in ("S-1", "S-2")] == before
    assert before[1][1] == ("open", "partially_paid", 6_000)
    assert (count(shop, "clients"), count(shop, "stripe_invoices"), count(shop, "money_facts")) == (2, 2, 1)


def test_a_dry_run_writes_nothing_and_a_real_one_waits_for_release(shop: Shop) -> None:
    shop.bill("S-1", due_on=date(2026, 3, 1))
    shop.bill("S-2")
    assert (shop.bring(dry_run=True).created, count(shop, "invoices"), count(shop, "clients")) == (2, 0, 0)
    assert shop.bring().waiting == 1
    assert [shop.invoice(number).amnesty_at is not None for number in ("S-1", "S-2")] == [True, False]


def test_released_ones_do_not_wait(shop: Shop) -> None:
    shop.bill("S-1", due_on=date(2026, 3, 1))
    assert shop.bring(release=True).waiting == 0
    assert shop.invoice().amnesty_at is None


@pytest.mark.parametrize(
    ("fault", "column"),
    [
        ({"customer_email": None}, "customer_email"),
        ({"customer_email": "nobody"}, "customer_email"),
        ({"number": None}, "number"),
        ({"currency": "xxq"}, "currency"),
        ({"amount_due": 0}, "amount_due"),
        ({"amount_due": "12"}, "amount_due"),
        ({"created": None, "effective_at": None, "status_transitions": {}, "due_date": None}, "created"),
    ],
)
def test_one_bad_invoice_is_named_with_its_cure_and_nothing_is_written(
    shop: Shop, fault: dict[str, Any], column: str
) -> None:
    shop.bill("S-1")
    bad = shop.bill("S-2")
    shop.there("S-2").update(fault)
    report = shop.bring()
    assert [(one.column, one.message.startswith(bad)) for one in report.errors][:1] == [(column, True)]
    assert "@" not in " ".join(one.message for one in report.errors)
    assert (report.created, count(shop, "invoices"), count(shop, "clients")) == (0, 0, 0)


def test_a_draft_that_is_listed_is_a_fault_and_what_closed_meanwhile_is_left_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [dict(shop.fake.store.get("invoice", shop.bill(f"S-{number}"))) for number in range(3)]
    listed[1]["status"] = "paid"
    monkeypatch.setattr(shop.gateway.invoices, "list_open", lambda **_: iter([*listed, listed[0]]))
    assert (shop.bring(dry_run=True).rows, shop.bring(dry_run=True).errors) == (2, [])
    listed[2]["status"] = "draft"
    assert [fault.code for fault in shop.bring().errors] == ["draft"]


def test_two_invoices_with_one_number_are_named(shop: Shop) -> None:
    first, second = shop.bill("S-1"), shop.bill("S-1")
    (fault,) = shop.bring().errors
    assert fault.code == "number_twice"
    assert first in fault.message
    assert second in fault.message


def test_an_invoice_here_is_tied_to_stripes_unless_it_is_another_one(shop: Shop) -> None:
    with shop.db.transaction() as session:
        for number in ("S-1", "S-2"):
            client = create_client(
                session,
                name=f"Client {number}",
                email=f"{number.lower()}@client.example",
                locale="de",
                timezone="Europe/Berlin",
                country="AT",
                actor="t",
            )
            create_invoice(
                session,
                client_id=client.id,
                number=number,
                currency="EUR",
                amount_due=10_000,
                issued_on=date(2026, 3, 1),
                due_on=date(2026, 4, 1),
                external_id="4711" if number == "S-2" else None,
                now=NOW,
                actor="t",
            )
    shop.bill("S-1")
    assert not shop.bring().errors
    assert shop.invoice().external_id == shop.ids["S-1"]
    shop.bill("S-2")
    assert [fault.code for fault in shop.bring().errors] == ["other_invoice"]


def test_money_that_a_file_brought_is_not_brought_again_by_stripe(shop: Shop) -> None:
    with shop.db.transaction() as session:
        client = create_client(
            session,
            name="Client S-1",
            email="s-1@client.example",
            locale="de",
            timezone="UTC",
            country="AT",
            actor="t",
        )
        create_invoice(
            session,
            client_id=client.id,
            number="S-1",
            currency="EUR",
            amount_due=10_000,
            issued_on=date(2026, 3, 1),
            due_on=date(2026, 4, 1),
            now=NOW,
            actor="t",
        )
        record_transfer(session, numbers=["S-1"], amount="40", occurred_at=NOW, now=NOW, actor="t")
    stripe_id = shop.bill("S-1")
    shop.fake.billing.pay(stripe_id, 4_000)
    (fault,) = shop.bring().errors
    assert (fault.code, shop.state()) == ("paid_here_already", ("open", "partially_paid", 6_000))
    assert count(shop, "stripe_invoices") == 0


def test_two_imports_at_once_write_each_invoice_once(shop: Shop) -> None:
    for number in range(20):
        shop.bill(f"S-{number}")
    with ThreadPoolExecutor(4) as pool:
        reports = [each.result() for each in [pool.submit(shop.bring) for _ in range(4)]]
    assert sorted((report.created, report.unchanged) for report in reports) == [(0, 20)] * 3 + [(20, 0)]
    assert (count(shop, "invoices"), count(shop, "clients"), count(shop, "stripe_invoices")) == (20, 20, 20)


@pytest.mark.parametrize("terms", [StripeTerms(livemode=True), StripeTerms(livemode=True, account="acct_x")])
def test_a_key_of_another_mode_is_refused(shop: Shop, terms: StripeTerms) -> None:
    shop.bill()
    with pytest.raises(UsageError, match="STRIPE_SECRET_KEY"):
        shop.bring(terms=terms)
    assert count(shop, "invoices") == 0


def test_a_list_that_breaks_off_writes_nothing(shop: Shop) -> None:
    for number in range(101):
        shop.bill(f"S-{number}")
    shop.fake.fail_next("ok", *["503"] * 3, on="GET /v1/invoices")
    seen: list[int] = []
    with pytest.raises(StripeUnavailable):
        import_invoices(
            shop.db, shop.gateway, terms=TERMS, defaults=DEFAULTS, now=NOW, actor="t", progress=seen.append
        )
    assert (seen, count(shop, "invoices")) == ([100], 0)
    assert shop.bring().created == 101


def test_what_is_paid_while_the_list_is_read_is_paid_here(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.bill()
    listed = list(shop.gateway.invoices.list_open())
    shop.fake.billing.pay(shop.ids["S-1"])
    lists = iter([iter(listed), iter([])])
    monkeypatch.setattr(shop.gateway.invoices, "list_open", lambda **_: next(lists))
    shop.bring()
    assert shop.state() == ("paid", "paid", 0)


@pytest.mark.parametrize(
    ("says", "autopay", "failed"),
    [
        ({}, True, False),
        ({"attempted": True, "next_payment_attempt": 1_900_000_000}, True, False),
        ({"attempted": True}, True, True),
        ({"auto_advance": False}, False, False),
        ({"collection_method": "send_invoice", "attempted": True}, False, False),
    ],
)
def test_a_debited_invoice_is_marked_and_due_on_its_day(
    shop: Shop, says: dict[str, Any], autopay: bool, failed: bool
) -> None:
    fields = {"collection_method": "charge_automatically", "effective_at": seconds(date(2026, 3, 5)), **says}
    shop.bill("S-1", due_on=None, **fields)
    shop.bring()
    invoice = shop.invoice()
    assert (invoice.autopay, invoice.autopay_failed_at is not None) == (autopay, failed)
    assert invoice.due_on == date(2026, 3, 5)
