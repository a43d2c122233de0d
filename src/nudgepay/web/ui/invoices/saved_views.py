"""`/invoices/views`: lists under names of one's own. They are the person's taste and change nobody's books."""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Form
from starlette.responses import Response

from nudgepay.access.permissions import Permission
from nudgepay.access.saved_views import TooManyViews, ViewExists, clean_name, delete_view, rename_view, save_view
from nudgepay.errors import Conflict, NudgePayError, UsageError
from nudgepay.nudges.invoice_filters import Filters
from nudgepay.web.deps import SessionDep
from nudgepay.web.ui.invoices.listing import PAGE, path_of
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.words import N_

router = APIRouter()
WHY: dict[type[NudgePayError], str] = {
    UsageError: N_("Give the view a name of 1 to 40 characters."),
    ViewExists: N_("You have another view of this name."),
    TooManyViews: N_("You have 30 views already: delete one first."),
}
OwnPage = Annotated[Page, allowed(Permission.ACCOUNT_WRITE)]
Name = Annotated[str, Form(max_length=200)]


@router.post("/invoices/views")
def save(
    page: OwnPage, session: SessionDep, name: Name = "", query: Annotated[str, Form(max_length=2000)] = ""
) -> Response:
    """Keep the list under a name; what the query says beyond our own words is left out."""
    filters = filters_of(query)
    try:
        before = save_view(session, page.signed.operator_id, PAGE, name=name, query=filters.query())
    except (Conflict, UsageError) as error:
        return page.go(path_of(filters), told=_why(page, error), bad=True)
    name = clean_name(name)
    undo = None if before is None else Undo("/invoices/views", {"name": name, "query": before})
    told = N_("The view “%(name)s” is saved.") if before is None else N_("The view “%(name)s” shows this list now.")
    return page.go(path_of(filters), told=page.gettext(told) % {"name": name}, undo=undo)


@router.post("/invoices/views/{view_id}")
def rename(page: OwnPage, session: SessionDep, view_id: int, name: Name = "") -> Response:
    """Another name for a view of one's own."""
    try:
        view = rename_view(session, page.signed.operator_id, view_id, name)
    except (Conflict, UsageError) as error:
        return page.go("/invoices", told=_why(page, error), bad=True)
    told = page.gettext("The view is called “%(name)s” now.") % {"name": view.name}
    return page.go(path_of(filters_of(view.query)), told=told)


@router.post("/invoices/views/{view_id}/delete")
def delete(page: OwnPage, session: SessionDep, view_id: int) -> Response:
    """Forget a view of one's own; the way back saves it again."""
    view = delete_view(session, page.signed.operator_id, view_id)
    told = page.gettext("The view “%(name)s” is deleted.") % {"name": view.name}
    return page.go("/invoices", told=told, undo=Undo("/invoices/views", {"name": view.name, "query": view.query}))


def filters_of(query: str) -> Filters:
    """The list of a query string that was sent as a field."""
    return Filters.of(dict(parse_qsl(query, max_num_fields=30)))


def _why(page: Page, error: Conflict | UsageError) -> str:
    return page.gettext(WHY.get(type(error), WHY[UsageError]))
