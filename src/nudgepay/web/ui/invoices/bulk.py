"""`/invoices/bulk`: one act on chosen invoices. The effect is shown first; what changed meanwhile is left alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.acts import BULK_RELEASE
from nudgepay.access.permissions import Permission
from nudgepay.errors import UsageError
from nudgepay.invoices.models import Client
from nudgepay.nudges.bulk import (
    ACTS,
    MOST,
    UNDONE_BY,
    Act,
    Changed,
    Chosen,
    Verdict,
    change_many,
    change_of,
    judge,
    undo_many,
)
from nudgepay.nudges.changes import LettersChanged, foresee_changes
from nudgepay.nudges.preview import Span
from nudgepay.nudges.queries import load_calendar, load_rules
from nudgepay.web.deps import SessionDep
from nudgepay.web.ui.invoices.listing import today_of
from nudgepay.web.ui.invoices.words import BULK, WHY_NOT
from nudgepay.web.ui.next_page import own_path
from nudgepay.web.ui.page import NotAllowed, Page, Undo, allowed

router = APIRouter()
AHEAD = timedelta(days=60)
FIRST_OFFER = timedelta(days=14)
MOST_NAMED = 5
BulkPage = Annotated[Page, allowed(Permission.INVOICE_WRITE)]
Rows = Annotated[list[str], Form()]
Word = Annotated[str, Form(max_length=20)]
Back = Annotated[str, Form(max_length=2000)]


@dataclass(frozen=True, slots=True)
class Asked:
    """One form: the act, the invoices as they were seen, and the last day of a pause (None: until it is ended)."""

    act: Act
    chosen: list[Chosen]
    until: date | None
    problem: str = ""
    back: str = field(default="/invoices")


@router.post("/invoices/bulk", response_class=HTMLResponse)
def preview(
    page: BulkPage,
    session: SessionDep,
    action: Word = "",
    row: Rows = [],  # noqa: B006  # FastAPI copies it
    until: Annotated[str | None, Form(max_length=20)] = None,
    back: Back = "/invoices",
) -> Response:
    """What would happen: which invoices change, which do not and why, and what becomes of their letters."""
    offered = (today_of(page) + FIRST_OFFER).isoformat() if until is None else until
    asked = _asked(page, action, row, offered, back)
    if not asked.chosen:
        return page.go(asked.back, told=page.gettext("Choose at least one invoice."), bad=True)
    return _shown(page, session, asked)


@router.post("/invoices/bulk/confirm", response_class=HTMLResponse)
def confirm(
    page: BulkPage,
    session: SessionDep,
    action: Word = "",
    row: Rows = [],  # noqa: B006  # FastAPI copies it
    until: Word = "",
    back: Back = "/invoices",
) -> Response:
    """Do it to those that are still as they were shown."""
    asked = _asked(page, action, row, until, back)
    if asked.problem:
        return _shown(page, session, asked, status=422)
    changed, left = change_many(session, asked.act, asked.chosen, until=asked.until, now=page.now, actor=page.actor)
    told = BULK[asked.act].done(page, len(changed)) if changed else page.gettext("Nothing was changed.")
    if left:
        told = f"{told} {_told_left(page, left)}"
    undo = None
    if changed and asked.act in UNDONE_BY:
        rows = ",".join(f"{one.id}:{one.version}:{one.before}" for one in changed)
        undo = Undo("/invoices/bulk/undo", {"action": asked.act, "rows": rows, "back": asked.back[:300]})
    return page.go(asked.back, told=told, undo=undo, bad=bool(left))


@router.post("/invoices/bulk/undo")
def undo(
    page: BulkPage,
    session: SessionDep,
    action: Word = "",
    rows: Annotated[str, Form(max_length=6000)] = "",
    back: Back = "/invoices",
) -> Response:
    """Give back what was taken, except where somebody changed it since."""
    act = next((one for one in UNDONE_BY if one == action), None)
    if act is None:
        raise UsageError("this act cannot be taken back")
    undone, kept = undo_many(session, act, _changed(rows), now=page.now, actor=page.actor)
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
    return page.go(_back(back), told=told, bad=kept > 0)


def _asked(page: Page, action: str, rows: Sequence[str], until: str, back: str) -> Asked:
    act = next((one for one in BULK if one == action and one in ACTS), None)
    if act is None:
        raise UsageError("nothing of that name can be done to invoices")
    if act == "release" and not page.may(Permission.AMNESTY_RELEASE):
        raise NotAllowed(f"your role ({page.signed.role}) may not do this; it takes {Permission.AMNESTY_RELEASE}")
    chosen = list(dict.fromkeys(_pair(row) for row in rows))
    if act == "release" and len(chosen) > BULK_RELEASE:
        raise UsageError(f"more than {BULK_RELEASE} are released at /amnesty, with a second person")
    if len(chosen) > MOST:
        raise UsageError(f"choose at most {MOST} invoices at once")
    day, problem = None, ""
    if act == "pause" and until:
        try:
            day = date.fromisoformat(until)
        except ValueError:
            problem = page.gettext("This is no day of the calendar.")
        if day is not None and day < today_of(page):
            problem = page.gettext("Choose today or a later day.")
    return Asked(act, chosen, day, problem, _back(back))


def _pair(row: str) -> Chosen:
    id_, _, version = row.partition(":")
    if not (_is_number(id_) and _is_number(version)):
        raise UsageError("a choice is not readable: load the list again")
    return Chosen(int(id_), int(version))


def _changed(rows: str) -> list[Changed]:
    found = []
    for part in filter(None, rows.split(",")[:MOST]):
        id_, version, before = [*part.split(":"), "", ""][:3]
        if not (_is_number(id_) and _is_number(version)):
            raise UsageError("this cannot be taken back any more")
        try:
            before = date.fromisoformat(before).isoformat() if before else ""
        except ValueError as error:
            raise UsageError("this cannot be taken back any more") from error
        found.append(Changed(int(id_), int(version), before))
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _back(back: str) -> str:
    path = own_path(back)
    return path if path.startswith("/invoices") else "/invoices"


def _shown(page: Page, session: Session, asked: Asked, *, status: int = 200) -> Response:
    verdicts = judge(session, asked.act, asked.chosen, until=asked.until)
    going = [one.invoice for one in verdicts if one.invoice is not None and one.why_not is None]
    client_ids = {one.invoice.client_id for one in verdicts if one.invoice is not None}
    names = {
        row.id: row.name for row in session.execute(select(Client.id, Client.name).where(Client.id.in_(client_ids)))
    }
    letters: dict[int, LettersChanged] | None = {}
    if going and not asked.problem:
        rules = load_rules(session, page.runtime.settings)
        span = Span(rules, load_calendar(page.runtime.settings), page.now, page.now + AHEAD)
        change = change_of(asked.act, until=asked.until)
        clients = {invoice.client_id for invoice in going}
        letters = foresee_changes(session, clients, {invoice.id: change for invoice in going}, span=span)
    chosen = {invoice.id for invoice in going}
    return page.show(
        "invoices/bulk.html",
        status=status,
        asked=asked,
        words=BULK[asked.act],
        going=going,
        left=[one for one in verdicts if one.why_not is not None],
        names=names,
        letters=letters,
        others=[one for id_, one in (letters or {}).items() if id_ not in chosen],
        today=today_of(page),
        why_not=WHY_NOT,
    )


def _told_left(page: Page, left: Sequence[Verdict]) -> str:
    named = ", ".join(one.invoice.number for one in left[:MOST_NAMED] if one.invoice is not None)
    more = len(left) - MOST_NAMED
    text = page.ngettext(
        "%(count)s was changed by somebody meanwhile and left alone: %(numbers)s",
        "%(count)s were changed by somebody meanwhile and left alone: %(numbers)s",
        len(left),
    ) % {"count": len(left), "numbers": named or "–"}
    return f"{text} +{more}" if more > 0 else text
