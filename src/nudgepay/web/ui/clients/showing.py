"""`/clients/{id}`: everything about one client, and what happens next."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.config import Settings
from nudgepay.nudges import client_file
from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.preview import Foreseen, Span, foresee
from nudgepay.nudges.queries import load_calendar, load_rules
from nudgepay.payments.account import account_of
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.clients.blocks import REASONS
from nudgepay.web.ui.clients.editing import client_by_id
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import RowId

router = APIRouter()
ReaderPage = Annotated[Page, allowed(Permission.CLIENT_READ)]
AHEAD = timedelta(days=60)
MOST_PLANNED = 200
"""Open invoices up to which the plan is made on the client's own page."""
MOST_LETTERS = 6


@dataclass(frozen=True, slots=True)
class Coming:
    """A letter to come: when, in which currency, over how much, with which lines."""

    at: datetime
    currency: str
    amount: int
    lines: tuple[Foreseen, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What goes out next, and per invoice why nothing does; `is_paused`: nothing leaves at all at the moment."""

    letters: tuple[Coming, ...]
    holds: tuple[Foreseen, ...]
    more: int
    is_paused: bool


@router.get("/clients/{client_id}", response_class=HTMLResponse)
def client(page: ReaderPage, session: ReadSessionDep, client_id: RowId) -> Response:
    """The page."""
    found = client_by_id(session, client_id)
    today = local_day(page.now, found.timezone)
    account = account_of(session, client_id, today=today, now=page.now)
    aged = client_file.aged_of(session, client_id, today=today)
    is_planned = sum(one.count for one in aged) <= MOST_PLANNED and page.may(Permission.PLAN_READ)
    return page.show(
        "clients/show.html",
        client=found,
        today=today,
        aged=aged,
        open_count=sum(one.count for one in aged),
        credits=[(one.currency, one.credit) for one in account.currencies if one.credit],
        people=client_file.people_of(session, client_id),
        reasons=REASONS,
        open_invoices=client_file.open_invoices_of(session, client_id),
        closed_invoices=client_file.closed_invoices_of(session, client_id),
        letters=client_file.letters_of(session, client_id),
        promises=client_file.promises_of(session, client_id),
        last_statement=client_file.last_statement_of(session, client_id),
        habit=client_file.habit_of(session, client_id, zone=found.timezone),
        outlook=outlook_of(session, client_id, page.runtime.settings, now=page.now) if is_planned else None,
        is_paused=found.paused_until is not None and found.paused_until >= today,
    )


def outlook_of(session: Session, client_id: int, settings: Settings, *, now: datetime) -> Outlook:
    """The engine's own answer for the next 60 days; a pause of all sending is told apart, not in every line."""
    rules = load_rules(session, settings)
    span = Span(replace(rules, sending_paused=False), load_calendar(settings), now, now + AHEAD)
    letters: dict[tuple[datetime, str], list[Foreseen]] = {}
    holds: dict[str, Foreseen] = {}
    for line in foresee(session, span, client_id=client_id):
        if line.decision.action == "send":
            letters.setdefault((line.decision.at, line.currency), []).append(line)
        elif line.decision.action == "hold":
            holds.setdefault(line.invoice, line)
    coming = [
        Coming(at, currency, sum(line.decision.amount for line in lines), tuple(lines))
        for (at, currency), lines in sorted(letters.items())
    ]
    told = tuple(coming[:MOST_LETTERS])
    return Outlook(told, tuple(holds.values()), len(coming) - len(told), rules.sending_paused)
