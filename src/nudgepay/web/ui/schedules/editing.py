"""The step editor. It works by round trips alone; nothing counts before its difference was shown and saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound
from nudgepay.nudges.facts import Schedule, Step
from nudgepay.nudges.schedule_history import Version, version_of, versions_of
from nudgepay.nudges.schedule_text import ScheduleError
from nudgepay.nudges.schedules import (
    MAX_STEPS,
    ScheduleConflict,
    current_schedules,
    ensure_name,
    save_schedule,
)
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.schedules.pages import in_force, pairs_of
from nudgepay.web.ui.schedules.ruler import when_text
from nudgepay.web.ui.schedules.showing import example, schedule_difference
from nudgepay.web.ui.schedules.step_form import (
    ANCHORS,
    DIRECTIONS,
    TEXTS,
    TONES,
    UNITS,
    DraftStep,
    Problems,
    check,
    edited,
    read_steps,
)
from nudgepay.web.ui.who import names_of

router = APIRouter()
Writing = Annotated[Page, allowed(Permission.SCHEDULE_WRITE)]
NEW = "new"


async def _form(request: Request) -> Mapping[str, Any]:
    return await request.form()


Form = Annotated[Mapping[str, Any], Depends(_form)]


@dataclass(slots=True)
class Draft:
    """A schedule in the making. `base`: the version that it was made from, 0 for a new name."""

    name: str
    base: int
    steps: list[DraftStep]
    name_problem: str = ""

    @property
    def is_new(self) -> bool:
        """True while the name may still be chosen."""
        return self.base == 0

    @classmethod
    def of(cls, form: Mapping[str, Any], name: str = "") -> "Draft":
        """What was sent."""
        base = str(form.get("base", ""))
        number = int(base) if base.isascii() and base.isdigit() and len(base) < 18 else 0
        return cls(name or str(form.get("name", "")).strip()[:80], number, read_steps(form))


@router.get("/schedules/new", response_class=HTMLResponse)
def start(page: Writing, session: ReadSessionDep, like: str = "default") -> Response:
    """The editor for a new schedule, filled like another one."""
    model = current_schedules(session).get(like) or current_schedules(session)["default"]
    return _editor(page, session, Draft("", 0, [DraftStep.of(step) for step in model.steps]))


@router.post("/schedules/new", response_class=HTMLResponse)
def make(page: Writing, session: ReadSessionDep, form: Form) -> Response:
    """One round of the editor, or the difference that a new schedule makes."""
    draft = Draft.of(form)
    draft.base = 0
    if str(form.get("do", "")) == "preview":
        draft.name_problem = _name_problem(page, session, draft.name)
    return _round(page, session, draft, str(form.get("do", "")))


@router.get("/schedules/{name}/edit", response_class=HTMLResponse)
def edit(page: Writing, session: ReadSessionDep, name: str) -> Response:
    """The editor with the version in force."""
    found = in_force(session, name)
    return _editor(page, session, Draft(name, found.version, [DraftStep.of(step) for step in found.steps]))


@router.post("/schedules/{name}/edit", response_class=HTMLResponse)
def change(page: Writing, session: ReadSessionDep, name: str, form: Form) -> Response:
    """One round of the editor, or the difference that saving would make. Changes nothing."""
    return _round(page, session, Draft.of(form, name), str(form.get("do", "")))


@router.get("/schedules/{name}/versions/{version}/restore", response_class=HTMLResponse)
def restore(page: Writing, session: ReadSessionDep, name: str, version: int) -> Response:
    """The difference that an old version would make as the new one."""
    old = version_of(session, name, version)
    current = current_schedules(session).get(name)
    draft = Draft(name, current.version if current else 0, [DraftStep.of(step) for step in old.schedule.steps])
    return _preview(page, session, draft, old.schedule.steps, restored=version)


@router.post("/schedules/{name}/versions/{version}/again")
def bring_back(page: Writing, session: SessionDep, name: str, version: int, form: Form) -> Response:
    """Undo: the steps of this version in force once more, if nobody saved another one meanwhile."""
    old = version_of(session, name, version)
    base = Draft.of(form, name).base
    save_schedule(session, name, old.schedule.steps, now=page.now, actor=page.actor, base_version=base)
    return page.go(f"/schedules/{name}", told=page.gettext("The earlier version is in force again."))


@router.post("/schedules/{name}/save")
def save(page: Writing, session: SessionDep, name: str, form: Form) -> Response:
    """A new version, if it is made from the one in force; else the editor again, with what somebody else saved."""
    draft = Draft.of(form, name)
    steps, problems = check(draft.steps)
    if draft.is_new:
        draft.name_problem = _name_problem(page, session, name, may_exist=True)
    if problems or draft.name_problem:
        return _editor(page, session, draft, problems, status=422)
    before = current_schedules(session).get(name)
    try:
        saved = save_schedule(session, name, steps, now=page.now, actor=page.actor, base_version=draft.base)
    except ScheduleConflict:
        newest = versions_of(session, name)[0]
        if newest.schedule.steps == steps and newest.saved_by == page.actor:
            return page.go(f"/schedules/{name}")
        return _editor(page, session, draft, theirs=newest, status=409)
    told = page.gettext("Version %(version)s is in force. Its invoices are planned anew in the next run.")
    return page.go(f"/schedules/{name}", told=told % {"version": saved.version}, undo=_undo(before, saved.version))


def _undo(before: Schedule | None, saved: int) -> Undo | None:
    """The way back to the version that was in force; a new schedule is removed instead."""
    if before is None:
        return None
    return Undo(f"/schedules/{before.name}/versions/{before.version}/again", {"base": str(saved)})


def _round(page: Page, session: Session, draft: Draft, act: str) -> Response:
    if act != "preview":
        draft.steps = edited(draft.steps, act)
        return _editor(page, session, draft)
    steps, problems = check(draft.steps)
    if problems or draft.name_problem:
        return _editor(page, session, draft, problems, status=422)
    current = current_schedules(session).get(draft.name)
    if (current.version if current else 0) != draft.base:
        theirs = versions_of(session, draft.name)[0] if current else None
        return _editor(page, session, draft, theirs=theirs, status=409)
    return _preview(page, session, draft, steps)


def _name_problem(page: Page, session: Session, name: str, *, may_exist: bool = False) -> str:
    try:
        ensure_name(name)
    except ScheduleError:
        return page.gettext("Up to 40 lower-case letters, digits and hyphens, and not the name of a page")
    if not may_exist and name in current_schedules(session):
        return page.gettext("There is a schedule of this name already")
    return ""


def _editor(
    page: Page,
    session: Session,
    draft: Draft,
    problems: Problems | None = None,
    *,
    theirs: Version | None = None,
    status: int = 200,
) -> Response:
    """The editor. `theirs`: what somebody else saved meanwhile; the draft then goes on from it."""
    steps, found = check(draft.steps)
    mine = tuple(steps)
    if theirs is not None:
        draft.base = theirs.schedule.version
    elif status == 409:
        draft.base = 0
    return page.show(
        "schedules/edit.html",
        status=status,
        draft=draft,
        problems=problems or Problems(),
        ruler=example(session, page, mine) if not found else None,
        theirs=theirs,
        is_conflict=status == 409,
        pairs=pairs_of(theirs.schedule.steps, mine) if theirs is not None else [],
        names=names_of(session, {theirs.saved_by}) if theirs is not None else {},
        when=lambda step: when_text(page, step),
        texts=TEXTS,
        tones=TONES,
        anchors=ANCHORS,
        directions=DIRECTIONS,
        units=UNITS,
        most_steps=MAX_STEPS,
        pick=lambda found: [(key, page.gettext(text)) for key, text in found.items()],
    )


def _preview(
    page: Page, session: Session, draft: Draft, steps: tuple[Step, ...], *, restored: int | None = None
) -> Response:
    """What would change, with the form that saves exactly this."""
    current = current_schedules(session).get(draft.name)
    if restored is not None and current is not None and current.version == restored:
        raise NotFound("this version is in force already")
    return page.show(
        "schedules/preview.html",
        draft=draft,
        restored=restored,
        current=current,
        difference=schedule_difference(session, page, draft.name, steps),
        pairs=pairs_of(current.steps if current else (), steps),
        ruler=example(session, page, steps),
        when=lambda step: when_text(page, step),
        texts=TEXTS,
        tones=TONES,
    )
