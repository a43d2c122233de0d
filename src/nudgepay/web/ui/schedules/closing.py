"""`/schedules/closing-days`: days on which nothing is sent, closed and opened after a look at what that changes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound
from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.closing_days import (
    MOST_AT_ONCE,
    ClosingDaysError,
    close_days,
    ensure_closable,
    list_closing_days,
    open_days,
)
from nudgepay.nudges.models import ClosingDay
from nudgepay.nudges.queries import load_calendar
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.schedules.showing import closing_difference
from nudgepay.web.ui.words import N_

router = APIRouter()
Reading = Annotated[Page, allowed(Permission.SCHEDULE_READ)]
Writing = Annotated[Page, allowed(Permission.SCHEDULE_WRITE)]
Typed = Annotated[str, Form(max_length=200)]
PROBLEMS = {
    "first": N_("Give a day from today on that is not closed yet"),
    "last": N_("Give a day from the first one on, at most 92 days later and within two years"),
    "name": N_("Name the reason in up to 80 characters"),
}


@dataclass(frozen=True, slots=True)
class Closing:
    """Closing days in a row with one name."""

    first: date
    last: date
    name: str

    @property
    def days(self) -> str:
        """Its days as a form carries them."""
        count = (self.last - self.first).days + 1
        return ",".join((self.first + timedelta(days=ahead)).isoformat() for ahead in range(count))


def closings_of(days: Iterable[ClosingDay]) -> list[Closing]:
    """Days that follow each other under one name are one closing."""
    found: list[Closing] = []
    for one in days:
        before = found[-1] if found else None
        if before is not None and before.name == one.name and one.day - before.last == timedelta(days=1):
            found[-1] = Closing(before.first, one.day, one.name)
        else:
            found.append(Closing(one.day, one.day, one.name))
    return found


@router.get("/schedules/closing-days", response_class=HTMLResponse)
def show(page: Reading, session: ReadSessionDep) -> Response:
    """The closing days ahead, and the form for new ones."""
    return _list(page, session, {})


@router.post("/schedules/closing-days/preview", response_class=HTMLResponse)
def preview(
    page: Writing, session: ReadSessionDep, first: Typed = "", last: Typed = "", name: Typed = ""
) -> Response:
    """What closing these days would change."""
    typed = {"first": first, "last": last, "name": name}
    start = _day(first)
    end = _day(last) if last.strip() else start
    if start is None or end is None:
        return _list(page, session, typed, problem="first" if start is None else "last")
    try:
        days = ensure_closable(session, start, end, name, today=_today(page))
    except ClosingDaysError as error:
        return _list(page, session, typed, problem=error.field)
    return page.show(
        "schedules/closing_preview.html",
        closing=Closing(start, end, name.strip()),
        is_opening=False,
        days_field="",
        difference=closing_difference(session, page, closing=days),
    )


@router.post("/schedules/closing-days", response_class=HTMLResponse)
def close(page: Writing, session: SessionDep, first: Typed = "", last: Typed = "", name: Typed = "") -> Response:
    """Close them."""
    typed = {"first": first, "last": last, "name": name}
    start, end = _day(first), _day(last)
    if start is None or end is None:
        return _list(page, session, typed, problem="first" if start is None else "last")
    calendar = load_calendar(page.runtime.settings)
    try:
        closed = close_days(
            session, start, end, name, calendar=calendar, today=_today(page), now=page.now, actor=page.actor
        )
    except ClosingDaysError as error:
        return _list(page, session, typed, problem=error.field)
    told = page.ngettext("%(count)s day is closed.", "%(count)s days are closed.", len(closed))
    undo = Undo("/schedules/closing-days/open", {"days": ",".join(day.isoformat() for day in closed)})
    return page.go("/schedules/closing-days", told=told % {"count": len(closed)}, undo=undo)


@router.get("/schedules/closing-days/open", response_class=HTMLResponse)
def preview_opening(page: Writing, session: ReadSessionDep, days: str = "") -> Response:
    """What sending on these days again would change."""
    wanted = set(_days(days))
    closings = closings_of(one for one in list_closing_days(session, since=_today(page)) if one.day in wanted)
    if not closings:
        raise NotFound("none of these days is closed")
    return page.show(
        "schedules/closing_preview.html",
        closing=Closing(closings[0].first, closings[-1].last, closings[0].name),
        is_opening=True,
        days_field=",".join(one.days for one in closings),
        difference=closing_difference(session, page, opening=wanted),
    )


@router.post("/schedules/closing-days/open", response_class=HTMLResponse)
def open_again(page: Writing, session: SessionDep, days: Annotated[str, Form(max_length=2000)] = "") -> Response:
    """Open them."""
    wanted = set(_days(days))
    closings = closings_of(one for one in list_closing_days(session, since=_today(page)) if one.day in wanted)
    calendar = load_calendar(page.runtime.settings)
    opened = open_days(session, wanted, calendar=calendar, today=_today(page), now=page.now, actor=page.actor)
    if not opened:
        return page.go("/schedules/closing-days", told=page.gettext("These days were open already."))
    told = page.ngettext("%(count)s day is open again.", "%(count)s days are open again.", len(opened))
    undo = None
    if len(closings) == 1:
        again = closings[0]
        fields = {"first": again.first.isoformat(), "last": again.last.isoformat(), "name": again.name}
        undo = Undo("/schedules/closing-days", fields)
    return page.go("/schedules/closing-days", told=told % {"count": len(opened)}, undo=undo)


def _list(page: Page, session: Session, typed: dict[str, str], *, problem: str = "") -> Response:
    today = _today(page)
    return page.show(
        "schedules/closing_days.html",
        status=422 if problem else 200,
        closings=closings_of(list_closing_days(session, since=today)),
        typed={"first": "", "last": "", "name": "", **typed},
        problems={problem: page.gettext(PROBLEMS[problem])} if problem else {},
        country=page.runtime.settings.business_country,
        most=MOST_AT_ONCE,
    )


def _today(page: Page) -> date:
    return local_day(page.now, page.runtime.settings.business_timezone)


def _day(typed: str) -> date | None:
    try:
        return date.fromisoformat(typed.strip())
    except ValueError:
        return None


def _days(typed: str) -> Sequence[date]:
    return [day for one in typed[:2000].split(",") if (day := _day(one)) is not None]
