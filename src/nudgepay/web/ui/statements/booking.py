"""Every certain line at once: shown first with its sums, then booked line by line, and taken back with one press."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import UsageError
from nudgepay.payments.models import BankLine
from nudgepay.payments.statements.booking import Outcome, Wanted, book_each, certain_lines, undo_each
from nudgepay.payments.statements.kept import statement_by_id
from nudgepay.payments.statements.queries import list_lines
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.row_ids import RowId
from nudgepay.web.ui.statements.parts import wanted_line
from nudgepay.web.ui.statements.paths import HOME, WAITING, statement_path, way_back
from nudgepay.web.ui.statements.rows import row_of, sums_of
from nudgepay.web.ui.statements.showing import LOOKED_AT
from nudgepay.web.ui.statements.words import why_not

router = APIRouter()
StatementPage = Annotated[Page, allowed(Permission.PAYMENT_WRITE)]
MOST = 200
Lines = Annotated[list[str], Form()]
Back = Annotated[str, Form(max_length=2000)]


@router.get(WAITING + "/book", response_class=HTMLResponse)
def ask_for_all(page: StatementPage, session: ReadSessionDep) -> Response:
    """The certain ones of every statement."""
    return _ask(page, session, None)


@router.get(HOME + "/{statement_id}/book", response_class=HTMLResponse)
def ask(page: StatementPage, session: ReadSessionDep, statement_id: RowId) -> Response:
    """What would be booked, and what it comes to."""
    return _ask(page, session, statement_by_id(session, statement_id).id)


def _ask(page: Page, session: Session, statement_id: int | None) -> Response:
    found = islice(list_lines(session, now=page.now, statement_id=statement_id), LOOKED_AT)
    certain = list(islice(certain_lines(found), MOST))
    back = WAITING if statement_id is None else statement_path(statement_id)
    return page.show(
        "statements/book.html",
        rows=[row_of(page, one, is_certain=True) for one in certain],
        sums=sums_of([one.line for one in certain]),
        clients=len({one.proposal.chosen.client_id for one in certain if one.proposal.chosen is not None}),
        back=back,
    )


@router.post(HOME + "/book")
def book(
    page: StatementPage,
    line: Lines = [],  # noqa: B006  # FastAPI copies it
    back: Back = HOME,
) -> Response:
    """Book the lines as they were shown; one that somebody decided meanwhile keeps none of the others back."""
    if len(line) > MOST:
        raise UsageError(f"book at most {MOST} lines at once")
    wanted = list({one.line_id: one for one in map(wanted_line, line)}.values())
    if not wanted:
        return page.go(way_back(back), told=page.gettext("No line was chosen."), bad=True)
    outcomes = book_each(page.runtime.db, wanted, now=page.now, actor=page.actor)
    booked = [one.fact_id for one in outcomes if one.fact_id is not None]
    undo = None
    if booked:
        undo = Undo(f"{HOME}/unbook", {"facts": ",".join(map(str, booked)), "back": way_back(back)})
    return page.go(way_back(back), told=_told(page, wanted, outcomes), undo=undo, bad=len(booked) < len(wanted))


def _told(page: Page, wanted: Sequence[Wanted], outcomes: Sequence[Outcome]) -> str:
    refusals = [one.refusal for one in outcomes if one.refusal is not None]
    booked = len(wanted) - len(refusals)
    told = page.ngettext("%(count)s payment is booked.", "%(count)s payments are booked.", booked) % {"count": booked}
    if not refusals:
        return told
    left = page.ngettext("%(count)s line was left alone:", "%(count)s lines were left alone:", len(refusals))
    why = " ".join(dict.fromkeys(why_not(page, one) for one in refusals))
    return f"{told} {left % {'count': len(refusals)}} {why}"


@router.post(HOME + "/unbook")
def unbook(page: StatementPage, facts: Annotated[str, Form(max_length=6000)] = "", back: Back = HOME) -> Response:
    """Take back the payments of lines; the lines wait again."""
    with page.runtime.db.transaction() as session:
        mine = _of_lines(session, facts)
    undone, kept = undo_each(page.runtime.db, mine, now=page.now, actor=page.actor)
    told = page.ngettext("%(count)s payment is taken back.", "%(count)s payments are taken back.", undone)
    told %= {"count": undone}
    return page.go(way_back(back), told=told, bad=not undone or kept > 0)


def _of_lines(session: Session, facts: str) -> list[int]:
    """Payments that lines became: no other is taken back here."""
    ids = [int(one) for one in facts.split(",")[:MOST] if one.isascii() and one.isdigit() and len(one) < 19]
    return list(session.scalars(select(BankLine.fact_id).where(BankLine.fact_id.in_(ids)).order_by(BankLine.id)))
