"""What waits and why, what left lately, and what leaves next: reads that cost what they show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.nudges.facts import ClientFacts
from nudgepay.nudges.queries import load_clients
from nudgepay.nudges.reasons import HELD_REASONS
from nudgepay.nudges.simulate import looks
from nudgepay.nudges.terms import Terms
from nudgepay.nudges.timeline import UNPLANNABLE

CAP = 1_000
"""Counted at most; what is more reads as `more than`."""
CLIENTS = 6
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


_HELD = """
SELECT why.reason, held.invoices
  FROM unnest(CAST(:reasons AS text[])) AS why (reason),
       LATERAL (SELECT count(*) AS invoices
                  FROM (SELECT invoice_id FROM reminders WHERE state = 'planned' AND held_reason = why.reason
                         GROUP BY invoice_id ORDER BY invoice_id LIMIT :cap) AS capped) AS held
 WHERE held.invoices > 0 ORDER BY held.invoices DESC, why.reason
"""


def held_by_reason(session: Session) -> list[Held]:
    """How many invoices each reason holds, the commonest first."""
    rows = session.execute(text(_HELD), {"reasons": sorted(HELD_REASONS), "cap": CAP + 1})
    return [Held(reason, min(count, CAP), count > CAP) for reason, count in rows]


@dataclass(frozen=True, slots=True)
class Amnesty:
    """Imported invoices that were overdue already and wait for a person's release."""

    invoices: int
    is_more: bool
    since: datetime


_AMNESTY = """
SELECT count(*), min(amnesty_at)
  FROM (SELECT amnesty_at FROM invoices WHERE amnesty_at IS NOT NULL AND status = 'open'
         ORDER BY amnesty_at LIMIT :cap) AS capped
"""


def waiting_for_release(session: Session) -> Amnesty | None:
    """What amnesty holds; None when it holds nothing."""
    count, since = session.execute(text(_AMNESTY), {"cap": CAP + 1}).one()
    return Amnesty(min(count, CAP), count > CAP, since) if count else None


_LETTERS = """
SELECT (SELECT count(*) FROM letters
         WHERE sending_at >= day.starts AND sending_at < day.ends AND state NOT IN ('planned', 'failed', 'cancelled'))
  FROM unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
       WITH ORDINALITY AS day (starts, ends, place)
 ORDER BY day.place
"""


def letters_by_day(session: Session, *, days: Sequence[datetime]) -> list[int]:
    """How many letters left, or may have, on each day; `days` are the days' beginnings and the end of the last."""
    given = {"starts": list(days[:-1]), "ends": list(days[1:])}
    return [int(count) for count in session.scalars(text(_LETTERS), given)]


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


_SOON = """
SELECT client_id
  FROM ((SELECT client_id, next_at AS at FROM invoices WHERE next_at IS NOT NULL ORDER BY next_at LIMIT :rows)
        UNION ALL
        SELECT client_id, look_at
          FROM (SELECT * FROM reminders WHERE state = 'planned' ORDER BY look_at LIMIT :rows) AS planned
         WHERE held_reason IS NULL OR held_until IS NOT NULL
            OR held_reason IN ('sending_paused', 'sender_not_ready', 'balance_stale')) AS soon
 GROUP BY client_id ORDER BY min(at), client_id LIMIT :clients
"""


def next_letters(session: Session, *, terms: Terms, now: datetime, most: int) -> list[NextLetter]:
    """The next letters of the clients whose turn comes next, as if nothing held everybody."""
    ids = list(session.scalars(text(_SOON), {"rows": ROWS, "clients": CLIENTS}))
    found: list[NextLetter] = []
    for client in load_clients(session, ids, now=now).values() if ids else ():
        try:
            found += _next_of(client, terms=terms, now=now)
        except UNPLANNABLE:
            continue
    return sorted(found, key=lambda letter: (letter.at, letter.client))[:most]


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
