""" "I will pay on ...": silence until that day plus a grace, then a verdict that leads to its own next step.

kept: nothing more. partially_kept: the rest is chased. broken: a person is told, and the chase goes on.
"""

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.errors import Conflict, NotFound, UsageError
from nudgepay.invoices.actions import wake
from nudgepay.invoices.models import Client, Invoice
from nudgepay.nudges.answering import lock_clients, lock_invoice, lock_open_invoice
from nudgepay.nudges.answers import Promise
from nudgepay.nudges.calendars import add_business_days, local_day, next_working_day

MAX_DAYS_AHEAD = 30
GRACE_DAYS = 2
MAX_PROMISES = 3
"""A payer may promise, and promise anew, this often for one invoice; so silence by promises has an end."""
PAYER = "payer"

Verdict = Literal["kept", "partially_kept", "broken", "cancelled"]


class PromiseOutOfRange(UsageError):
    """The promised day is past or too far ahead, or the amount is none that is owed."""


class PromiseSettled(Conflict):
    """The promise was kept, broken or cancelled already."""


class TooManyPromises(Conflict):
    """The payer has promised this invoice as often as the product allows."""


def last_silent_day(promised_on: date, grace_days: int, country: str) -> date:
    """The promised day (or the working day after it) plus the grace in working days of `country`."""
    return add_business_days(next_working_day(promised_on, country), grace_days, country)


def make_promise(
    session: Session,
    *,
    invoice_id: int,
    promised_on: date,
    now: datetime,
    actor: str,
    source: str,
    amount: int | None = None,
    max_days_ahead: int = MAX_DAYS_AHEAD,
    grace_days: int = GRACE_DAYS,
) -> Promise:
    """Note a promise over `amount` minor units (None: the whole remainder); an earlier pending one is renegotiated.

    `promised_on` is a day of the client, today at the earliest. The same promise again changes nothing. Raises
    NotFound, NothingOpen, PromiseOutOfRange, TooManyPromises.
    """
    client, invoice = lock_open_invoice(session, invoice_id)
    today = local_day(now, client.timezone)
    if not today <= promised_on <= today + timedelta(days=max_days_ahead):
        raise PromiseOutOfRange(f"the day must lie between today and {max_days_ahead} days ahead")
    promised = invoice.amount_remaining if amount is None else amount
    if not 0 < promised <= invoice.amount_remaining:
        raise PromiseOutOfRange("the amount must be a part of what is owed")
    pending = session.scalar(select(Promise).where(Promise.invoice_id == invoice_id, Promise.state == "pending"))
    if pending is not None and (pending.promised_on, pending.amount) == (promised_on, promised):
        return pending
    _ensure_may_promise(session, invoice_id, actor)
    if pending is not None:
        _end(session, pending, "renegotiated", now=now, actor=actor)
    promise = Promise(
        invoice_id=invoice_id,
        promised_on=promised_on,
        amount=promised,
        baseline_paid=invoice.amount_paid,
        grace_days=grace_days,
        source=source,
        made_at=now,
    )
    session.add(promise)
    session.flush()
    audit.record(
        session,
        actor=actor,
        action="promise.make",
        subject=f"promises:{promise.id}",
        origin=source,
        after={"invoice_id": invoice_id, "promised_on": promised_on.isoformat(), "amount": promised},
    )
    wake(session, now=now, invoice_ids=[invoice_id])
    return promise


def _ensure_may_promise(session: Session, invoice_id: int, actor: str) -> None:
    if actor != PAYER:
        return
    made = session.scalar(select(func.count()).where(Promise.invoice_id == invoice_id)) or 0
    if made >= MAX_PROMISES:
        raise TooManyPromises(f"this invoice was promised {made} times already: please write to us instead")


def cancel_promise(session: Session, promise_id: int, *, now: datetime, actor: str) -> Promise:
    """It was never meant, or noted by mistake: the chase goes on. Raises NotFound and PromiseSettled."""
    invoice_id = session.scalar(select(Promise.invoice_id).where(Promise.id == promise_id))
    if invoice_id is None:
        raise NotFound(f"there is no promise {promise_id}")
    lock_invoice(session, invoice_id)
    promise = session.get_one(Promise, promise_id, populate_existing=True)
    if promise.state != "pending":
        raise PromiseSettled(f"promise {promise_id} is {promise.state} already: nothing was changed")
    _end(session, promise, "cancelled", now=now, actor=actor)
    wake(session, now=now, invoice_ids=[invoice_id])
    return promise


def settle_promises(session: Session, *, now: datetime, actor: str = "job:promises") -> Counter[str]:
    """Judge every promise whose time is over or whose money has come; returns how many got which verdict.

    Takes the locks of all clients concerned, in ascending order.
    """
    settled: Counter[str] = Counter()
    waiting = session.execute(_judgeable(now)).all()
    lock_clients(session, [client_id for _, _, client_id in waiting])
    for promise_id, invoice_id, _ in sorted(waiting, key=lambda row: (row.client_id, row.invoice_id)):
        client, invoice = lock_invoice(session, invoice_id)
        promise = session.get_one(Promise, promise_id, populate_existing=True)
        verdict = judge(promise, invoice, client, now)
        if promise.state != "pending" or verdict is None:
            continue
        _end(session, promise, verdict, now=now, actor=actor)
        if verdict == "broken":
            details = {"invoice_id": invoice_id, "promise_id": promise_id}
            ledger.notice(session, "promise.broken", f"promise.broken:{promise_id}", details)
        wake(session, now=now, invoice_ids=[invoice_id])
        settled[verdict] += 1
    return settled


def _judgeable(now: datetime) -> Select[int, int, int]:
    """Pending promises whose day may have come anywhere on earth, or whose invoice has changed enough."""
    paid_since = Invoice.amount_paid - Promise.baseline_paid
    tomorrow = now.date() + timedelta(days=1)
    return (
        select(Promise.id, Promise.invoice_id, Invoice.client_id)
        .join(Invoice, Invoice.id == Promise.invoice_id)
        .where(Promise.state == "pending")
        .where(or_(Promise.promised_on <= tomorrow, paid_since >= Promise.amount, Invoice.status != "open"))
    )


def judge(promise: Promise, invoice: Invoice, client: Client, now: datetime) -> Verdict | None:
    """What has become of a promise, or None while it may still be kept or its money is on the way. Pure."""
    paid = invoice.amount_paid - promise.baseline_paid
    if paid >= promise.amount or invoice.status == "paid":
        return "kept"
    if invoice.status != "open":
        return "cancelled"
    over = local_day(now, client.timezone) > last_silent_day(promise.promised_on, promise.grace_days, client.country)
    if not over or invoice.money_state == "in_payment":
        return None
    return "partially_kept" if paid > 0 else "broken"


def _end(session: Session, promise: Promise, state: str, *, now: datetime, actor: str) -> None:
    promise.state, promise.settled_at = state, now
    session.flush()
    audit.record(
        session,
        actor=actor,
        action=f"promise.{state}",
        subject=f"promises:{promise.id}",
        before={"state": "pending"},
        after={"state": state, "invoice_id": promise.invoice_id},
    )
