"""One act on many invoices: judged one by one, shown before it is done, done in one transaction, kept in the ledger,
mostly undone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal, NamedTuple, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.errors import NotFound, UsageError
from nudgepay.invoices.actions import (
    close_invoice,
    pause_invoice,
    release_amnesty,
    switch_reminders,
    unpause_invoice,
)
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import lock_client, lock_invoices
from nudgepay.nudges.changes import Change
from nudgepay.nudges.invoice_filters import Filters
from nudgepay.nudges.invoice_list import invoice_page
from nudgepay.payments.books import clients_with_money, reallocate

Act = Literal["pause", "resume", "reminders_off", "reminders_on", "release", "void"]
ACTS: frozenset[str] = frozenset(get_args(Act))
KIND = "act"
"""Of its entry in the ledger, which keeps what was changed, so that it can be told and taken back."""
MOST = 1_000
"""So many are still shown before they are changed, changed in one transaction that holds nobody up for long, and
taken back together."""
WhyNot = Literal["gone", "changed", "not_open", "already"]


class Chosen(NamedTuple):
    """An invoice as its chooser saw it."""

    id: int
    version: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the act would change this invoice, and if not why. `invoice` is None when there is none."""

    chosen: Chosen
    invoice: Invoice | None
    why_not: WhyNot | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """An invoice that was changed: its version now, and what it was (`paused_until` as ISO, or nothing)."""

    id: int
    version: int
    before: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one act: what was changed, and what was left alone (its number, or nothing, and why)."""

    entry_id: int
    act: Act
    changed: list[Changed]
    left: list[tuple[str, WhyNot]]


class TooMany(UsageError):
    """More invoices match than one act takes."""


def matching(session: Session, filters: Filters, *, today: date) -> list[Chosen]:
    """Every invoice of a list as it is now, in the order of the list. Raises TooMany, and ListTooSlow."""
    found = invoice_page(session, replace(filters, after=""), today=today, size=MOST)
    if found.after is not None:
        raise TooMany(f"more than {MOST} invoices match: narrow the list")
    return [Chosen(row.id, row.version) for row in found.rows]


def judge(session: Session, act: Act, chosen: Sequence[Chosen], *, until: date | None = None) -> list[Verdict]:
    """What the act would do now, in the order of the choice. Locks nothing, changes nothing."""
    ids = [one.id for one in chosen]
    found = {invoice.id: invoice for invoice in session.scalars(select(Invoice).where(Invoice.id.in_(ids)))}
    return [_judge(act, one, found.get(one.id), until) for one in chosen]


def _judge(act: Act, chosen: Chosen, invoice: Invoice | None, until: date | None) -> Verdict:
    if invoice is None:
        return Verdict(chosen, None, "gone")
    if invoice.version != chosen.version:
        return Verdict(chosen, invoice, "changed")
    if invoice.status != "open" and (act, invoice.status) != ("void", "draft"):
        return Verdict(chosen, invoice, "not_open")
    is_so = {
        "pause": invoice.paused_until == (until or date.max),
        "resume": invoice.paused_until is None,
        "reminders_off": invoice.reminders_off_at is not None,
        "reminders_on": invoice.reminders_off_at is None,
        "release": invoice.amnesty_at is None,
        "void": False,
    }
    return Verdict(chosen, invoice, "already" if is_so[act] else None)


def change_of(act: Act, *, until: date | None = None) -> Change:
    """The act as the engine's facts have it, to foresee the letters."""
    changes: dict[Act, Change] = {
        "pause": lambda invoice: replace(invoice, paused_until=until or date.max),
        "resume": lambda invoice: replace(invoice, paused_until=None),
        "reminders_off": lambda invoice: replace(invoice, reminders_off=True),
        "reminders_on": lambda invoice: replace(invoice, reminders_off=False),
        "release": lambda invoice: replace(invoice, amnesty=False),
        "void": lambda invoice: replace(invoice, status="void"),
    }
    return changes[act]


