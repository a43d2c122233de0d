"""Invoices to try a text on: a few that fit, however many are stored. Each read is bounded by its index."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.nudges.languages import pick_language

SHOWN = 8
LOOKED_AT = 200
LONGEST_SEARCH = 60


@dataclass(frozen=True, slots=True)
class TrialInvoice:
    """An open invoice. `remaining` in minor units; `locale` is its client's."""

    id: int
    number: str
    client: str
    currency: str
    remaining: int
    locale: str


_COLUMNS = "i.id, i.number, c.name AS client, i.currency, i.amount_remaining AS remaining, c.locale"
_OPEN = "i.status = 'open' AND i.amount_remaining > 0"

_BY_NUMBER = f"""
SELECT {_COLUMNS}
  FROM ((SELECT id FROM invoices WHERE number >= :typed ORDER BY number LIMIT :most)
        UNION (SELECT id FROM invoices WHERE number >= upper(:typed) ORDER BY number LIMIT :most)) AS near
  JOIN invoices i USING (id) JOIN clients c ON c.id = i.client_id
 WHERE starts_with(lower(i.number), lower(:typed)) AND {_OPEN} ORDER BY i.number LIMIT :shown
"""  # noqa: S608  # texts of ours
_BY_CLIENT = f"""
SELECT {_COLUMNS}
  FROM (SELECT * FROM (SELECT * FROM clients WHERE lower(name) >= lower(:typed) ORDER BY lower(name), id LIMIT :most)
                      AS near
         WHERE starts_with(lower(name), lower(:typed))) AS c
  CROSS JOIN LATERAL (
       SELECT * FROM invoices WHERE client_id = c.id AND status = 'open' ORDER BY due_on LIMIT :shown) AS i
 WHERE {_OPEN} ORDER BY lower(c.name), i.due_on, i.id LIMIT :shown
"""  # noqa: S608  # texts of ours
_COMING = f"""
SELECT {_COLUMNS}
  FROM (SELECT * FROM invoices WHERE next_at IS NOT NULL ORDER BY next_at, id LIMIT :looked_at) AS i
  JOIN clients c ON c.id = i.client_id
 WHERE {_OPEN} ORDER BY i.next_at, i.id
"""  # noqa: S608  # texts of ours
_NEWEST = f"""
SELECT {_COLUMNS} FROM (SELECT * FROM invoices ORDER BY id DESC LIMIT :looked_at) AS i
  JOIN clients c ON c.id = i.client_id
 WHERE {_OPEN} ORDER BY i.id DESC
"""  # noqa: S608  # texts of ours


def find_trial_invoices(session: Session, typed: str, *, language: str) -> list[TrialInvoice]:
    """Open invoices whose number or client begins like this, a handful; without anything typed, some that fit."""
    wanted = typed.strip()[:LONGEST_SEARCH].replace("\x00", "")
    if not wanted:
        return suggested_invoices(session, language=language)[:SHOWN]
    given = {"typed": wanted, "most": LOOKED_AT, "shown": SHOWN}
    found = [*_rows(session, _BY_NUMBER, given), *_rows(session, _BY_CLIENT, given)]
    return list({one.id: one for one in found}.values())[:SHOWN]


def suggested_invoices(session: Session, *, language: str) -> list[TrialInvoice]:
    """Invoices that something is coming for, readers of this language first; else the newest open ones."""
    found = _rows(session, _COMING, {"looked_at": LOOKED_AT}) or _rows(session, _NEWEST, {"looked_at": LOOKED_AT})
    return sorted(found, key=lambda one: pick_language(one.locale) != language)


def _rows(session: Session, query: str, given: dict[str, object]) -> list[TrialInvoice]:
    return [TrialInvoice(*row) for row in session.execute(text(query), given)]
