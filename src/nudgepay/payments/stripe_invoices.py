"""What Stripe says of an invoice that was imported from it becomes money, silence or doubt in the books.

Events only say that something changed: the invoice is read anew and taken as it stands. Facts are named after
Stripe's objects and a final word is never unsaid, so neither order nor copies can matter.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.invoices.actions import close_invoice, wake
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import lock_client, lock_invoices
from nudgepay.payments.actions import known_fact, record_payment
from nudgepay.payments.books import reallocate
from nudgepay.payments.checkouts import ACTOR, minor_units
from nudgepay.payments.facts import INCOMING
from nudgepay.payments.models import MoneyFact, StripeInvoice
from nudgepay.payments.reviews import open_review

FINAL = frozenset({"paid", "void"})
RANK = {"open": 0, "uncollectible": 1, "void": 2, "paid": 2}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Came:
    """Money that Stripe counts for an invoice, named by the object that brought it. `amount` is all of that object's
    money, `share` what of it is for this invoice; minor units, None where that is no amount of the currency."""

    provider_id: str
    amount: int | None
    share: int | None
    currency: str
    at: datetime
    is_elsewhere: bool = False


def is_any_imported(session: Session) -> bool:
    """True when any invoice here came from Stripe."""
    return session.scalar(select(StripeInvoice.invoice_id).limit(1)) is not None


def is_imported(session: Session, stripe_id: Any) -> bool:
    """True for an invoice that was imported from Stripe."""
    return _row(session, stripe_id) is not None


def _row(session: Session, stripe_id: Any) -> StripeInvoice | None:
    return session.scalar(select(StripeInvoice).where(StripeInvoice.stripe_id == str(stripe_id)))


def take_invoice(session: Session, document: Json, *, now: datetime) -> str:
    """Bring an invoice, read from Stripe with its payments, into the books; returns the outcome.

    `ignored` for one that was never imported. What does not fit our row in mode, currency or amount becomes a
    review, and its money is kept without counting.
    """
    row = _row(session, document.get("id"))
    if row is None:
        return "ignored"
    invoice = _locked(session, row)
    row.checked_at = now
    problem = _problem(row, invoice, document)
    if problem == "wrong_mode":
        return doubt(session, row, reason=problem, now=now)
    for came in money_of(document, closed_by_us=row.closing_at is not None):
        problem = _book(session, invoice, came, problem=problem, now=now) or problem
    if problem is not None:
        return doubt(session, row, reason=problem, now=now)
    _follow(session, row, invoice, document, now=now)
    session.flush()
    reallocate(session, invoice.client_id, now=now)
    if row.status == "paid" and row.closing_at is None and _is_unexplained(session, invoice):
        return doubt(session, row, reason="paid_at_stripe", now=now)
    return row.status


def _locked(session: Session, row: StripeInvoice) -> Invoice:
    """Both rows as they stand, under the client's lock."""
    client_id = session.get_one(Invoice, row.invoice_id).client_id
    lock_client(session, client_id)
    (invoice,) = lock_invoices(session, [row.invoice_id])
    session.refresh(row, with_for_update=True)
    return invoice


def _problem(row: StripeInvoice, invoice: Invoice, document: Json) -> str | None:
    if bool(document.get("livemode")) != row.livemode:
        return "wrong_mode"
    currency = str(document.get("currency", "")).upper()
    if currency != invoice.currency:
        return "wrong_currency"
    return None if minor_units(document.get("amount_due"), currency) == invoice.amount_due else "wrong_amount"


def money_of(document: Json, *, closed_by_us: bool = False) -> list[Came]:
    """What came, PaymentIntents first; the rest of a paid invoice is money from elsewhere, named by the invoice.

    `closed_by_us`: money from elsewhere is what our own books told Stripe of, so it is no news.
    """
    paid = [one for one in (document.get("payments") or {}).get("data") or [] if one.get("status") == "paid"]
    came = [_came(one) for one in paid]
    currency = str(document.get("currency", "")).upper()
    due = minor_units(document.get("amount_due"), currency)
    if document.get("status") == "paid" and due is not None:
        rest = due - sum(one.share or 0 for one in came)
        if rest > 0:
            at = (document.get("status_transitions") or {}).get("paid_at")
            came.append(Came(str(document["id"]), rest, rest, currency, _instant(at, document), is_elsewhere=True))
    return [one for one in came if not (closed_by_us and one.is_elsewhere)]


def _came(payment: Json) -> Came:
    tie = payment.get("payment") or {}
    intent = tie.get("payment_intent")
    currency = str(payment.get("currency", "")).upper()
    share = minor_units(payment.get("amount_paid"), currency)
    at = _instant((payment.get("status_transitions") or {}).get("paid_at"), payment)
    if isinstance(intent, str):
        return Came(intent, share, share, currency, at)
    if not isinstance(intent, dict):
        return Came(str(payment["id"]), share, share, currency, at, is_elsewhere=tie.get("type") == "payment_record")
    currency = str(intent.get("currency", "")).upper()
    return Came(str(intent["id"]), minor_units(intent.get("amount_received"), currency), share, currency, at)


def _instant(seconds: Any, document: Json) -> datetime:
    found = seconds if isinstance(seconds, int) else document.get("created")
    return datetime.fromtimestamp(found if isinstance(found, int) else 0, UTC)


