"""The story of one invoice, newest first: every section's rows, told and put in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from nudgepay.invoices.models import Invoice
from nudgepay.nudges.history import gather_all, invoices_of_letters
from nudgepay.web.ui.invoice.actors import Actors
from nudgepay.web.ui.invoice.acts import act_of
from nudgepay.web.ui.invoice.events import TELLERS, Event, Row, Teller
from nudgepay.web.ui.page import Page

Rows = dict[str, list[dict[str, Any]]]
SECTIONS = (*TELLERS, "letters", "audit")
CLIENT_WIDE = ("clients:", "contacts:")
MOST_ROWS = 200
"""Of each section; far more than an invoice ever has."""
MOST_EVENTS = 60


@dataclass(frozen=True, slots=True)
class Story:
    """A page of events; `earlier` is the instant before which the next page begins, None when nothing is older.

    `rows`: the rows it was told from, by section.
    """

    events: list[Event]
    earlier: datetime | None
    rows: Rows


def tell_story(
    page: Page, session: Session, invoice: Invoice, *, before: datetime | None = None, most: int = MOST_EVENTS
) -> Story:
    """The newest events (older than `before`)."""
    rows = gather_all(session, invoice.id, invoice.client_id, sections=SECTIONS, newest=MOST_ROWS)
    told = sorted(_events(page, session, invoice, rows), key=lambda event: event.at, reverse=True)
    told = [event for event in told if before is None or event.at < before]
    cut = most
    while 0 < cut < len(told) and told[cut].at == told[cut - 1].at:
        cut += 1
    return Story(told[:cut], told[cut - 1].at if cut < len(told) else None, rows)


def told_since(page: Page, session: Session, invoice: Invoice, since: datetime) -> list[Event]:
    """What happened after an instant, newest first."""
    return [event for event in tell_story(page, session, invoice, most=MOST_ROWS).events if event.at > since]


def _events(page: Page, session: Session, invoice: Invoice, rows: Rows) -> Iterator[Event]:
    actors = Actors(page, session, _actors(rows))
    doers = {(row["subject"], row["action"]): row["actor"] for row in rows["audit"]}
    tell = Teller(page, invoice, actors, doers)
    yield _entered(tell, rows)
    for section, of_row in TELLERS.items():
        for row in rows[section]:
            if section != "suppressions" or row["created_at"] > invoice.created_at:
                yield from of_row(tell, row)
    yield from _letters(tell, session, rows)
    for row in rows["audit"]:
        if not row["subject"].startswith(CLIENT_WIDE) or row["at"] > invoice.created_at:
            yield from _acts(tell, row)


def _actors(rows: Rows) -> Iterator[str]:
    for found in rows.values():
        for row in found:
            yield from (
                row[name]
                for name in ("actor", "resolved_by", "lifted_by", "gap_overridden_by", "reviewed_by")
                if row.get(name)
            )


def _entered(tell: Teller, rows: Rows) -> Event:
    invoice = tell.invoice
    doer = tell.doer(f"invoices:{invoice.id}", "invoice.create")
    title = tell.gettext("Entered the books") if doer else tell.gettext("Imported into the books")
    return Event(invoice.created_at, "invoice", title, text=tell.money(invoice.amount_due), who=doer)


def _letters(tell: Teller, session: Session, rows: Rows) -> Iterator[Event]:
    """A letter is one event from leaving to what became of it, with whatever else it reminds of."""
    steps: dict[Any, list[Row]] = {}
    for reminder in rows["reminders"]:
        steps.setdefault(reminder["letter_id"], []).append(reminder)
    companions = invoices_of_letters(session, [row["id"] for row in rows["letters"]])
    for row in rows["letters"]:
        carried = steps.get(row["id"], [])
        others = [one for one in companions.get(row["id"], []) if one[0] != tell.invoice.id]
        by_hand = next((one for one in carried if one["nudge_key"]), None)
        doer = tell.doer(f"reminders:{by_hand['id']}", "nudge.request") if by_hand else ""
        codes = ", ".join(one["step"] for one in carried if not one["nudge_key"])
        title = tell.gettext("Nudge by hand") if by_hand else tell.gettext("Letter %(step)s", step=codes)
        tone = {"accepted": "ok", "delivered": "ok", "sending": ""}.get(row["state"], "bad")
        icon = {"unknown": "unknown", "bounced": "bounce", "delivered": "opened"}.get(row["state"], "letter")
        yield Event(row["sending_at"], icon, title, tone, row["subject"], doer, letter=row, others=others)


def _acts(tell: Teller, row: Row) -> Iterator[Event]:
    act = act_of(row, tell.page)
    if act is not None:
        yield Event(
            row["at"], act.icon, act.title, act.tone, act.text(row, tell.page), tell.actors.name(row["actor"])
        )
