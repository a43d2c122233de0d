"""The list of invoices: found, narrowed, ordered, paged; and what garbage in the query string does to it: nothing."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from nudgepay import clock
from nudgepay.invoices.actions import create_client, create_invoice
from nudgepay.runtime import Runtime
from web.ui.desk import Desk

NOW = clock.now()
TODAY = NOW.date()


@pytest.fixture
def books(runtime: Runtime) -> Iterator[Runtime]:
    """Three clients; invoices of four ages, three currencies, some of equal due date and amount."""
    rows = [
        ("Lindner GmbH", "INV-2026-0042", "EUR", 12_050, 40),
        ("Lindner GmbH", "INV-2026-0043", "EUR", 12_050, 5),
        ("Müller & Söhne", "INV-2026-0044", "EUR", 12_050, 5),
        ("Müller & Söhne", "INV-2026-0045", "JPY", 9_000, 5),
        ("Acme Ltd", "X-7", "USD", 700, -10),
        ("Acme Ltd", "X-8", "USD", 700, 100),
    ]
    with runtime.db.transaction() as session:
        ids: dict[str, int] = {}
        for name, number, currency, amount, late in rows:
            if name not in ids:
                ids[name] = create_client(
                    session,
                    name=name,
                    email=f"k{len(ids)}@x.example",
                    locale="en",
                    timezone="UTC",
                    country="DE",
                    actor="t",
                ).id
            due = TODAY - timedelta(days=late)
            create_invoice(
                session,
                client_id=ids[name],
                number=number,
                currency=currency,
                amount_due=amount,
                issued_on=due - timedelta(days=14),
                due_on=due,
                now=NOW,
                actor="t",
            )
    yield runtime


def numbers(page: str) -> list[str]:
    return re.findall(r'class="row-link" href="/invoices/\d+">([^<]+)</a>', page)


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["X-8", "INV-2026-0042", "INV-2026-0043", "INV-2026-0044", "INV-2026-0045", "X-7"]),
        ("status=overdue&sort=-due", ["INV-2026-0045", "INV-2026-0044", "INV-2026-0043", "INV-2026-0042", "X-8"]),
        ("q=42", ["INV-2026-0042"]),
        ("q=0042", ["INV-2026-0042"]),
        ("q=lind+2026", ["INV-2026-0042", "INV-2026-0043"]),
        ("q=MÜLLER", ["INV-2026-0044", "INV-2026-0045"]),
        ("currency=usd&age=91%2B", ["X-8"]),
        ("age=1-30&currency=EUR", ["INV-2026-0043", "INV-2026-0044"]),
        ("age=current", ["X-7"]),
        ("sort=number&currency=USD", ["X-7", "X-8"]),
        ("sort=client&age=1-30", ["INV-2026-0043", "INV-2026-0044", "INV-2026-0045"]),
        ("sort=-amount", ["X-8", "X-7", "INV-2026-0045", "INV-2026-0044", "INV-2026-0043", "INV-2026-0042"]),
        ("status=paid", []),
        ("status=all&q=x", ["X-7", "X-8"]),
    ],
)
def test_the_list_is_what_was_asked_for(desk: Desk, query: str, found: list[str]) -> None:
    page = desk.get(f"/invoices?{query}")
    assert page.status_code == 200
    assert numbers(page.text) == found
