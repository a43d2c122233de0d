"""Whose turn comes next: clients in the order of the first instant at which anything can change for them.

The rows name that instant: an invoice's next step, a waiting reminder's next look. So a bounded number of clients
is enough to know everything that happens before the turn of the first one who was left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

CLIENTS = 120
INVOICES = 800
"""How many clients, and how many open invoices of theirs, a page looks at."""
ROWS_FOR_EACH = 20


@dataclass(frozen=True, slots=True)
class Line:
    """Clients in their order. All that happens before `until` (UTC) concerns only them; None: nobody was left out."""

    client_ids: tuple[int, ...]
    until: datetime | None


def stand_in_line(session: Session, *, end: datetime, clients: int = CLIENTS, invoices: int = INVOICES) -> Line:
    """The first clients with an open invoice for whom anything can change up to `end` (UTC)."""
    most_rows = (clients + 1) * ROWS_FOR_EACH
    rows = session.execute(text(_EVENTS), {"end": end, "rows": most_rows}).all()
    first: dict[int, datetime] = {}
    for row in rows:
        first.setdefault(row.client_id, row.at)
    until: datetime | None = rows[0].cut if rows else None
    sizes = {row.client_id: row.open for row in session.execute(text(_SIZES), {"ids": list(first)})}
    taken: list[int] = []
    for client_id in (one for one in first if one in sizes):
        if taken and (len(taken) == clients or sum(sizes[one] for one in taken) + sizes[client_id] > invoices):
            turn = first[client_id]
            return Line(tuple(taken), turn if until is None else min(turn, until))
        taken.append(client_id)
    return Line(tuple(taken), until)


_EVENTS = """
WITH steps AS (
  SELECT client_id, next_at AS at FROM invoices WHERE next_at <= :end ORDER BY next_at, id LIMIT :rows
), looks AS (
  SELECT client_id, look_at AS at FROM reminders WHERE state = 'planned' AND look_at <= :end
   ORDER BY look_at LIMIT :rows
), in_hand AS (
  SELECT client_id, due_at AS at FROM reminders WHERE state = 'claimed' ORDER BY lease_until LIMIT :rows
), cuts AS (
  SELECT max(at) AS cut FROM steps HAVING count(*) = :rows
   UNION ALL
  SELECT max(at) FROM looks HAVING count(*) = :rows
)
SELECT client_id, at, (SELECT min(cut) FROM cuts) AS cut
  FROM (SELECT * FROM steps UNION ALL SELECT * FROM looks UNION ALL SELECT * FROM in_hand) AS events
 ORDER BY at, client_id
"""
_SIZES = """
SELECT client_id, count(*) AS open FROM invoices WHERE client_id = ANY(:ids) AND status = 'open' GROUP BY client_id
"""


def count_steps(session: Session, spans: Sequence[tuple[datetime, datetime]], *, most: int) -> list[int]:
    """How many invoices have their next step in each of these spans, from the rows; no count goes beyond `most`."""
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    rows = session.execute(text(_STEPS), {"starts": starts, "ends": ends, "most": most}) if spans else ()
    return [int(row.steps) for row in rows]


_STEPS = """
SELECT (SELECT count(*) FROM (SELECT FROM invoices i WHERE i.next_at >= one.starts AND i.next_at < one.ends
                               LIMIT :most) AS few) AS steps
  FROM unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
       WITH ORDINALITY AS one (starts, ends, place)
 ORDER BY one.place
"""
