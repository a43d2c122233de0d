"""Insights: figures of closed months, and a page that teaches while there are none."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from nudgepay import clock
from nudgepay.insights.closing import run_closing
from nudgepay.invoices.models import Client
from nudgepay.payments.bank import record_transfer
from nudgepay.web.ui.charts import HEIGHT, TOP, WIDTH, bars, ceiling, lines
from nudges.books import make_client, make_invoice
from web.ui.desk import Desk


def test_before_a_month_is_closed_the_page_says_what_will_be_here(desk: Desk) -> None:
    assert "The first month is not over yet" in desk.get("/insights").text


def test_closed_months_are_shown_by_currency_with_their_formulas(desk: Desk) -> None:
    db, now = desk.runtime.db, clock.now()
    client = make_client(db)
    with db.transaction() as session:
        session.get_one(Client, client).name = "<b>bold</b>"
    due = (now - timedelta(days=75)).date()
    for number, currency in (("A-1", "EUR"), ("A-2", "JPY")):
        make_invoice(db, client, number, due_on=due, amount=50_000, currency=currency)
    paid_at = datetime(due.year, due.month, due.day, 12, tzinfo=UTC) + timedelta(days=6)
    with db.transaction() as session:
        record_transfer(session, numbers=["A-1"], amount="500.00", occurred_at=paid_at, now=paid_at, actor="t")
    run_closing(db, now=now, zone=ZoneInfo("Europe/Berlin"))
    page = desk.get("/insights?currency=EUR").text
    assert "€500.00" in page
    assert "Credit Research Foundation" in page
    assert "&lt;b&gt;bold" in page
    assert "<b>bold" not in page
    assert "¥50,000" in desk.get("/insights?currency=JPY").text
    assert desk.get("/insights?currency=';--").status_code == 200


def test_a_picture_stays_in_its_frame_and_a_gap_stays_a_gap() -> None:
    values = [3.0, None, 0.0, 12.5]
    stretches = lines(values, ceiling(values))
    assert [len(points.split()) for points in stretches] == [1, 2]
    points = [tuple(map(float, point.split(","))) for stretch in stretches for point in stretch.split()]
    assert all(0 <= x <= WIDTH and TOP <= y <= HEIGHT for x, y in points)
    found = bars([(1, 2), (0, 4)], 4)
    assert [bar.height for bar in found] == [37.0, 74.0, 0.0, 148.0]
    assert max(bar.x + bar.width for bar in found) <= WIDTH
    assert ceiling([None]) == ceiling([]) == 1
