"""`/search/results`, which the palette asks while one types, and `/search`, the same as a page."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.nudges.calendars import local_day
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.search.finding import find

router = APIRouter()
SearchPage = Annotated[Page, allowed(Permission.TODAY_READ)]
Typed = Annotated[str, Query(max_length=1000)]


@router.get("/search/results", response_class=HTMLResponse)
def results(page: SearchPage, session: ReadSessionDep, q: Typed = "") -> Response:
    """The palette's list: options to choose with the arrows."""
    return page.show("search/options.html", found=find(session, page, q), today=_today(page))


@router.get("/search", response_class=HTMLResponse)
def search(page: SearchPage, session: ReadSessionDep, q: Typed = "") -> Response:
    """The same with a form, for those without scripts."""
    return page.show("search/search.html", found=find(session, page, q), today=_today(page))


def _today(page: Page) -> date:
    return local_day(page.now, page.runtime.settings.business_timezone)
