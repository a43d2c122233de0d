"""What waits and why, what left lately, and what leaves next: reads that cost what they show."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.ledger import OpenNotices
from nudgepay.nudges.facts import ClientFacts
from nudgepay.nudges.queries import load_clients
from nudgepay.nudges.reasons import HELD_REASONS
from nudgepay.nudges.simulate import looks
from nudgepay.nudges.terms import Terms
from nudgepay.nudges.timeline import UNPLANNABLE

CAP = 1_000
"""Counted at most; what is more reads as `more than`."""
CLIENTS = 4
"""Clients whose next letter is worked out."""
ROWS = 200
"""Rows of each queue in which they are looked for."""
AHEAD = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Held:
    """Invoices with a reminder that is held for one reason. `is_more`: there are more than `invoices`."""

    reason: str
    invoices: int
    is_more: bool


@dataclass(frozen=True, slots=True)
class Amnesty:
    """Imported invoices that were overdue already and wait for a person's release."""

    invoices: int
    is_more: bool
    since: datetime


@dataclass(slots=True)
class Glance:
    """What waits: `held` by reason, the commonest first; `tasks`, the open notices by kind; why sending is paused, if
    it is; how many letters left, or may have, on each day asked for; and the clients whose turn comes next."""

    held: list[Held] = field(default_factory=list)
    tasks: list[OpenNotices] = field(default_factory=list)
    amnesty: Amnesty | None = None
    pause: str | None = None
    letters: list[int] = field(default_factory=list)
    next_clients: list[int] = field(default_factory=list)


_GLANCE = """
SELECT 'held' AS what, why.reason AS name, held.invoices AS number, CAST(NULL AS timestamptz) AS at
  FROM unnest(CAST(:reasons AS text[])) AS why (reason),
       LATERAL (SELECT count(*) AS invoices
                  FROM (SELECT invoice_id FROM reminders WHERE state = 'planned' AND held_reason = why.reason
                         GROUP BY invoice_id ORDER BY invoice_id LIMIT :cap) AS capped) AS held
 WHERE held.invoices > 0
UNION ALL
SELECT 'task', kind, count(*), min(created_at) FROM notices WHERE resolved_at IS NULL GROUP BY kind
UNION ALL
SELECT 'amnesty', '', count(*), min(amnesty_at)
  FROM (SELECT amnesty_at FROM invoices WHERE amnesty_at IS NOT NULL AND status = 'open'
         ORDER BY amnesty_at LIMIT :cap) AS capped
HAVING count(*) > 0
UNION ALL
SELECT 'pause', coalesce(reason, ''), 0, paused_at FROM sending_switch WHERE id = 1 AND paused_at IS NOT NULL
UNION ALL
SELECT 'letters', '', (SELECT count(*) FROM letters WHERE sending_at >= day.starts AND sending_at < day.ends)
                    - (SELECT count(*) FROM letters WHERE sending_at >= day.starts AND sending_at < day.ends
                          AND state IN ('planned', 'failed', 'cancelled')), day.starts
  FROM unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])) AS day (starts, ends)
UNION ALL
(SELECT 'next', '', client_id, min(at)
   FROM ((SELECT client_id, next_at AS at FROM invoices WHERE next_at IS NOT NULL ORDER BY next_at LIMIT :rows)
         UNION ALL
         SELECT client_id, look_at
           FROM (SELECT * FROM reminders WHERE state = 'planned' ORDER BY look_at LIMIT :rows) AS planned
          WHERE held_reason IS NULL OR held_until IS NOT NULL
             OR held_reason IN ('sending_paused', 'sender_not_ready', 'balance_stale')) AS soon
  GROUP BY client_id ORDER BY min(at), client_id LIMIT :clients)
"""
"""One statement: each by itself costs less than asking for it."""


def glance(session: Session, *, days: Sequence[datetime]) -> Glance:
    """What waits now; `days` are the days' beginnings and the end of the last one."""
    found, letters = Glance(), dict.fromkeys(days[:-1], 0)
    given = {"reasons": sorted(HELD_REASONS), "cap": CAP + 1, "starts": list(days[:-1]), "ends": list(days[1:])}
    given |= {"rows": ROWS, "clients": CLIENTS}
    for what, name, number, at in session.execute(text(_GLANCE), given):
        if what == "held":
            found.held.append(Held(name, min(number, CAP), number > CAP))
        elif what == "task":
            found.tasks.append(OpenNotices(name, number, at))
        elif what == "amnesty":
            found.amnesty = Amnesty(min(number, CAP), number > CAP, at)
        elif what == "pause":
            found.pause = name
        elif what == "next":
            found.next_clients.append(number)
        else:
            letters[at] = number
    found.held.sort(key=lambda held: (-held.invoices, held.reason))
    found.letters = list(letters.values())
    return found


def has_ever_written(session: Session) -> bool:
    """True once a letter was taken by the relay."""
    return bool(session.scalar(text("SELECT EXISTS (SELECT FROM letters WHERE state IN ('accepted', 'delivered'))")))


@dataclass(frozen=True, slots=True)
class NextLetter:
    """A letter that the engine foresees: when (UTC), to whom, over how much (minor units), for which invoices."""

    at: datetime
    client_id: int
    client: str
    currency: str
    amount: int
    invoices: tuple[tuple[int, str], ...]


def next_letters(session: Session, client_ids: Sequence[int], *, terms: Terms, now: datetime) -> list[NextLetter]:
    """The next letters of these clients, as if nothing held everybody."""
    found: list[NextLetter] = []
    for client in load_clients(session, client_ids, now=now).values() if client_ids else ():
        try:
            found += _next_of(client, terms=terms, now=now)
        except UNPLANNABLE:
            continue
    return sorted(found, key=lambda letter: (letter.at, letter.client))


def _next_of(client: ClientFacts, *, terms: Terms, now: datetime) -> list[NextLetter]:
    """What the client gets the next time that anything goes: a letter for each currency."""
    invoices = {invoice.id: invoice for invoice in client.invoices}
    for at, answer in looks(client, rules=terms.rules, calendar=terms.calendar, start=now, end=now + AHEAD):
        if answer.letters:
            return [
                NextLetter(
                    at,
                    client.id,
                    client.name,
                    letter.currency,
                    sum(one.amount for one in letter.decisions),
                    tuple((one.invoice_id, invoices[one.invoice_id].number) for one in letter.decisions),
                )
                for letter in answer.letters
            ]
    return []
