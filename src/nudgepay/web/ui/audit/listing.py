"""`/audit`: the log, newest first, with the state of its chain on top."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.audit import AuditEvent
from nudgepay.audit.listing import AuditFilter, LogTooLong, audit_events, chain_state, known_actions, known_actors
from nudgepay.invoices.models import Invoice
from nudgepay.ledger import LedgerEntry
from nudgepay.readiness.audit_log import NAME
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.audit.changes import Change, changes_of
from nudgepay.web.ui.audit.subjects import Subject, Subjects
from nudgepay.web.ui.audit.words import ACTIONS, UNKNOWN, thing_of
from nudgepay.web.ui.cursors import pack, unpack
from nudgepay.web.ui.invoice.actors import Actors
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
PAGE_SIZE = 50
LONGEST_QUERY = 200
_SUBJECT = re.compile(r"[a-z_]+:\S.*")
_ORIGIN = re.compile(r"(?:(?!web:|cli:|job:)(.*?); )?(\S*)(?: (.*))?", re.DOTALL)
"""What an act said of its origin, where the edge says it was, and what a browser called itself."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One record as a sentence, with what it changed."""

    event: AuditEvent
    who: str
    did: Markup
    changes: list[Change]
    place: str
    how: str


@router.get("/audit", response_class=HTMLResponse)
def audit_log(
    page: Annotated[Page, allowed(Permission.AUDIT_READ)],
    session: ReadSessionDep,
    who: str = "",
    action: str = "",
    subject: str = "",
    since: str = "",
    until: str = "",
    before: str = "",
) -> Response:
    """A page of the log. What a query cannot mean is left out of it."""
    kept = kept_of({"who": who, "action": action, "subject": subject, "since": since, "until": until})
    actors = known_actors(session)
    state, verified = chain_state(session), _last_check(session)
    choices = Actors(page, session, actors)
    actions = sorted(known_actions(session))
    try:
        rows = audit_events(
            session, filter_of(session, kept, page), before=unpack(before, datetime, int), limit=PAGE_SIZE + 1
        )
        too_long = False
    except LogTooLong:
        session.rollback()
        rows, too_long = [], True
    shown = rows[:PAGE_SIZE]
    return page.show(
        "audit/list.html",
        rows=_shown(session, shown, page),
        kept=kept,
        too_long=too_long,
        actors=sorted(((one, choices.name(one) or one) for one in actors), key=lambda pair: pair[1].lower()),
        actions=[(one, _phrase(page, one, thing_of(page, one))) for one in actions],
        state=state,
        verified=verified,
        next_url=_url(kept, before=pack(shown[-1].at, shown[-1].id)) if len(rows) > PAGE_SIZE else "",
        url=_url,
    )


def kept_of(given: dict[str, str]) -> dict[str, str]:
    """The parts of a filter that can mean something."""
    kept = {name: value.strip()[:LONGEST_QUERY] for name, value in given.items() if value.isprintable()}
    for name in ("since", "until"):
        if _day(kept.get(name, "")) is None:
            kept[name] = ""
    return {name: kept.get(name, "") for name in given}


def filter_of(session: Session, kept: dict[str, str], page: Page) -> AuditFilter:
    """The filter that these words mean; days are those of the person's zone."""
    since, until = _day(kept["since"]), _day(kept["until"])
    last = None if until is None or until == date.max else until + timedelta(days=1)
    return AuditFilter(
        actor=kept["who"] or None,
        action=kept["action"] or None,
        subjects=_subjects(session, kept["subject"]) if kept["subject"] else None,
        since=None if since is None else datetime.combine(since, time(), page.zone),
        until=None if last is None else datetime.combine(last, time(), page.zone),
    )


def _subjects(session: Session, given: str) -> list[str]:
    """`table:id` as it stands; anything else is an invoice's number."""
    if _SUBJECT.fullmatch(given):
        return [given]
    found = session.scalar(select(Invoice.id).where(Invoice.number == given))
    return [f"invoices:{given}", *([f"invoices:{found}"] if found is not None else [])]


def _day(written: str) -> date | None:
    try:
        found = date.fromisoformat(written)
    except ValueError:
        return None
    return found if 1970 <= found.year <= 9998 else None


def _last_check(session: Session) -> LedgerEntry | None:
    query = select(LedgerEntry).where(
        LedgerEntry.kind == "check", LedgerEntry.name == NAME, LedgerEntry.outcome == "done"
    )
    return session.scalars(query.order_by(LedgerEntry.started_at.desc()).limit(1)).first()


def _shown(session: Session, events: Sequence[AuditEvent], page: Page) -> list[Shown]:
    actors = Actors(page, session, [one.actor for one in events])
    subjects = Subjects(page, session, [one.subject for one in events])
    found = []
    for one in events:
        subject = subjects.of(one.subject)
        said, place, agent = _ORIGIN.fullmatch(one.origin or "").groups(default="")  # type: ignore[union-attr]
        found.append(
            Shown(
                one,
                actors.name(one.actor),
                _phrase(page, one.action, _link(subject)),
                changes_of(one.before, one.after, page, currency=subject.currency),
                place,
                " · ".join(part for part in (said, agent) if part),
            )
        )
    return found


def _link(subject: Subject) -> Markup:
    if not subject.path:
        return Markup('<span class="font-medium">{}</span>').format(subject.name)
    return Markup('<a class="link font-medium" href="{}">{}</a>').format(subject.path, subject.name)


def _phrase(page: Page, action: str, subject: str) -> Markup:
    words = Markup("{}").format(page.gettext(ACTIONS.get(action, UNKNOWN)))
    return words % {"subject": subject, "action": action}


def _url(kept: dict[str, Any], **changes: str) -> str:
    query = urlencode({name: value for name, value in (kept | changes).items() if value})
    return f"/audit?{query}" if query else "/audit"
