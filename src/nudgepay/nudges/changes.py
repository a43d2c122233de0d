"""What a change would do to the letters to come, before it is made: the one engine asked twice."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.nudges.facts import ClientFacts, InvoiceFacts
from nudgepay.nudges.preview import Span
from nudgepay.nudges.queries import load_clients
from nudgepay.nudges.simulate import simulate
from nudgepay.nudges.timeline import UNPLANNABLE

MOST_INVOICES = 300
"""A person waits for the answer: beyond this the letters are not foreseen."""

Letters = tuple[tuple[str, datetime], ...]
Change = Callable[[InvoiceFacts], InvoiceFacts]


@dataclass(frozen=True, slots=True)
class LettersChanged:
    """One invoice's letters as (step, instant): those that no longer go, and those that go instead."""

    invoice_id: int
    number: str
    client: str
    gone: Letters
    new: Letters


def foresee_changes(
    session: Session, client_ids: Collection[int], changes: Mapping[int, Change], *, span: Span
) -> dict[int, LettersChanged] | None:
    """By invoice id, what becomes of the letters when each of `changes` is made; others' letters may move along.

    None when these clients have too many invoices for an answer at once. Writes nothing.
    """
    if are_too_many(session, client_ids):
        return None
    found: dict[int, LettersChanged] = {}
    for client in load_clients(session, client_ids, now=span.start).values():
        found |= changes_of_client(client, changes, span=span)
    return found


def foresee_first(
    session: Session, client_ids: Sequence[int], changes: Mapping[int, Change], *, span: Span
) -> tuple[dict[int, LettersChanged], frozenset[int]]:
    """The same for as many of these clients, in this order, as an answer at once can take; and which they are."""
    some = as_many_as_fit(session, client_ids)
    found: dict[int, LettersChanged] = {}
    for client in load_clients(session, some, now=span.start).values():
        found |= changes_of_client(client, changes, span=span)
    return found, frozenset(some)


def as_many_as_fit(session: Session, client_ids: Sequence[int]) -> list[int]:
    """As many of these clients, in this order, as an answer at once can take with their open invoices."""
    asked = {"ids": list(client_ids), "most": MOST_INVOICES + 1}
    counts = {row.id: row.invoices for row in session.execute(text(_EACH), asked)}
    left, some = MOST_INVOICES, []
    for client_id in client_ids:
        if counts[client_id] <= left:
            left -= counts[client_id]
            some.append(client_id)
    return some


_EACH = """
SELECT c.id, (SELECT count(*) FROM (
          SELECT FROM invoices WHERE client_id = c.id AND status = 'open' LIMIT :most) counted) AS invoices
  FROM unnest(CAST(:ids AS bigint[])) AS c(id)
"""


def are_too_many(session: Session, client_ids: Collection[int]) -> bool:
    """True when these clients have more open invoices than an answer at once can take."""
    return (session.scalar(text(_COUNT), {"ids": list(client_ids), "most": MOST_INVOICES + 1}) or 0) > MOST_INVOICES


_COUNT = """
SELECT count(*) FROM (SELECT FROM invoices WHERE client_id = ANY(:ids) AND status = 'open' LIMIT :most) counted
"""


def changes_of_client(client: ClientFacts, changes: Mapping[int, Change], *, span: Span) -> dict[int, LettersChanged]:
    """The same for one client whose facts are known. Pure."""
    changed = replace(
        client,
        invoices=tuple(changes[one.id](one) if one.id in changes else one for one in client.invoices),
    )
    before, after = _letters(client, span), _letters(changed, span)
    found = {}
    for invoice in changed.invoices:
        old, new = before.get(invoice.id, ()), after.get(invoice.id, ())
        if old != new:
            gone = tuple(letter for letter in old if letter not in new)
            added = tuple(letter for letter in new if letter not in old)
            found[invoice.id] = LettersChanged(invoice.id, invoice.number, client.name, gone, added)
    return found


def _letters(client: ClientFacts, span: Span) -> dict[int, Letters]:
    found: dict[int, Letters] = {}
    try:
        log = simulate(client, rules=span.rules, calendar=span.calendar, start=span.start, end=span.end)
    except UNPLANNABLE:
        return found
    for decision in log:
        if decision.action == "send":
            found[decision.invoice_id] = (*found.get(decision.invoice_id, ()), (decision.step, decision.at))
    return found
