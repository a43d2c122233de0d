"""`/invoices/bulk`: one act on chosen invoices. The effect is shown first; what changed meanwhile is left alone."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.nudges.bulk import MOST, UNDONE_BY, TooMany, change_many, matching, outcome_of, undo_many
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.invoices.asking import asked_of, back_path, chosen_of
from nudgepay.web.ui.invoices.foreseeing import foreseen
from nudgepay.web.ui.invoices.listing import today_of
from nudgepay.web.ui.invoices.saved_views import filters_of
from nudgepay.web.ui.invoices.words import BULK, MOST_NAMED, WHY_NOT, told_left
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.rendering import number
from nudgepay.web.ui.row_ids import row_id_of

router = APIRouter()
FIRST_OFFER = timedelta(days=14)
BulkPage = Annotated[Page, allowed(Permission.INVOICE_WRITE)]
Row = Annotated[list[str], Form()]
Rows = Annotated[str, Form(max_length=60_000)]
Word = Annotated[str, Form(max_length=20)]
Back = Annotated[str, Form(max_length=2000)]


@router.post("/invoices/bulk", response_class=HTMLResponse)
def preview(
    page: BulkPage,
    session: SessionDep,
    action: Word = "",
    row: Row = [],  # noqa: B006  # FastAPI copies it
    rows: Rows = "",
    everything: Word = "",
    query: Back = "",
    until: Annotated[str | None, Form(max_length=20)] = None,
    back: Back = "/invoices",
) -> Response:
    """What would happen to the chosen invoices, or to `everything` that matches the list of `query`."""
    offered = (today_of(page) + FIRST_OFFER).isoformat() if until is None else until
    try:
        chosen = chosen_of(row, rows)
        if everything == "yes":
            chosen = matching(session, filters_of(query), today=today_of(page))
    except TooMany:
        told = page.gettext("More than %(count)s match by now, and an act takes no more: narrow the list.")
        return page.go(back_path(back), told=told % {"count": number(MOST, page)}, bad=True)
    asked = asked_of(page, action, chosen, offered, back)
    if not asked.chosen:
        return page.go(asked.back, told=page.gettext("Choose at least one invoice."), bad=True)
    return foreseen(page, session, asked)


@router.post("/invoices/bulk/confirm", response_class=HTMLResponse)
def confirm(
    page: BulkPage,
    session: SessionDep,
    action: Word = "",
    row: Row = [],  # noqa: B006  # FastAPI copies it
    rows: Rows = "",
    until: Word = "",
    back: Back = "/invoices",
) -> Response:
    """Do it to those that are still as they were shown; when much was left alone, a page names all of it."""
    asked = asked_of(page, action, chosen_of(row, rows), until, back)
    if asked.problem:
        return foreseen(page, session, asked, status=422)
    done = change_many(session, asked.act, asked.chosen, until=asked.until, now=page.now, actor=page.actor)
    told = BULK[done.act].done(page, len(done.changed)) if done.changed else page.gettext("Nothing was changed.")
    if done.left:
        told = f"{told} {told_left(page, [name for name, _ in done.left])}"
    undo = None
    if done.changed and done.act in UNDONE_BY:
        undo = Undo("/invoices/bulk/undo", {"entry": str(done.entry_id), "back": asked.back[:300]})
    path = f"/invoices/bulk/{done.entry_id}" if len(done.left) > MOST_NAMED else asked.back
    return page.go(path, told=told, undo=undo, bad=bool(done.left))


@router.get("/invoices/bulk/{entry_id:int}", response_class=HTMLResponse)
def show_outcome(page: BulkPage, session: ReadSessionDep, entry_id: int) -> Response:
    """What an act on many invoices changed, and what it left alone and why."""
    done = outcome_of(session, entry_id)
    return page.show(
        "invoices/outcome.html",
        headline=BULK[done.act].done(page, len(done.changed)),
        left=done.left,
        why_not=WHY_NOT,
    )


@router.post("/invoices/bulk/undo")
def undo(page: BulkPage, session: SessionDep, entry: Word = "", back: Back = "/invoices") -> Response:
    """Give back what was taken, except where somebody changed it since."""
    done = outcome_of(session, row_id_of(entry) or 0)
    undone, kept = undo_many(session, done, now=page.now, actor=page.actor)
    told = page.ngettext("Undone for %(count)s invoice.", "Undone for %(count)s invoices.", undone) % {
        "count": undone
    }
    if kept:
        text = page.ngettext(
            "%(count)s was changed since and stays as it is.",
            "%(count)s were changed since and stay as they are.",
            kept,
        )
        told = f"{told} {text % {'count': kept}}"
    return page.go(back_path(back), told=told, bad=kept > 0)
