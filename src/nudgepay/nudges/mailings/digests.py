"""The owner's daily digest: what came in, what goes out next, what needs a person."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.nudges.calendars import local_day, local_instant, zone
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.mailings.composing import Composed, compose
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.mailings.queue import enqueue
from nudgepay.nudges.mailings.rendering import Addressee, Voice
from nudgepay.nudges.queries import load_clients, rules_now
from nudgepay.nudges.simulate import simulate
from nudgepay.nudges.switch import pause_reason
from nudgepay.nudges.terms import Terms
from nudgepay.nudges.timeline import UNPLANNABLE

A_DAY = timedelta(days=1)
MOST_LINES = 15
MOST_CLIENTS = 500
"""Clients whose next day is worked out; a longer list is cut, and the digest says so."""


@dataclass(frozen=True, slots=True)
class CameIn:
    """Money of one client since the last digest, in minor units."""

    client: str
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class GoesOut:
    """A letter of the next day: to whom, when (UTC), over how much (minor units)."""

    client: str
    currency: str
    amount: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Digest:
    """Everything a digest says. `tasks`: open notices by kind. `is_cut`: more clients are due than were looked at.

    `goes_out` is what would go if sending were not paused; `paused` says why it is.
    """

    came_in: tuple[CameIn, ...]
    goes_out: tuple[GoesOut, ...]
    tasks: tuple[tuple[str, int], ...]
    waiting_for_release: int
    paused: str | None
    is_cut: bool = False


def plan_digest(
    session: Session, *, recipients: tuple[str, ...], at: time, timezone: str, terms: Terms, now: datetime
) -> int:
    """Wish for today's digest once `at` has come in the business's zone; returns how many were written."""
    today = local_day(now, timezone)
    if now < local_instant(today, at, timezone):
        return 0
    wishes = [
        enqueue(
            session,
            kind="digest",
            dedup_key=f"digest:{today.isoformat()}:{address.lower()}",
            to_address=address,
            from_email=terms.business.from_email,
            look_at=now,
            details={"timezone": timezone},
        )
        for address in recipients
    ]
    return sum(wish is not None for wish in wishes)


def digest(session: Session, *, since: datetime, terms: Terms, now: datetime) -> Digest:
    """What came in after `since`, what goes out within a day of `now`, and what waits for a person."""
    ids = list(session.scalars(text(_DUE_SOON), {"end": now + A_DAY, "most": MOST_CLIENTS + 1}))
    return Digest(
        came_in=tuple(CameIn(*row) for row in session.execute(text(_CAME_IN), {"since": since, "now": now})),
        goes_out=tuple(_letters_ahead(session, ids[:MOST_CLIENTS], terms, now)),
        tasks=tuple((row[0], int(row[1])) for row in session.execute(text(_TASKS))),
        waiting_for_release=session.scalar(text(_AMNESTY)) or 0,
        paused=pause_reason(session),
        is_cut=len(ids) > MOST_CLIENTS,
    )


_CAME_IN = """
SELECT c.name, f.currency, sum(f.amount)::bigint FROM money_facts f JOIN clients c ON c.id = f.client_id
 WHERE f.recorded_at > :since AND f.recorded_at <= :now AND f.kind IN ('payment', 'manual')
   AND f.voided_at IS NULL AND f.problem IS NULL AND f.provider <> 'import'
 GROUP BY c.id, f.currency ORDER BY 3 DESC, 1
"""
_DUE_SOON = """
SELECT client_id FROM (
       (SELECT client_id FROM invoices WHERE next_at <= :end ORDER BY next_at LIMIT 5000)
       UNION
       (SELECT client_id FROM reminders WHERE state = 'planned' AND look_at <= :end ORDER BY look_at LIMIT 5000)
     ) AS soon ORDER BY client_id LIMIT :most
"""
_TASKS = "SELECT kind, count(*) FROM notices WHERE resolved_at IS NULL GROUP BY kind ORDER BY count(*) DESC, kind"
_AMNESTY = "SELECT count(*) FROM invoices WHERE amnesty_at IS NOT NULL AND status = 'open'"
_LAST = """
SELECT max(sending_at) FROM mailings
 WHERE kind = 'digest' AND to_address = :address AND id <> :id AND state NOT IN ('planned', 'cancelled')
"""


def _letters_ahead(session: Session, client_ids: list[int], terms: Terms, now: datetime) -> list[GoesOut]:
    rules = replace(rules_now(session, terms.rules), sending_paused=False)
    calendar = calendar_now(session, terms.calendar)
    found = []
    for client in load_clients(session, client_ids, now=now).values():
        currencies = {invoice.id: invoice.currency for invoice in client.invoices}
        try:
            ahead = simulate(client, rules=rules, calendar=calendar, start=now, end=now + A_DAY)
        except UNPLANNABLE:
            continue
        sums: Counter[tuple[str, datetime]] = Counter()
        for one in ahead:
            if one.action == "send":
                sums[currencies[one.invoice_id], one.at] += one.amount
        found += [GoesOut(client.name, currency, amount, at) for (currency, at), amount in sums.items()]
    return sorted(found, key=lambda letter: (letter.at, letter.client))


def compose_digest(session: Session, mailing: Mailing, *, terms: Terms, now: datetime) -> Composed:
    """The digest as things stand when it leaves."""
    last = session.scalar(text(_LAST), {"address": mailing.to_address, "id": mailing.id})
    made = digest(session, since=max(last or now - A_DAY, now - 7 * A_DAY), terms=terms, now=now)
    local = zone(mailing.details["timezone"])

    def subject(voice: Voice) -> str:
        return voice("digest.subject", business=terms.business.name, date=voice.day(now.astimezone(local).date()))

    values = {
        "subject": subject,
        "digest": made,
        "most": MOST_LINES,
        "clock": lambda at: f"{at.astimezone(local):%H:%M}",
    }
    reader = Addressee("", mailing.to_address, terms.business.locale)
    return compose(mailing, reader, "digest", values, terms=terms, now=now)
