"""From a payer's click to a Checkout Session: our intent first, then Stripe, then what came of it.

The idempotency key holds the page, the version of its invoices and the amount: the same click twice opens one
session, a changed invoice a new one. A key is only reused while Stripe surely remembers it (23 of 24 hours).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.db import Database
from nudgepay.errors import Conflict, UsageError
from nudgepay.gateways.stripe import StripeGateway, StripeRefused
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import lock_client, lock_invoices
from nudgepay.payments.models import CheckoutSession

KEY_LIFE = timedelta(hours=23)
SESSION_MARGIN = timedelta(minutes=5)


class NothingToPay(Conflict):
    """Everything on the page is settled."""


class PaymentInFlight(Conflict):
    """A payment for these invoices is on its way; a second one would be paid twice."""


class TooMuch(UsageError):
    """More than what is open."""


@dataclass(frozen=True, slots=True)
class PayPage:
    """What one mailed page can pay: invoices of one client in one currency. `key`: `invoice:ID` or `letter:UUID`."""

    key: str
    client_id: int
    invoice_ids: tuple[int, ...]
    currency: str
    locale: str
    description: str
    payer_email: str | None = None


@dataclass(frozen=True, slots=True)
class _Intent:
    id: int
    key: str
    amount: int
    version: int
    created_at: datetime
    url: str | None
    stale_sessions: tuple[str, ...]


def open_checkout(
    db: Database,
    gateway: StripeGateway,
    *,
    page: PayPage,
    amount: int | None,
    success_url: str,
    cancel_url: str,
    now: datetime,
) -> str:
    """The URL of a hosted page for `amount` minor units (None: all that is open).

    Raises NothingToPay, PaymentInFlight, TooMuch, and the errors of gateways.stripe.
    """
    with db.transaction() as session:
        intent = _intend(session, page, amount, now=now)
    if intent.url is not None:
        return intent.url
    for stale in intent.stale_sessions:
        _expire(gateway, stale)
    made = _find_lost(gateway, intent, now) or gateway.create_checkout_session(
        amount=intent.amount,
        currency=page.currency,
        description=page.description,
        success_url=success_url,
        cancel_url=cancel_url,
        metadata={
            "nudgepay_page": page.key,
            "nudgepay_client": str(page.client_id),
            "nudgepay_checkout": str(intent.id),
            "nudgepay_version": str(intent.version),
        },
        idempotency_key=intent.key,
        locale=page.locale,
        customer_email=page.payer_email,
    )
    with db.transaction() as session:
        return _remember(session, intent.id, made)


def _intend(session: Session, page: PayPage, amount: int | None, *, now: datetime) -> _Intent:
    lock_client(session, page.client_id)
    invoices = [invoice for invoice in lock_invoices(session, page.invoice_ids) if invoice.status == "open"]
    invoices.sort(key=lambda invoice: (invoice.due_on, invoice.id))
    open_amount = sum(invoice.amount_remaining for invoice in invoices)
    wanted = open_amount if amount is None else amount
    if open_amount <= 0:
        raise NothingToPay("everything on this page is settled")
    if any(invoice.money_state == "in_payment" for invoice in invoices):
        raise PaymentInFlight("a payment is on its way; please wait until it has arrived")
    if not 0 < wanted <= open_amount:
        raise TooMuch("the amount must be positive and at most what is open")
    lines = list(_lines(invoices, wanted))
    version = sum(invoice.version for invoice in invoices)
    prefix = f"np:{page.key}:{version}:{wanted}:pay"
    others = _live_sessions(session, page.client_id, {line["invoice_id"] for line in lines}, now)
    same = [row for row in others if row.idempotency_key.startswith(prefix + ":")]
    if same:
        row = same[0]
    else:
        row = CheckoutSession(
            page=page.key,
            client_id=page.client_id,
            lines=lines,
            amount=wanted,
            currency=page.currency,
            idempotency_key=f"{prefix}:{_tries(session, prefix)}",
            created_at=now,
        )
        session.add(row)
        session.flush()
    stale = tuple(other.session_id for other in others if other.id != row.id and other.session_id)
    return _Intent(row.id, row.idempotency_key, wanted, version, row.created_at, row.url, stale)


def _lines(invoices: Sequence[Invoice], amount: int) -> Iterator[dict[str, int]]:
    for invoice in invoices:
        part = min(amount, invoice.amount_remaining)
        if part:
            yield {"invoice_id": invoice.id, "amount": part}
        amount -= part


def _live_sessions(session: Session, client_id: int, invoice_ids: set[int], now: datetime) -> list[CheckoutSession]:
    """Sessions that could still be paid (or whose making is in doubt) for any of these invoices."""
    query = select(CheckoutSession).where(
        CheckoutSession.client_id == client_id,
        CheckoutSession.succeeded_at.is_(None),
        CheckoutSession.failed_at.is_(None),
        CheckoutSession.expired_at.is_(None),
        CheckoutSession.completed_unpaid_at.is_(None),
    )
    rows = session.scalars(query.order_by(CheckoutSession.id.desc()))
    return [
        row
        for row in rows
        if (row.expires_at is None or row.expires_at > now + SESSION_MARGIN)
        and invoice_ids & {int(line["invoice_id"]) for line in row.lines}
    ]


def _tries(session: Session, prefix: str) -> int:
    query = select(CheckoutSession.id).where(
        CheckoutSession.idempotency_key.startswith(prefix + ":", autoescape=True)
    )
    return len(session.scalars(query).all()) + 1


def _expire(gateway: StripeGateway, session_id: str) -> None:
    try:
        gateway.expire_checkout_session(session_id)
    except StripeRefused as error:
        if gateway.retrieve_checkout_session(session_id)["status"] == "complete":
            raise PaymentInFlight("a payment is on its way; please wait until it has arrived") from error


def _find_lost(gateway: StripeGateway, intent: _Intent, now: datetime) -> dict[str, Any] | None:
    """A session that was made, but whose answer never came and whose key Stripe may have forgotten."""
    if now - intent.created_at < KEY_LIFE:
        return None
    since = int((intent.created_at - timedelta(minutes=5)).timestamp())
    for found in gateway.list_checkout_sessions(created_since=since):
        if found["metadata"].get("nudgepay_checkout") == str(intent.id) and found["status"] == "open":
            return found
    return None


def _remember(session: Session, checkout_id: int, made: dict[str, Any]) -> str:
    row = session.get_one(CheckoutSession, checkout_id, with_for_update=True)
    row.session_id = made["id"]
    row.url = made["url"]
    row.expires_at = datetime.fromtimestamp(made["expires_at"], UTC)
    return str(made["url"])
