"""`/operations/notices`: what needs a person, in words; resolved with a way back."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, Response

from nudgepay.access.operators import names_of
from nudgepay.access.permissions import Permission
from nudgepay.automation import notices as tasks
from nudgepay.automation.notices import Told
from nudgepay.automation.schedule import SCHEDULE
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.cursors import pack, unpack
from nudgepay.web.ui.operations.notice_words import DETAILS, NOTICES, UNKNOWN, VALUES, NoticeWords
from nudgepay.web.ui.operations.words import JOBS, TABS
from nudgepay.web.ui.page import Page, Undo, allowed

router = APIRouter()
PAGE_SIZE = 25
LIST = "/operations/notices"
LONGEST_DETAIL = 300
_JOB_NAMES = frozenset(job.name for job in SCHEDULE)
ResolvePage = Annotated[Page, allowed(Permission.NOTICE_RESOLVE)]


@dataclass(frozen=True, slots=True)
class Row:
    """A notice as it is shown."""

    told: Told
    words: NoticeWords
    place: str
    details: tuple[tuple[str, str], ...]
    may_reopen: bool


@router.get(LIST, response_class=HTMLResponse)
def notices(
    page: Annotated[Page, allowed(Permission.OPERATION_READ)],
    session: ReadSessionDep,
    kind: str = "",
    resolved: str = "",
    after: str = "",
) -> Response:
    """Open ones, the oldest first; resolved ones on request. What a query cannot mean is left out of it."""
    known = kind if kind in NOTICES else ""
    behind = unpack(after, int)
    found = tasks.notices(
        session,
        resolved=bool(resolved),
        kind=known or None,
        after=behind[0] if behind and 0 <= behind[0] < 2**62 else None,
        limit=PAGE_SIZE + 1,
    )
    rows = [_row(page, told) for told in found[:PAGE_SIZE]]
    counts = tasks.notice_counts(session)
    kept = {"kind": known, "resolved": "yes" if resolved else ""}
    more = len(found) > PAGE_SIZE
    return page.show(
        "operations/notices.html",
        tabs=TABS,
        rows=rows,
        kept=kept,
        counts=counts,
        total=sum(counts.values()),
        cap=tasks.CAP,
        kinds=sorted((page.gettext(NOTICES[one].title), one) for one in NOTICES if one in counts or one == known),
        names=names_of(session, [row.told.notice.resolved_by or "" for row in rows]),
        next_url=url(kept, after=pack(found[PAGE_SIZE - 1].notice.id)) if more else "",
        url=url,
    )


@router.post("/operations/notices/{notice_id}/resolve")
def resolve(
    notice_id: int, page: ResolvePage, session: SessionDep, kind: Annotated[str, Form(max_length=60)] = ""
) -> Response:
    """A person has seen to it."""
    target = url({"kind": kind if kind in NOTICES else "", "resolved": ""})
    if not tasks.resolve(session, notice_id, actor=page.actor):
        return page.go(target, told=page.gettext("It was closed already."))
    undo = Undo(f"/operations/notices/{notice_id}/reopen", {"kind": kind})
    return page.go(target, told=page.gettext("Resolved. The same trouble opens a new notice."), undo=undo)


@router.post("/operations/notices/{notice_id}/reopen")
def reopen(
    notice_id: int, page: ResolvePage, session: SessionDep, kind: Annotated[str, Form(max_length=60)] = ""
) -> Response:
    """Take that back."""
    target = url({"kind": kind if kind in NOTICES else "", "resolved": ""})
    if not tasks.reopen(session, notice_id, actor=page.actor):
        return page.go(target, told=page.gettext("It is open already."))
    return page.go(target, told=page.gettext("It is open again."))


def url(kept: dict[str, str], **changes: str) -> str:
    """The list with these filters."""
    query = urlencode({name: value for name, value in (kept | changes).items() if value})
    return f"{LIST}?{query}" if query else LIST


def _row(page: Page, told: Told) -> Row:
    words = NOTICES.get(told.notice.kind, UNKNOWN)
    by = told.notice.resolved_by or ""
    return Row(told, words, _place(words, told), tuple(_details(page, told)), by.startswith(tasks.BY_PERSON))


def _place(words: NoticeWords, told: Told) -> str:
    """The path to the thing; empty when the thing is not there."""
    job, operator = told.notice.details.get("job"), told.notice.details.get("operator")
    things = {
        "{invoice}": told.invoices[0].id if told.invoices else None,
        "{client}": told.clients[0][0] if told.clients else None,
        "{letter}": told.letter_id,
        "{operator}": operator if isinstance(operator, int) else None,
        "{job}": job if job in _JOB_NAMES else None,
    }
    for name, thing in things.items():
        if name in words.place:
            return words.place.replace(name, str(thing)) if thing is not None else ""
    return words.place


def _details(page: Page, told: Told) -> list[tuple[str, str]]:
    found = []
    for name, label in DETAILS.items():
        value = told.notice.details.get(name)
        if isinstance(value, str | int) and value != "":
            word = JOBS[value][0] if name == "job" and value in JOBS else VALUES.get(str(value))
            found.append((page.gettext(label), page.gettext(word) if word else str(value)[:LONGEST_DETAIL]))
    return found
