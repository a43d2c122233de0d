"""A person's word on one line: booked as proposed or in other parts, not ours, waiting again. Twice is once."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy.orm import Session
from starlette.responses import Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import Conflict, NotFound, Refused, UsageError
from nudgepay.payments.actions import undo_payment
from nudgepay.payments.statements.actions import LineDecided, confirm_line, ignore_line, take_up_line
from nudgepay.payments.statements.queries import line_by_id
from nudgepay.web.ui.invoice.acting import FieldsDep
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.rendering import money
from nudgepay.web.ui.row_ids import RowId
from nudgepay.web.ui.statements.line import Typed, show_line, typed_line
from nudgepay.web.ui.statements.parts import read_parts
from nudgepay.web.ui.statements.paths import LINES, line_path, statement_path, way_back
from nudgepay.web.ui.statements.words import why_not
from nudgepay.web.ui.who import names_of

router = APIRouter()
StatementPage = Annotated[Page, allowed(Permission.PAYMENT_WRITE)]
Back = Annotated[str, Form(max_length=2000)]
LONGEST_REASON = 200


@router.post(LINES + "/{line_id}/book")
def book(page: StatementPage, line_id: RowId, fields: FieldsDep) -> Response:
    """As proposed (`parts`), from a list or the line's page."""
    parts = [{"invoice_id": one, "amount": amount} for one, amount in read_parts(fields.get("parts", ""))]
    back = way_back(fields.get("back", ""))
    is_credit, is_another = fields.get("credit") == "1", fields.get("again") == "1"

    def act(session: Session) -> Response:
        fact = confirm_line(
            session, line_id, parts, now=page.now, actor=page.actor, credit=is_credit, again=is_another
        )
        return _booked(page, fact.id, fact.amount, fact.currency, line_id, back)

    return _decided(page, line_id, act, back)


@router.post(LINES + "/{line_id}")
def book_typed(page: StatementPage, line_id: RowId, fields: FieldsDep) -> Response:
    """In the parts that a person typed; what is wrong is said beside its field."""
    with page.runtime.db.transaction() as session:
        typed = typed_line(page, session, line_id, fields)
        if typed.problems:
            return show_line(page, session, line_id, typed=typed, status=422)
        back = statement_path(line_by_id(session, line_id).statement_id)

    def act(session: Session) -> Response:
        fact = confirm_line(
            session,
            line_id,
            typed.parts,
            now=page.now,
            actor=page.actor,
            credit=typed.credit,
            again=typed.again,
            client_id=typed.client_id,
        )
        return _booked(page, fact.id, fact.amount, fact.currency, line_id, back)

    return _decided(page, line_id, act, back, typed=typed)


@router.post(LINES + "/{line_id}/ignore")
def ignore(
    page: StatementPage, line_id: RowId, reason: Annotated[str, Form(max_length=LONGEST_REASON)] = "", back: Back = ""
) -> Response:
    """It pays no invoice of ours."""
    return_to = way_back(back)

    def act(session: Session) -> Response:
        ignore_line(session, line_id, now=page.now, actor=page.actor, reason=reason.strip() or None)
        undo = Undo(f"{line_path(line_id)}/reopen", {"back": return_to})
        return page.go(return_to, told=page.gettext("Noted: this line pays no invoice of yours."), undo=undo)

    return _decided(page, line_id, act, return_to)


@router.post(LINES + "/{line_id}/reopen")
def reopen(page: StatementPage, line_id: RowId, back: Back = "") -> Response:
    """An ignored line waits again."""

    def act(session: Session) -> Response:
        take_up_line(session, line_id, actor=page.actor)
        return page.go(way_back(back), told=page.gettext("The line waits again."))

    return _decided(page, line_id, act, way_back(back))


@router.post(LINES + "/{line_id}/undo")
def undo(page: StatementPage, line_id: RowId, fields: FieldsDep) -> Response:
    """Take its payment back; the line waits again. `fact` is the payment that the person saw."""
    back = way_back(fields.get("back", ""))

    def act(session: Session) -> Response:
        line = line_by_id(session, line_id)
        if line.fact_id is None or str(line.fact_id) != fields.get("fact"):
            raise LineDecided(f"line {line_id} is no longer that payment")
        undo_payment(session, line.fact_id, now=page.now, actor=page.actor)
        return page.go(back, told=page.gettext("Taken back: the payment counts no more, and the line waits again."))

    return _decided(page, line_id, act, back)


def _booked(page: Page, fact_id: int, amount: int, currency: str, line_id: int, back: str) -> Response:
    told = page.gettext("%(amount)s booked.") % {"amount": money(amount, currency, page)}
    fields = {"fact": str(fact_id), "back": back}
    return page.go(back, told=told, undo=Undo(f"{line_path(line_id)}/undo", fields))


def _decided(
    page: Page, line_id: int, act: Callable[[Session], Response], back: str, *, typed: Typed | None = None
) -> Response:
    """The act in a transaction of its own; what is refused leaves nothing, and is told where the person stood."""
    try:
        with page.runtime.db.transaction() as session:
            return act(session)
    except NotFound:
        raise
    except LineDecided:
        with page.runtime.db.transaction() as session:
            return page.go(back, told=_who_decided(page, session, line_id), bad=True)
    except (Conflict, Refused, UsageError) as error:
        told = why_not(page, error)
    if typed is None:
        return page.go(line_path(line_id), told=told, bad=True)
    with page.runtime.db.transaction() as session:
        return show_line(page, session, line_id, typed=typed.refused(told), status=409)


def _who_decided(page: Page, session: Session, line_id: int) -> str:
    line = line_by_id(session, line_id)
    if line.decided_by is None:
        return page.gettext("Somebody was faster: the line waits again.")
    who = names_of(session, {line.decided_by})[line.decided_by]
    if line.state == "confirmed":
        return page.gettext("Nothing was done: %(who)s has booked this line already.") % {"who": who}
    return page.gettext("Nothing was done: %(who)s has said that this line is not yours.") % {"who": who}
