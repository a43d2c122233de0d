"""Imported overdue invoices that wait for a person's word: which, and what would go out if they were released."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.nudges.facts import ClientFacts, Decision
from nudgepay.nudges.preview import Span
from nudgepay.nudges.queries import load_clients
from nudgepay.nudges.simulate import simulate
from nudgepay.nudges.timeline import UNPLANNABLE

PAGE = 50
COUNTED = 1_000
"""A list counts no further than this."""
MOST_CLIENTS = 100
"""Clients for whom a preview runs the engine; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Which of the waiting invoices: all, or those of a client or an import; none newer than `through`."""

    client_id: int | None = None
    import_id: int | None = None
    through: int | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The values of the statements."""
        return {"client": self.client_id, "import": self.import_id, "through": self.through}


_WAITING = """
  FROM invoices i JOIN clients c ON c.id = i.client_id
 WHERE i.amnesty_at IS NOT NULL AND i.status = 'open'
   AND (CAST(:client AS bigint) IS NULL OR i.client_id = :client)
   AND (CAST(:through AS bigint) IS NULL OR i.id <= :through)
   AND (CAST(:import AS bigint) IS NULL OR EXISTS (
        SELECT FROM import_uploads u WHERE u.id = :import AND i.created_at = u.written_at
           AND i.id BETWEEN u.first_invoice_id AND u.last_invoice_id))
"""


def waiting_invoices(session: Session, which: Waiting, *, after: int = 0) -> Sequence[Row[Any]]:
    """One page and one more, in the order in which they came."""
    columns = "SELECT i.id, i.number, i.client_id, c.name AS client, i.currency, i.amount_remaining, i.due_on"
    query = f"{columns}, i.amnesty_at {_WAITING} AND i.id > :after ORDER BY i.id LIMIT :limit"
    return session.execute(text(query), {**which.given, "after": after, "limit": PAGE + 1}).all()


def count_waiting(session: Session, which: Waiting) -> int:
    """How many wait; at most COUNTED + 1, which means more than COUNTED."""
    query = f"SELECT count(*) FROM (SELECT {_WAITING} LIMIT {COUNTED + 1}) AS found"  # noqa: S608
    return session.scalar(text(query), which.given) or 0


def waiting_ids(session: Session, which: Waiting) -> list[int]:
    """All of them, for a release of all."""
    return list(session.scalars(text(f"SELECT i.id {_WAITING} ORDER BY i.id"), which.given))


@dataclass(frozen=True, slots=True)
class FirstLetter:
    """A letter that a release sets free: when it goes, to which client, over how much (minor units)."""

    at: datetime
    client_id: int
    client: str
    currency: str
    amount: int
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """What a release does in the time looked at. `unseen`: clients beyond those for whom it was worked out."""

    invoices: int
    clients: int
    unseen: int
    letters: tuple[FirstLetter, ...]
    holds: Counter[str]


def preview_release(session: Session, ids: Collection[int], span: Span) -> Release:
    """The engine's answer for the clients of these invoices as if they had been released. Changes nothing."""
    query = text("SELECT DISTINCT client_id FROM invoices WHERE id = ANY(:ids) ORDER BY client_id")
    clients = list(session.scalars(query, {"ids": list(ids)}))
    looked = clients[:MOST_CLIENTS]
    free = frozenset(ids)
    letters: list[FirstLetter] = []
    holds: Counter[str] = Counter()
    for client in load_clients(session, looked, now=span.start).values() if looked else ():
        _look(_released(client, free), free, span, letters, holds)
    letters.sort(key=lambda letter: (letter.at, letter.client, letter.currency))
    return Release(len(free), len(clients), len(clients) - len(looked), tuple(letters), holds)


def _released(client: ClientFacts, free: Collection[int]) -> ClientFacts:
    invoices = (replace(one, amnesty=False) if one.id in free else one for one in client.invoices)
    return replace(client, invoices=tuple(invoices))


def _look(
    client: ClientFacts, free: Collection[int], span: Span, letters: list[FirstLetter], holds: Counter[str]
) -> None:
    invoices = {one.id: one for one in client.invoices}
    going: dict[tuple[datetime, str], list[Decision]] = defaultdict(list)
    try:
        decisions = simulate(client, rules=span.rules, calendar=span.calendar, start=span.start, end=span.end)
    except UNPLANNABLE:
        holds["template_error"] += 1
        return
    held: dict[int, str] = {}
    for decision in decisions:
        if decision.invoice_id in free and decision.action == "send":
            going[decision.at, invoices[decision.invoice_id].currency].append(decision)
        elif decision.invoice_id in free and decision.action == "hold" and decision.reason is not None:
            held.setdefault(decision.invoice_id, decision.reason)
    sent = {one.invoice_id for lines in going.values() for one in lines}
    holds.update(reason for invoice_id, reason in held.items() if invoice_id not in sent)
    letters += [
        FirstLetter(
            at,
            client.id,
            client.name,
            currency,
            sum(one.amount for one in lines),
            tuple(invoices[one.invoice_id].number for one in lines),
        )
        for (at, currency), lines in going.items()
    ]
