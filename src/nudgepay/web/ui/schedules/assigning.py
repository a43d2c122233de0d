"""`/schedules/{name}/followers`: who shall follow a schedule, chosen after a look at what that changes."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import UsageError
from nudgepay.invoices.finding import find_clients
from nudgepay.invoices.searching import TooBroad, find_invoices
from nudgepay.nudges.assigning import (
    MOST,
    Wish,
    assign_schedule,
    candidates,
    diff_wish,
    judge_wish,
    take_back,
)
from nudgepay.nudges.bulk import Chosen
from nudgepay.nudges.outlook import DAYS
from nudgepay.nudges.preview import span_ahead
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.differences import difference_of
from nudgepay.web.ui.invoices.asking import chosen_of
from nudgepay.web.ui.invoices.words import WHY_NOT, told_left
from nudgepay.web.ui.page import NotAllowed, Page, Undo, allowed
from nudgepay.web.ui.row_ids import row_id_of
from nudgepay.web.ui.schedules.pages import in_force

router = APIRouter()
FOLLOWERS = "/schedules/{name}/followers"
Giving = Annotated[Page, allowed(Permission.CLIENT_WRITE)]
Rows = Annotated[list[str], Form()]
Sought = Annotated[str, Form(max_length=100)]
FOUND = 12


@router.get(FOLLOWERS, response_class=HTMLResponse)
def start(page: Giving, session: ReadSessionDep, name: str) -> Response:
    """Whom to give it to: the newest clients, and a search for others and for invoices."""
    return _chooser(page, session, Wish(in_force(session, name).name), "")


@router.post(FOLLOWERS + "/choose", response_class=HTMLResponse)
def choose(
    page: Giving,
    session: ReadSessionDep,
    name: str,
    q: Sought = "",
    client: Rows = [],  # noqa: B006  # FastAPI copies it
    invoice: Rows = [],  # noqa: B006  # FastAPI copies it
) -> Response:
    """One round of the search; what was chosen stays."""
    return _chooser(page, session, _wish(page, session, name, client, invoice), q)


@router.post(FOLLOWERS + "/preview", response_class=HTMLResponse)
def preview(
    page: Giving,
    session: ReadSessionDep,
    name: str,
    client: Rows = [],  # noqa: B006  # FastAPI copies it
    invoice: Rows = [],  # noqa: B006  # FastAPI copies it
) -> Response:
    """What would change, with the form that gives it to exactly these."""
    wish = _wish(page, session, name, client, invoice)
    if not (wish.clients or wish.invoices):
        return _chooser(page, session, wish, "", problem=page.gettext("Choose a client or an invoice."))
    judged = judge_wish(session, wish)
    going = [one for one in judged if one.why_not is None]
    span = span_ahead(session, page.runtime.settings, now=page.now, days=DAYS, if_resumed=True)
    changes, compared, is_complete = diff_wish(session, name, going, span=span)
    return page.show(
        "schedules/assign_preview.html",
        name=name,
        going=going,
        left=[one for one in judged if one.why_not is not None],
        why_not=WHY_NOT,
        difference=difference_of(changes, compared=compared, is_complete=is_complete),
    )


@router.post(FOLLOWERS)
def save(
    page: Giving,
    session: SessionDep,
    name: str,
    client: Rows = [],  # noqa: B006  # FastAPI copies it
    invoice: Rows = [],  # noqa: B006  # FastAPI copies it
) -> Response:
    """Give it to those who are still as they were shown."""
    wish = _wish(page, session, name, client, invoice)
    done = assign_schedule(session, wish, now=page.now, actor=page.actor)
    who = []
    if done.clients:
        count = len(done.clients)
        who.append(page.ngettext("%(count)s client", "%(count)s clients", count) % {"count": count})
    if done.invoices:
        count = len(done.invoices)
        who.append(page.ngettext("%(count)s invoice", "%(count)s invoices", count) % {"count": count})
    values = {"name": name, "who": ", ".join(who)}
    told = (
        page.gettext("%(name)s is followed now by: %(who)s.") % values
        if who
        else page.gettext("Nothing was changed.")
    )
    if done.left:
        told = f"{told} {told_left(page, [one.label for one in done.left])}"
    undo = Undo(f"/schedules/{name}/followers/undo", {"entry": str(done.entry_id)}) if who else None
    return page.go(f"/schedules/{name}#followers", told=told, undo=undo, bad=bool(done.left))


@router.post(FOLLOWERS + "/undo")
def undo(page: Giving, session: SessionDep, name: str, entry: Annotated[str, Form(max_length=20)] = "") -> Response:
    """Give everybody back what they followed before, unless they were changed since."""
    back, kept = take_back(session, row_id_of(entry) or 0, now=page.now, actor=page.actor)
    told = page.ngettext(
        "%(count)s follows again what it followed before.",
        "%(count)s follow again what they followed before.",
        back,
    ) % {"count": back}
    if kept:
        text = page.ngettext(
            "%(count)s was changed since and stays as it is.",
            "%(count)s were changed since and stay as they are.",
            kept,
        )
        told = f"{told} {text % {'count': kept}}"
    return page.go(f"/schedules/{name}#followers", told=told, bad=kept > 0)


def _wish(page: Page, session: Session, name: str, clients: Sequence[str], invoices: Sequence[str]) -> Wish:
    """What the form wants; raises UsageError, NotAllowed, and NotFound for an unknown schedule."""
    in_force(session, name)
    wish = Wish(name, tuple(chosen_of(clients, "")), tuple(chosen_of(invoices, "")))
    if len(wish.clients) + len(wish.invoices) > MOST:
        raise UsageError(f"choose at most {MOST} clients and invoices at once")
    if wish.invoices and not page.may(Permission.INVOICE_WRITE):
        raise NotAllowed(f"your role ({page.signed.role}) may not change invoices")
    return wish


def _chooser(page: Page, session: Session, wish: Wish, q: str, *, problem: str = "") -> Response:
    sought = q.replace("\x00", "").strip()
    invoices, is_too_broad = _invoices(page, session, sought)
    found = candidates(
        session, wish.name, client_ids=[row.id for row in find_clients(session, sought)], invoice_ids=invoices
    )
    taken = {("client", one.id) for one in wish.clients} | {("invoice", one.id) for one in wish.invoices}
    seen = _seen(wish)
    return page.show(
        "schedules/assign.html",
        status=422 if problem else 200,
        name=wish.name,
        q=q,
        problem=problem,
        found=[one for one in found if (one.kind, one.id) not in taken],
        is_too_broad=is_too_broad,
        chosen=[(one, seen[one.kind, one.id]) for one in judge_wish(session, wish) if one.why_not != "gone"],
        most=MOST,
    )


def _seen(wish: Wish) -> Mapping[tuple[str, int], Chosen]:
    clients = {("client", one.id): one for one in wish.clients}
    return {**clients, **{("invoice", one.id): one for one in wish.invoices}}


def _invoices(page: Page, session: Session, sought: str) -> tuple[list[int], bool]:
    """Ids of invoices whose number is like that, as far as they can still be changed; and whether too many are."""
    if not page.may(Permission.INVOICE_WRITE):
        return [], False
    try:
        rows: Sequence[Any] = find_invoices(session, sought, limit=FOUND)
    except TooBroad:
        return [], True
    return [row.id for row in rows if row.status in {"open", "draft"}], False
