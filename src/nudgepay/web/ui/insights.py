"""`/insights`: how fast and how completely money comes in, which letters it follows, who pays late."""

from typing import Annotated

from babel.dates import format_date
from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.insights.closing import FOLLOWED_WITHIN_DAYS, next_month
from nudgepay.insights.collection import promise_kept_rate
from nudgepay.insights.reading import (
    MonthFigures,
    figures_by_currency,
    last_closed,
    promises_ended,
    slowest_payers,
    steps_and_money,
)
from nudgepay.money import babel_locale
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.charts import bars, ceiling, lines
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
MOST_CLIENTS = 15


@router.get("/insights", response_class=HTMLResponse)
def insights(
    page: Annotated[Page, allowed(Permission.INSIGHT_READ)], session: ReadSessionDep, currency: str = ""
) -> Response:
    """The closed months of one currency, and what they say."""
    figures = figures_by_currency(session)
    month = last_closed(session)
    if month is None or not figures:
        return page.show("insights/none.html")
    chosen = currency if currency in figures else next(iter(figures))
    promises = promises_ended(session)
    return page.show(
        "insights/insights.html",
        currencies=list(figures),
        currency=chosen,
        until=next_month(month),
        months=figures[chosen],
        names=[_name(one, page) for one in figures[chosen]],
        days=_days(figures[chosen]),
        money=_money(figures[chosen]),
        steps=steps_and_money(session),
        window=FOLLOWED_WITHIN_DAYS,
        promises=promises,
        kept=promise_kept_rate(promises.kept, promises.partially_kept, promises.broken),
        slowest=slowest_payers(session, most=MOST_CLIENTS),
    )


def _name(one: MonthFigures, page: Page) -> str:
    return format_date(one.month, "MMM yy", locale=babel_locale(page.locale))


def _days(months: list[MonthFigures]) -> dict[str, object]:
    top = ceiling([one.dso for one in months] + [one.best_dso for one in months])
    return {
        "top": top,
        "dso": lines([one.dso for one in months], top),
        "best": lines([one.best_dso for one in months], top),
    }


def _money(months: list[MonthFigures]) -> dict[str, object]:
    groups = [(float(one.sales), float(one.received)) for one in months]
    top = ceiling([value for group in groups for value in group])
    return {"top": top, "bars": bars(groups, top)}
