"""What would leave if sending were on: the engine run forward over whoever has something due. Changes nothing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.nudges.facts import ClientFacts, LetterPlan, Plan
from nudgepay.nudges.queries import load_clients, rules_now
from nudgepay.nudges.simulate import looks
from nudgepay.nudges.terms import Terms
from nudgepay.nudges.timeline import UNPLANNABLE

AHEAD = timedelta(days=3)
"""A pause that ends on a Friday evening shows what goes on Monday."""
MOST_CLIENTS = 300
MOST_ROWS = 5_000
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class ComingLetter:
    """One letter; `amounts` are what it claims for each invoice number, minor units of `currency`."""

    at: datetime
    client_id: int
    client: str
    contact: str
    currency: str
    invoices: tuple[tuple[int, str, int], ...]

    @property
    def amount(self) -> int:
        """What it claims in all, in minor units."""
        return sum(amount for _, _, amount in self.invoices)


@dataclass(slots=True)
class Outlook:
    """`letters` in order of time. `is_whole`: no client was left out; else the figures are lower bounds.

    `held` counts what is due and stays silent all the same, by reason; `unplannable` clients cannot be judged.
    """

    now: datetime
    letters: list[ComingLetter] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    clients: int = 0
    unplannable: int = 0
    is_whole: bool = True

    @property
    def at_once(self) -> list[ComingLetter]:
        """What the next pass would hand to the relay."""
        return [letter for letter in self.letters if letter.at <= self.now]

    @property
    def totals(self) -> dict[str, int]:
        """What all letters claim, minor units by currency."""
        found: Counter[str] = Counter()
        for letter in self.letters:
            found[letter.currency] += letter.amount
        return dict(sorted(found.items()))


def look_out(
    session: Session, *, terms: Terms, now: datetime, ahead: timedelta = AHEAD, most: int = MOST_CLIENTS
) -> Outlook:
    """What the time ahead brings if nothing is paused, of at most so many clients, the longest waiting first."""
    rules = replace(rules_now(session, terms.rules), sending_paused=False)
    outlook = Outlook(now)
    for client in _concerned(session, outlook, until=now + ahead, most=most):
        try:
            seen = list(looks(client, rules=rules, calendar=terms.calendar, start=now, end=now + ahead))
        except UNPLANNABLE:
            outlook.unplannable += 1
            continue
        outlook.letters += [_coming(client, letter, at) for at, answer in seen for letter in answer.letters]
        outlook.held.update(_silent_throughout([answer for _, answer in seen]))
    outlook.letters.sort(key=lambda letter: (letter.at, letter.client, letter.client_id))
    return outlook


def _silent_throughout(seen: list[Plan]) -> Iterator[str]:
    """Why what is due now does not go in the whole time: the reason of each step that is held and never sent."""
    sent = {(one.invoice_id, one.step) for answer in seen for letter in answer.letters for one in letter.decisions}
    for one in seen[0].due:
        if one.action == "hold" and one.reason is not None and (one.invoice_id, one.step) not in sent:
            yield one.reason


def _coming(client: ClientFacts, letter: LetterPlan, at: datetime) -> ComingLetter:
    numbers = {invoice.id: invoice.number for invoice in client.invoices}
    invoices = tuple((one.invoice_id, numbers[one.invoice_id], one.amount) for one in letter.decisions)
    contact = next((one.name or one.email for one in client.contacts if one.id == letter.contact_id), "")
    return ComingLetter(at, client.id, client.name, contact, letter.currency, invoices)


_DUE = """
SELECT client_id FROM (
  (SELECT client_id, next_at AS since FROM invoices
    WHERE next_at IS NOT NULL AND next_at <= :until ORDER BY next_at, id LIMIT :rows)
  UNION ALL
  (SELECT client_id, look_at FROM reminders
    WHERE state = 'planned' AND look_at <= :until ORDER BY look_at LIMIT :rows)
  UNION ALL
  (SELECT client_id, due_at FROM reminders
    WHERE state = 'planned' AND held_reason = 'sending_paused' ORDER BY look_at LIMIT :rows)
) AS waiting GROUP BY client_id ORDER BY min(since), client_id LIMIT :clients
"""


def _concerned(session: Session, outlook: Outlook, *, until: datetime, most: int) -> Iterator[ClientFacts]:
    asked = {"until": until, "rows": MOST_ROWS, "clients": most + 1}
    ids = list(session.scalars(text(_DUE), asked))
    outlook.is_whole = len(ids) <= most
    ids = ids[:most]
    outlook.clients = len(ids)
    for start in range(0, len(ids), AT_ONCE):
        yield from load_clients(session, ids[start : start + AT_ONCE], now=outlook.now).values()
