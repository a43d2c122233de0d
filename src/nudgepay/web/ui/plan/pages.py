"""`/plan`: the next days as a calendar, as a list, and as reasons of silence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound
from nudgepay.invoices.models import Client
from nudgepay.invoices.queries import client_by_name
from nudgepay.money import babel_locale
from nudgepay.nudges.outlook import (
    DAYS,
    MOST_COUNTED,
    REACHES,
    Day,
    Letter,
    days_of,
    letters_of,
    load_outlook,
    silences_of,
)
from nudgepay.nudges.preview import Foreseen
from nudgepay.nudges.reasons import FINAL_REASONS, HELD_REASONS
from nudgepay.nudges.schedules import current_schedules
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.plan.filters import Wanted, step_codes
from nudgepay.web.ui.reasons import meaning

router = APIRouter()
SHEET = 50
"""Rows of a list on one sheet."""
SOON = 7


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the list: a letter, or one step that stays silent."""

    letter: Letter | None
    silent: Foreseen | None

    @property
    def first(self) -> Foreseen:
        """What stands for the row: its client, its zone, its instant."""
        found = self.letter.first if self.letter is not None else self.silent
        assert found is not None
        return found


@router.get("/plan", response_class=HTMLResponse)
def plan(page: Annotated[Page, allowed(Permission.PLAN_READ)], session: ReadSessionDep) -> Response:
    """What goes out next. Reads only; says how far it is exact and what it rests on."""
    schedules = current_schedules(session)
    wanted = Wanted.of(page.request.query_params, schedules)
    client, problem = _client(session, wanted.client)
    settings = page.runtime.settings
    outlook = load_outlook(
        session, settings, now=page.now, client_id=client.id if client else None, reach=wanted.reach
    )
    taken = [one for one in outlook.lines if wanted.takes(one)] if not problem else []
    shown = {(one.decision.at, one.client_id, one.currency) for one in taken if one.decision.action == "send"}
    letters = [one for one in letters_of(outlook.lines) if (one.at, one.first.client_id, one.first.currency) in shown]
    days = days_of(session, outlook, letters, zone=page.zone, country=settings.business_country)
    day = _chosen(days, wanted.day)
    rows = _rows(wanted, letters, taken)
    return page.show(
        "plan/plan.html",
        wanted=wanted,
        outlook=outlook,
        client=client,
        problem=page.gettext("There is no client of this name or number.") if problem else "",
        letters=letters,
        weeks=_weeks(days),
        days=days,
        day=day,
        names=_day_names(page),
        soon=_within(letters, outlook.span.start + timedelta(days=SOON)),
        is_soon_exact=outlook.is_exact_before(outlook.span.start + timedelta(days=SOON)),
        silences=silences_of(taken, now=outlook.span.start),
        day_rows=[Row(one, None) for one in day.letters[:SHEET]],
        rows=rows[(wanted.sheet - 1) * SHEET : wanted.sheet * SHEET],
        total=len(rows),
        next_url=wanted.url(sheet=wanted.sheet + 1) if len(rows) > wanted.sheet * SHEET else "",
        further=next((reach for reach in REACHES if reach > wanted.reach), None),
        schedules=list(schedules),
        steps=step_codes(schedules.values()),
        reasons=_reasons(page),
        span_days=DAYS,
        most_counted=MOST_COUNTED,
        clock=Clock(page),
    )


def _client(session: Session, wanted: str) -> tuple[Client | None, bool]:
    """The client asked for, and whether there is none such: by number, else by external id or name."""
    if not wanted:
        return None, False
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 18 and (found := session.get(Client, int(wanted))):
        return found, False
    try:
        return client_by_name(session, wanted), False
    except NotFound:
        return None, True


def _rows(wanted: Wanted, letters: Sequence[Letter], taken: Sequence[Foreseen]) -> list[Row]:
    found = [Row(one, None) for one in letters] if wanted.action in {"send", "all"} else []
    actions = {"hold", "skip"} if wanted.action == "all" else {wanted.action} - {"send"}
    found += [Row(None, one) for one in taken if one.decision.action in actions]
    return sorted(found, key=lambda row: (row.first.decision.at, row.first.client, row.first.invoice))


def _within(letters: Sequence[Letter], end: Any) -> int:
    return sum(one.at <= end for one in letters)


def _chosen(days: Sequence[Day], wanted: date | None) -> Day:
    """The day asked for, else the first with letters, else today."""
    asked = next((one for one in days if one.on == wanted), None)
    return asked or next((one for one in days if one.letters), days[0])


def _weeks(days: Sequence[Day]) -> list[list[Day | None]]:
    """Weeks from Monday on; days outside the span are None."""
    cells: list[Day | None] = [None] * days[0].on.weekday() + list(days)
    cells += [None] * (-len(cells) % 7)
    return [cells[start : start + 7] for start in range(0, len(cells), 7)]


def _day_names(page: Page) -> list[str]:
    locale = babel_locale(page.locale)
    return [format_date(date(2024, 1, 1) + timedelta(days=ahead), "EEE", locale=locale) for ahead in range(7)]


def _reasons(page: Page) -> list[tuple[str, list[tuple[str, str]]]]:
    """Both lists of reasons in words, for the filter."""
    groups = ((page.gettext("Held"), HELD_REASONS), (page.gettext("Ended"), FINAL_REASONS))
    return [
        (name, sorted(((one, page.gettext(meaning(one))) for one in found), key=lambda pair: pair[1]))
        for name, found in groups
    ]


@dataclass(frozen=True, slots=True)
class Clock:
    """Days and times as the person writes them."""

    page: Page

    def short(self, day: date) -> str:
        """24 Nov."""
        return format_date(day, self._pattern("d MMM"), locale=babel_locale(self.page.locale))

    def long(self, day: date) -> str:
        """Tuesday, 24 November."""
        return format_date(day, self._pattern("EEEE, d MMMM"), locale=babel_locale(self.page.locale))

    def there(self, one: Foreseen) -> str:
        """The instant as the clock of the letter's reader shows it."""
        local = one.decision.at.astimezone(ZoneInfo(one.timezone))
        return format_datetime(local, "d MMM, HH:mm", locale=babel_locale(self.page.locale))

    def _pattern(self, english: str) -> str:
        """German puts a point after the day."""
        return english.replace("d ", "d. ") if self.page.language == "de" else english

    def is_elsewhere(self, one: Foreseen) -> bool:
        """True when the reader's clock shows another time than the person's."""
        at = one.decision.at
        return at.astimezone(ZoneInfo(one.timezone)).utcoffset() != at.astimezone(self.page.zone).utcoffset()

    @staticmethod
    def city(zone_name: str) -> str:
        """The place that a zone is named after."""
        return zone_name.rpartition("/")[2].replace("_", " ")
