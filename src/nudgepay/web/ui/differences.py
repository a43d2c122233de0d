"""A difference between two futures as a page shows it: the first invoices, and the whole in numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from nudgepay.nudges.changes import are_too_many
from nudgepay.nudges.differences import InvoiceChange, count_letters, diff_hold
from nudgepay.nudges.facts import ClientFacts
from nudgepay.nudges.outlook import DAYS
from nudgepay.nudges.preview import span_ahead
from nudgepay.web.ui.page import Page

SHOWN = 50
NOT_SHOWN = "-"
"""What a form says to have shown when there was nothing to show: no field of a form means this."""


@dataclass(frozen=True, slots=True)
class Move:
    """One letter of an invoice that differs: gone, new, or both when its step only goes at another time."""

    step: str
    gone: datetime | None
    new: datetime | None


@dataclass(frozen=True, slots=True)
class Shown:
    """An invoice whose letters differ."""

    change: InvoiceChange
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference as a page shows it: the first invoices, and the whole in numbers.

    `compared`: clients that were compared; `is_complete` and `until` say how far that reaches.
    """

    shown: tuple[Shown, ...]
    more: int
    gone: int
    new: int
    clients: int
    compared: int
    is_complete: bool
    until: datetime | None
    days: int = DAYS

    @property
    def is_empty(self) -> bool:
        """True when no letter differs."""
        return not self.shown


def difference_of(
    changes: tuple[InvoiceChange, ...], *, compared: int, is_complete: bool = True, until: datetime | None = None
) -> Difference:
    """The changes cut to what a page can show."""
    gone, new = count_letters(changes)
    return Difference(
        shown=tuple(Shown(one, _moves(one)) for one in changes[:SHOWN]),
        more=max(0, len(changes) - SHOWN),
        gone=gone,
        new=new,
        clients=len({one.client_id for one in changes}),
        compared=compared,
        is_complete=is_complete,
        until=until,
    )


def hold_difference(
    session: Session, page: Page, client_id: int, change: Callable[[ClientFacts], ClientFacts]
) -> Difference | None:
    """What a hold of one client or of one of its invoices would change; None with too many invoices for an answer
    at once."""
    if are_too_many(session, [client_id]):
        return None
    span = span_ahead(session, page.runtime.settings, now=page.now, days=DAYS, if_resumed=True)
    return difference_of(diff_hold(session, client_id, change, span=span), compared=1)


def _moves(change: InvoiceChange) -> tuple[Move, ...]:
    gone, new = dict(change.gone), dict(change.new)
    found = [Move(step, gone.get(step), new.get(step)) for step in dict.fromkeys([*gone, *new])]
    return tuple(sorted(found, key=lambda move: move.gone or move.new or change.new[0][1]))