def _book(session: Session, invoice: Invoice, came: Came, *, problem: str | None, now: datetime) -> str | None:
    """Book what came once; returns what is wrong with it."""
    if came.amount is None or came.amount <= 0 or came.share is None or not 0 < came.share <= came.amount:
        return "wrong_amount"
    if came.currency != invoice.currency:
        problem = "wrong_currency"
    known = known_fact(session, "stripe", came.provider_id, "payment")
    if known is not None:
        is_same = (known.amount, known.currency, known.client_id) == (came.amount, came.currency, invoice.client_id)
        return problem if is_same else "wrong_amount"
    record_payment(
        session,
        client_id=invoice.client_id,
        amount=came.amount,
        currency=came.currency,
        provider="stripe",
        provider_id=came.provider_id,
        kind="payment",
        occurred_at=came.at,
        targets=[{"invoice_id": invoice.id, "amount": came.share}],
        problem=problem,
        actor=ACTOR,
        now=now,
    )
    return problem


def _follow(session: Session, row: StripeInvoice, invoice: Invoice, document: Json, *, now: datetime) -> None:
    """Stripe's status, debits on their way, and whether a debit is still to come."""
    status = str(document.get("status"))
    if RANK.get(status, -1) < RANK[row.status]:
        return
    _follow_end(session, row, invoice, status, now=now)
    row.status = status
    row.amount_paid = minor_units(document.get("amount_paid"), invoice.currency) or 0
    is_moving = status not in FINAL and _is_processing(document)
    row.money_pending_at = (row.money_pending_at or now) if is_moving else None
    is_debited = debited_by_stripe(document)
    is_over = is_debited and not is_moving and debit_failed(document)
    failed_at = (invoice.autopay_failed_at or now) if is_over else None
    if (invoice.autopay, invoice.autopay_failed_at) != (is_debited, failed_at):
        invoice.autopay, invoice.autopay_failed_at = is_debited, failed_at
        invoice.version += 1
        session.flush()
        wake(session, now=now, invoice_ids=[invoice.id])


def debited_by_stripe(document: Json) -> bool:
    """True when Stripe debits it by itself, or has tried to; not when automatic collection was off from the start."""
    if document.get("collection_method") != "charge_automatically":
        return False
    return document.get("auto_advance") is not False or bool(document.get("attempted"))


def debit_failed(document: Json) -> bool:
    """True when it was tried and Stripe will not try again."""
    return bool(document.get("attempted")) and document.get("next_payment_attempt") is None


def _is_processing(document: Json) -> bool:
    """docs.stripe.com/payments/paymentintents/lifecycle: `processing` until a delayed method has its result."""
    payments = (document.get("payments") or {}).get("data") or []
    intents = [(one.get("payment") or {}).get("payment_intent") for one in payments if one.get("status") == "open"]
    return any(isinstance(intent, dict) and intent.get("status") == "processing" for intent in intents)


def _follow_end(session: Session, row: StripeInvoice, invoice: Invoice, status: str, *, now: datetime) -> None:
    """Withdrawn or written off there is so here; paid there lifts a write-off of Stripe's, never a person's.

    What our books say is paid stays paid.
    """
    was_stripes = row.status == "uncollectible" and invoice.status == "uncollectible"
    if was_stripes and status in FINAL:
        invoice.status, invoice.closed_at = "open", None
        invoice.version += 1
        audit.record(session, actor=ACTOR, action="invoice.reopen", subject=f"invoices:{invoice.id}")
    if status in {"void", "uncollectible"} and invoice.status == "open":
        close_invoice(session, invoice, status=status, now=now, actor=ACTOR)


def _is_unexplained(session: Session, invoice: Invoice) -> bool:
    """Stripe calls it paid, our books leave it open, and no refund explains that."""
    if invoice.status != "open":
        return False
    query = select(func.coalesce(func.sum(MoneyFact.amount), 0)).where(
        MoneyFact.client_id == invoice.client_id,
        MoneyFact.kind.in_(INCOMING),
        MoneyFact.voided_at.is_(None),
        MoneyFact.problem.is_(None),
        MoneyFact.targets.contains([{"invoice_id": invoice.id}]),
    )
    return int(session.scalar(query) or 0) < invoice.amount_due


def doubt(session: Session, row: StripeInvoice, *, reason: str, now: datetime) -> str:
    """The invoice waits for a person; returns the outcome."""
    open_review(
        session,
        invoice_ids=[row.invoice_id],
        reason=reason,
        source=f"{reason}:{row.stripe_id}",
        details={"stripe_invoice": row.stripe_id},
    )
    reallocate(session, session.get_one(Invoice, row.invoice_id).client_id, now=now)
    return "needs_review"


def doubt_foreign(session: Session, subject: Json, *, reason: str, now: datetime) -> None:
    """An event of another mode or account names an invoice of ours: a person must look."""
    row = _row(session, subject.get("id"))
    if row is not None:
        _locked(session, row)
        doubt(session, row, reason=reason, now=now)


def hold_unread(session: Session, subject: Json, *, now: datetime) -> None:
    """An event says paid, but Stripe cannot be asked now: the invoice is silent until it was."""
    row = _row(session, subject.get("id")) if subject.get("status") == "paid" else None
    if row is None or row.status in FINAL:
        return
    invoice = _locked(session, row)
    row.money_pending_at = row.money_pending_at or now
    session.flush()
    reallocate(session, invoice.client_id, now=now)
