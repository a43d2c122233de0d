"""`/clients`: who owes, found as one types, one page at a time."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.nudges.client_list import COUNTED, ORDERS, VIEWS, find_clients
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import row_id_of
from nudgepay.web.ui.words import N_

router = APIRouter()
ClientsPage = Annotated[Page, allowed(Permission.CLIENT_READ)]
LONGEST_QUERY = 100
VIEW_NAMES = {
    "all": N_("All"),
    "owing": N_("With open invoices"),
    "blocked": N_("Cannot be reached"),
    "off": N_("Reminders off"),
    "paused": N_("Paused"),
    "autopay": N_("Debited automatically"),
}


@router.get("/clients", response_class=HTMLResponse)
def clients(
    page: ClientsPage, session: ReadSessionDep, q: str = "", view: str = "all", sort: str = "name", after: str = ""
) -> Response:
    """The list. What is not known in the query counts as not said."""
    query = q[:LONGEST_QUERY]
    view = view if view in VIEWS else "all"
    sort = sort if sort in ORDERS else "name"
    today = page.now.astimezone(page.zone).date()
    found = find_clients(session, today=today, query=query, view=view, order=sort, after=row_id_of(after))
    asked = {"q": query, "view": view, "sort": sort}

    def link(**changes: str | int) -> str:
        wanted = {key: value for key, value in {**asked, **changes}.items() if value not in {"", "all", "name"}}
        return f"/clients?{urlencode(wanted)}" if wanted else "/clients"

    return page.show(
        "clients/list.html",
        found=found,
        asked=asked,
        views=[(name, label, link(view=name), name == view) for name, label in VIEW_NAMES.items()],
        by_name=link(sort="name"),
        by_age=link(sort="new"),
        next_url=link(after=found.after) if found.after else None,
        is_first_page=row_id_of(after) is None,
        most=COUNTED,
        today=today,
    )