def change_many(
    session: Session, act: Act, chosen: Sequence[Chosen], *, until: date | None, now: datetime, actor: str
) -> Outcome:
    """Change what is still as it was seen, all of it in the caller's transaction, and keep what was and was not."""
    invoices = _locked(session, [one.id for one in chosen])
    verdicts = [_judge(act, one, invoices.get(one.id), until) for one in chosen]
    going = [one.invoice for one in verdicts if one.invoice is not None and one.why_not is None]
    before = {one.id: one.paused_until.isoformat() if one.paused_until else "" for one in going}
    _act_on(session, act, going, until=until, now=now, actor=actor)
    changed = [Changed(one.id, one.version, before[one.id]) for one in going]
    left = [(one.invoice.number if one.invoice else "", one.why_not) for one in verdicts if one.why_not is not None]
    details = {"changed": [[one.id, one.version, one.before] for one in changed], "left": left}
    entry_id = ledger.write(session, kind=KIND, name=f"invoices.{act}", actor=actor, details=details)
    return Outcome(entry_id, act, changed, left)


def outcome_of(session: Session, entry_id: int) -> Outcome:
    """What became of an earlier act; raises NotFound."""
    entry = ledger.entry_of(session, entry_id, kind=KIND)
    act = next((one for one in get_args(Act) if entry is not None and entry.name == f"invoices.{one}"), None)
    if entry is None or act is None:
        raise NotFound(f"no act on many invoices has the number {entry_id}")
    changed = [Changed(*row) for row in entry.details["changed"]]
    return Outcome(entry_id, act, changed, [(number, why) for number, why in entry.details["left"]])


def _act_on(
    session: Session, act: Act, invoices: Sequence[Invoice], *, until: date | None, now: datetime, actor: str
) -> None:
    if act == "release":
        release_amnesty(session, [invoice.id for invoice in invoices], now=now, actor=actor)
        return
    for invoice in invoices:
        _act(session, act, invoice, until=until, now=now, actor=actor)
    if act == "void":
        session.flush()
        for client_id in sorted(_touched_by_money(session, invoices)):
            reallocate(session, client_id, now=now)


def _touched_by_money(session: Session, invoices: Sequence[Invoice]) -> set[int]:
    """The clients whose books a void may change: where no money is known and none is on its way, it cannot."""
    doubtful = {invoice.client_id for invoice in invoices if invoice.money_state != "unpaid"}
    return doubtful | clients_with_money(session, {invoice.client_id for invoice in invoices})


def _act(session: Session, act: Act, invoice: Invoice, *, until: date | None, now: datetime, actor: str) -> None:
    acts: dict[Act, Callable[[], object]] = {
        "pause": lambda: pause_invoice(session, invoice, until=until, now=now, actor=actor),
        "resume": lambda: unpause_invoice(session, invoice, now=now, actor=actor),
        "reminders_off": lambda: switch_reminders(session, invoice, on=False, now=now, actor=actor),
        "reminders_on": lambda: switch_reminders(session, invoice, on=True, now=now, actor=actor),
        "void": lambda: close_invoice(session, invoice, status="void", now=now, actor=actor),
    }
    acts[act]()


UNDONE_BY: dict[Act, Act] = {
    "pause": "pause",
    "resume": "pause",
    "reminders_off": "reminders_on",
    "reminders_on": "reminders_off",
}
"""What takes an act back. A void invoice stays void, and one that was released is looked at at once."""


def undo_many(session: Session, outcome: Outcome, *, now: datetime, actor: str) -> tuple[int, int]:
    """Give back what `change_many` took, where nobody changed it since; returns how many were, and were not.

    Raises UsageError for an act that nothing takes back.
    """
    if outcome.act not in UNDONE_BY:
        raise UsageError("this act cannot be taken back")
    act, rows = outcome.act, outcome.changed
    invoices = _locked(session, [row.id for row in rows])
    undone = 0
    for row in rows:
        invoice = invoices.get(row.id)
        if invoice is None or invoice.version != row.version or invoice.status != "open":
            continue
        if UNDONE_BY[act] != "pause":
            _act(session, UNDONE_BY[act], invoice, until=None, now=now, actor=actor)
        elif row.before:
            pause_invoice(session, invoice, until=date.fromisoformat(row.before), now=now, actor=actor)
        else:
            unpause_invoice(session, invoice, now=now, actor=actor)
        undone += 1
    return undone, len(rows) - undone


def _locked(session: Session, ids: Sequence[int]) -> dict[int, Invoice]:
    """The invoices under their locks, those of their clients first, as everybody takes them."""
    owners = select(Invoice.client_id).where(Invoice.id.in_(ids)).distinct().order_by(Invoice.client_id)
    for client_id in session.scalars(owners).all():
        lock_client(session, client_id)
    return {invoice.id: invoice for invoice in lock_invoices(session, ids)}
