"""`/schedules`: every schedule with its ruler, one with its versions and followers, two versions compared."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound
from nudgepay.nudges.facts import Schedule, Step
from nudgepay.nudges.schedule_history import (
    MOST_FOLLOWERS,
    Followers,
    Version,
    clients_following,
    followers_of,
    invoices_following,
    retire_schedule,
    version_of,
    versions_of,
)
from nudgepay.nudges.schedules import DEFAULT, current_schedules
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.schedules.ruler import Ruler, when_text
from nudgepay.web.ui.schedules.showing import example
from nudgepay.web.ui.schedules.step_form import TEXTS, TONES
from nudgepay.web.ui.who import names_of

router = APIRouter()
Reading = Annotated[Page, allowed(Permission.SCHEDULE_READ)]
FOLLOWERS_SHOWN = 25


@dataclass(frozen=True, slots=True)
class Card:
    """One schedule of the list."""

    schedule: Schedule
    version: Version
    followers: Followers
    ruler: Ruler | None


@router.get("/schedules", response_class=HTMLResponse)
def list_schedules(page: Reading, session: ReadSessionDep) -> Response:
    """Every schedule, the default first."""
    found = current_schedules(session)
    cards = [
        Card(
            one, versions_of(session, name, most=1)[0], followers_of(session, name), example(session, page, one.steps)
        )
        for name, one in sorted(found.items(), key=lambda pair: (pair[0] != DEFAULT, pair[0]))
    ]
    names = names_of(session, {card.version.saved_by for card in cards})
    return page.show(
        "schedules/list.html",
        cards=cards,
        names=names,
        default=DEFAULT,
        most=MOST_FOLLOWERS,
        when=lambda step: when_text(page, step),
    )


@router.get("/schedules/{name}", response_class=HTMLResponse)
def schedule(page: Reading, session: ReadSessionDep, name: str) -> Response:
    """One schedule: its steps, who follows it, its versions."""
    found = in_force(session, name)
    versions = versions_of(session, name)
    return page.show(
        "schedules/schedule.html",
        schedule=found,
        ruler=example(session, page, found.steps),
        when=lambda step: when_text(page, step),
        texts=TEXTS,
        tones=TONES,
        versions=versions,
        names=names_of(session, {one.saved_by for one in versions}),
        followers=followers_of(session, name),
        clients=clients_following(session, name, most=FOLLOWERS_SHOWN),
        invoices=invoices_following(session, name, most=FOLLOWERS_SHOWN),
        default=DEFAULT,
        most=MOST_FOLLOWERS,
    )


@router.post("/schedules/{name}/retire")
def retire(page: Annotated[Page, allowed(Permission.SCHEDULE_WRITE)], session: SessionDep, name: str) -> Response:
    """Take a schedule that nobody follows off the list; the page then offers to bring it back."""
    version = in_force(session, name).version
    retire_schedule(session, name, now=page.now, actor=page.actor)
    told = page.gettext("The schedule %(name)s was removed.") % {"name": name}
    undo = Undo(f"/schedules/{name}/versions/{version}/again", {"base": "0"})
    return page.go("/schedules", told=told, undo=undo)


@dataclass(frozen=True, slots=True)
class Pair:
    """One step code in two versions; None where a version does not have it."""

    code: str
    old: Step | None
    new: Step | None

    @property
    def state(self) -> str:
        """`same`, `changed`, `gone` or `new`."""
        if self.old is None:
            return "new"
        if self.new is None:
            return "gone"
        return "same" if self.old == self.new else "changed"


def pairs_of(old: tuple[Step, ...], new: tuple[Step, ...]) -> list[Pair]:
    """The steps of both, those of the new version in its order, then those that it no longer has."""
    before, after = {step.code: step for step in old}, {step.code: step for step in new}
    return [Pair(code, before.get(code), after.get(code)) for code in dict.fromkeys([*after, *before])]


@router.get("/schedules/{name}/versions/{version}", response_class=HTMLResponse)
def compare(page: Reading, session: ReadSessionDep, name: str, version: int, against: int | None = None) -> Response:
    """One version beside another one, by itself the one in force."""
    shown = version_of(session, name, version)
    current = current_schedules(session).get(name)
    newest = versions_of(session, name)
    number = against if against is not None else (current.version if current else newest[0].schedule.version)
    other = version_of(session, name, number)
    return page.show(
        "schedules/compare.html",
        name=name,
        shown=shown,
        other=other,
        current=current,
        pairs=pairs_of(shown.schedule.steps, other.schedule.steps),
        versions=newest,
        names=names_of(session, {shown.saved_by, other.saved_by}),
        when=lambda step: when_text(page, step),
        texts=TEXTS,
        tones=TONES,
    )


def in_force(session: Session, name: str) -> Schedule:
    """The version in force; raises NotFound."""
    found = current_schedules(session).get(name)
    if found is None:
        raise NotFound("there is no schedule of this name")
    return found
