"""`GET /invoices`: found at once, narrowed, ordered, page by page."""

from datetime import date
from typing import Annotated, Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.models import SavedView
from nudgepay.access.permissions import Permission
from nudgepay.access.saved_views import saved_views
from nudgepay.invoices.models import Client
from nudgepay.nudges.bulk import MOST
from nudgepay.nudges.invoice_filters import Filters
from nudgepay.nudges.invoice_list import MOST_COUNTED, InvoicePage, invoice_page, known_currencies
from nudgepay.nudges.next_steps import next_steps
from nudgepay.nudges.queries import load_calendar
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.invoices.choices import chips, choices
from nudgepay.web.ui.invoices.words import NOTHING, VIEWS
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.rendering import number

router = APIRouter()
PAGE = "invoices"
BUILT_IN = frozenset(query for _, query in VIEWS)


@router.get("/invoices", response_class=HTMLResponse)
def invoices(page: Annotated[Page, allowed(Permission.INVOICE_READ)], session: ReadSessionDep) -> Response:
    """The list that the query string asks for; what it does not understand it leaves out."""
    filters = Filters.of(page.request.query_params)
    today = today_of(page)
    found = invoice_page(session, filters, today=today)
    calendar = load_calendar(page.runtime.settings)
    answer = page.show(
        "invoices/list.html",
        filters=filters,
        here=path_of(filters),
        path_of=path_of,
        kept=parse_qsl(filters.query()),
        rows=found.rows,
        steps=next_steps(session, found.rows, calendar=calendar, now=page.now),
        today=today,
        can_act=page.may(Permission.INVOICE_WRITE),
        count_text=_count(page, found),
        everything=0 if found.is_bounded or found.count <= len(found.rows) else found.count,
        is_too_much=found.is_bounded,
        most=MOST,
        next_url=path_of(filters, after=found.after) if found.after else None,
        first_url=path_of(filters) if filters.after else None,
        has_any=bool(found.rows) or session.scalar(select(Client.id).limit(1)) is not None,
        nothing=[page.gettext(text) for text in NOTHING.get(filters.status, NOTHING["open"])],
        choices=choices(page, filters, known_currencies(session)),
        **_views(page, session, filters),
    )
    answer.headers["HX-Push-Url"] = path_of(filters, after=filters.after)
    return answer


def today_of(page: Page) -> date:
    """The day at the business: what is late is late there, whoever looks."""
    return page.now.astimezone(ZoneInfo(page.runtime.settings.business_timezone)).date()


def path_of(filters: Filters, **changed: object) -> str:
    """The address of this list, with some of it changed."""
    query = filters.query(**changed)
    return f"/invoices?{query}" if query else "/invoices"


def _count(page: Page, found: InvoicePage) -> str:
    if found.is_bounded:
        return page.gettext("More than %(count)s invoices") % {"count": number(MOST_COUNTED, page)}
    text = page.ngettext("%(count)s invoice", "%(count)s invoices", found.count)
    return text % {"count": number(found.count, page)}


def _views(page: Page, session: Session, filters: Filters) -> dict[str, Any]:
    """Ours, then the person's own; which of them is shown; and the filters that none of ours stands for."""
    shown = filters.query()
    mine = saved_views(session, page.signed.operator_id, PAGE)
    own: SavedView | None = next((view for view in mine if view.query == shown), None)
    is_built_in = filters.query(sort=None) in BUILT_IN
    told = [] if is_built_in or own is not None else chips(page, filters, _client_name(session, filters), path_of)
    return {
        "views": [
            *(_view(page.gettext(name), query, own is None and filters.query(sort=None)) for name, query in VIEWS),
            *(_view(view.name, view.query, shown, id=view.id) for view in mine),
        ],
        "own": own,
        "is_own_list": shown not in BUILT_IN,
        "chips": told,
    }


def _view(name: str, query: str, shown: str | bool, *, id: int | None = None) -> dict[str, Any]:
    return {"id": id, "name": name, "path": f"/invoices?{query}" if query else "/invoices", "is_here": query == shown}


def _client_name(session: Session, filters: Filters) -> str:
    if filters.client is None:
        return ""
    return session.scalar(select(Client.name).where(Client.id == filters.client)) or str(filters.client)
