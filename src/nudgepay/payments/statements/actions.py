"""A person's word on a line: confirmed, it is booked once and never beyond what is open; ignored, it can come back.

Lock order: client, line, and the notice's lock last. A line whose payment is undone waits again: the money stands on
the statement as before, and the person was wrong about what it was for, not about its coming.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import Conflict, Refused, UsageError
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import invoice_by_number, lock_client, lock_invoices
from nudgepay.money import format_money, parse_major
from nudgepay.payments.actions import record_payment
from nudgepay.payments.books import PAYABLE
from nudgepay.payments.models import BankLine, MoneyFact
from nudgepay.payments.reopening import tell_waiting
from nudgepay.payments.statements.queries import PROVIDER, line_by_id, noon, twins_of


class LineDecided(Conflict):
    """Somebody has confirmed or ignored the line before."""


class NotAPayment(Refused):
    """The line takes money back; it can only be ignored."""


class WouldOverpay(Refused):
    """Less is open than the parts say, or money would be left over."""


class SameTransfer(Refused):
    """A bank payment of this client, amount and time is on the books already."""


def confirm_line(
    session: Session,
    line_id: int,
    parts: Sequence[Mapping[str, int]],
    *,
    now: datetime,
    actor: str,
    credit: bool = False,
    again: bool = False,
    client_id: int | None = None,
) -> MoneyFact:
    """Book a line for these invoices, `[{"invoice_id", "amount"}]` in minor units and in their order.

    What is open is read again under the client's lock. `credit` lets money be left over as the client's credit, all
    of it when there are no parts and `client_id` says whose; `again` says that a payment which looks the same is
    another one. Raises NotFound, UsageError, LineDecided, NotAPayment, WouldOverpay and SameTransfer; then nothing
    has changed.
    """
    if parts or client_id is None or not credit:
        client_id = _client_of(session, parts, said=client_id)
    lock_client(session, client_id)
    line = line_by_id(session, line_id, lock=True)
    ensure_waiting(line)
    if line.kind == "reversal":
        raise NotAPayment(
            f"line {line_id} takes money back: undo the payment that it ends (payments undo), then"
            f" statements ignore {line_id}"
        )
    if noon(line.booked_on) - now > timedelta(days=1):
        raise UsageError(f"line {line_id} is booked in the future: confirm it when the money has come")
    _ensure_open(session, line, parts, credit=credit)
    if not again:
        _ensure_new(session, line, client_id)
    fact = record_payment(
        session,
        client_id=client_id,
        amount=line.amount,
        currency=line.currency,
        provider=PROVIDER,
        provider_id=line.dedup_key if not line.undone else f"{line.dedup_key}:{line.undone + 1}",
        kind="manual",
        occurred_at=noon(line.booked_on),
        targets=[dict(part) for part in parts],
        actor=actor,
        now=now,
    )
    line.state, line.fact_id, line.decided_by, line.decided_at = "confirmed", fact.id, actor, now
    _record(session, line, "confirm", actor, {"fact_id": fact.id, "again": again, "credit": credit})
    tell_waiting(session, actor=actor)
    return fact


def ignore_line(session: Session, line_id: int, *, now: datetime, actor: str, reason: str | None = None) -> None:
    """The line is no payment of an invoice; raises NotFound and LineDecided."""
    line = line_by_id(session, line_id, lock=True)
    ensure_waiting(line)
    line.state, line.reason, line.decided_by, line.decided_at = "ignored", reason, actor, now
    _record(session, line, "ignore", actor, None)
    tell_waiting(session, actor=actor)


def take_up_line(session: Session, line_id: int, *, actor: str) -> None:
    """An ignored line waits again; one that waits already stays so. Raises NotFound, and LineDecided if confirmed."""
    line = line_by_id(session, line_id, lock=True)
    if line.state == "waiting":
        return
    if line.state == "confirmed":
        raise LineDecided(f"line {line_id} is payment {line.fact_id}; take that back: payments undo {line.fact_id}")
    line.state, line.reason, line.decided_by, line.decided_at = "waiting", None, None, None
    _record(session, line, "take_up", actor, None)
    tell_waiting(session, actor=actor)


def parse_parts(session: Session, line_id: int, texts: Sequence[str]) -> list[dict[str, int]]:
    """Parts given as NUMBER=AMOUNT (major units); a NUMBER alone takes what the others leave, at most what is open.

    Raises NotFound and UsageError.
    """
    line = line_by_id(session, line_id)
    left = line.amount
    parts = []
    for text in texts:
        invoice, given = _named(session, text)
        if invoice.currency != line.currency:
            raise UsageError(f"{invoice.number} is in {invoice.currency} and the money in {line.currency}")
        amount = min(left, invoice.amount_remaining) if given is None else parse_major(given, line.currency)
        if amount <= 0:
            raise UsageError(f"{invoice.number}: no part is left for it, or nothing is open on it")
        parts.append({"invoice_id": invoice.id, "amount": amount})
        left -= amount
    return parts


def _named(session: Session, text: str) -> tuple[Invoice, str | None]:
    number, sign, amount = text.rpartition("=")
    return invoice_by_number(session, number if sign else text), amount if sign else None


def _client_of(session: Session, parts: Sequence[Mapping[str, int]], *, said: int | None) -> int:
    ids = [part["invoice_id"] for part in parts]
    if not ids or len(set(ids)) != len(ids):
        raise UsageError("name at least one invoice, and each once")
    clients = session.scalars(select(Invoice.client_id).where(Invoice.id.in_(ids))).all()
    if len(clients) != len(ids) or len({*clients, said or clients[0]}) != 1:
        raise UsageError("one line is for invoices of one client")
    return clients[0]


def ensure_waiting(line: BankLine) -> None:
    """Raise LineDecided unless the line waits."""
    if line.state == "confirmed":
        raise LineDecided(f"line {line.id} was confirmed before by {line.decided_by}: it is payment {line.fact_id}")
    if line.state == "ignored":
        raise LineDecided(
            f"line {line.id} was ignored by {line.decided_by}; take it up again: statements reopen {line.id}"
        )


def _ensure_open(session: Session, line: BankLine, parts: Sequence[Mapping[str, int]], *, credit: bool) -> None:
    """The parts lie within the line and, unless `credit`, within what is open now, and use up the line."""
    amounts = {part["invoice_id"]: part["amount"] for part in parts}
    if min(amounts.values(), default=1) <= 0:
        raise UsageError("each part must be more than zero")
    if sum(amounts.values()) > line.amount:
        raise UsageError(f"the parts are more than the line's {format_money(line.amount, line.currency, 'en')}")
    for invoice in lock_invoices(session, list(amounts)):
        if invoice.currency != line.currency:
            raise UsageError(f"{invoice.number} is in {invoice.currency} and the money in {line.currency}")
        if invoice.status not in PAYABLE:
            raise WouldOverpay(f"{invoice.number} is {invoice.status}: no money can lie on it")
        if amounts[invoice.id] > invoice.amount_remaining and not credit:
            rest = format_money(invoice.amount_remaining, line.currency, "en")
            raise WouldOverpay(f"{invoice.number}: only {rest} is open now; name other parts, or say --credit")
    left = line.amount - sum(amounts.values())
    if left and not credit:
        rest = format_money(left, line.currency, "en")
        raise WouldOverpay(f"{rest} of line {line.id} is in no part; name more, or say --credit to keep it as credit")


def _ensure_new(session: Session, line: BankLine, client_id: int) -> None:
    twins = twins_of(session, line, client_id)
    if twins:
        told = ", ".join(f"payment {twin.fact_id} of {twin.on}" for twin in twins)
        raise SameTransfer(
            f"{told} may be the same transfer: ignore line {line.id}, or say --again if it is another one"
        )


def _record(session: Session, line: BankLine, what: str, actor: str, after: Mapping[str, int | bool] | None) -> None:
    subject = f"bank_lines:{line.id}"
    audit.record(
        session, actor=actor, action=f"bank_line.{what}", subject=subject, after=dict(after) if after else None
    )
