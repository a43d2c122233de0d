"""Sessions that must not be paid any more: found, expired at Stripe, and given up in the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.orm import Session

from nudgepay.db import Database
from nudgepay.gateways.stripe import StripeGateway, StripeRefused
from nudgepay.payments.models import CheckoutSession

CLOCKS_DIFFER = timedelta(minutes=5)
BATCH = 50

Ending = Literal["closed", "complete"]

UNFINISHED: tuple[ColumnElement[bool], ...] = (
    CheckoutSession.completed_unpaid_at.is_(None),
    CheckoutSession.succeeded_at.is_(None),
    CheckoutSession.failed_at.is_(None),
    CheckoutSession.expired_at.is_(None),
)
"""Sessions that nobody has paid or closed, as far as the books know."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A checkout that may have an open session. `session_id` is None while its making is in doubt."""

    id: int
    session_id: str | None
    created_at: datetime


def close_candidate(db: Database, gateway: StripeGateway, candidate: Candidate, *, now: datetime) -> Ending:
    """Expire a candidate's session at Stripe and give it up; `complete` when the payer was faster."""
    session_id = candidate.session_id
    if session_id is None:
        found = find_session(gateway, candidate)
        session_id = None if found is None else str(found["id"])
    ending: Ending = "closed" if session_id is None else close_session(gateway, session_id)
    if ending == "closed":
        retire(db, candidate.id, now=now)
    return ending


def close_session(gateway: StripeGateway, session_id: str) -> Ending:
    """Expire one session; one that is not open any more, or unknown there, is closed unless it is complete."""
    try:
        gateway.expire_checkout_session(session_id)
    except StripeRefused as error:
        if error.http_status == 404:
            return "closed"
        if error.http_status != 400:
            raise
        return "complete" if gateway.retrieve_checkout_session(session_id)["status"] == "complete" else "closed"
    return "closed"


def find_session(gateway: StripeGateway, candidate: Candidate) -> dict[str, Any] | None:
    """The session that was made for a checkout whose answer never came, by the metadata that we gave it."""
    since = int((candidate.created_at - CLOCKS_DIFFER).timestamp())
    for found in gateway.list_checkout_sessions(created_since=since):
        if (found.get("metadata") or {}).get("nudgepay_checkout") == str(candidate.id):
            return found
    return None


def retire(db: Database, checkout_id: int, *, now: datetime) -> None:
    """Give a checkout up: it is not reused. Money that comes for it all the same is booked as ever."""
    with db.transaction() as session:
        row = session.get_one(CheckoutSession, checkout_id, with_for_update=True)
        if row.succeeded_at is None and row.failed_at is None:
            row.expired_at = row.expired_at or now


_OUTDATED = text(
    """
    EXISTS (SELECT FROM jsonb_array_elements(checkout_sessions.lines) AS line
              JOIN invoices ON invoices.id = (line ->> 'invoice_id')::bigint
             WHERE invoices.status <> 'open'
                OR invoices.money_state = 'in_payment'
                OR invoices.amount_remaining < (line ->> 'amount')::bigint)
    """
)


def close_outdated(db: Database, gateway: StripeGateway, *, now: datetime, limit: int = BATCH) -> int:
    """Expire open sessions that ask for more than is owed now: paid by transfer, voided, or paid on another page.

    Returns how many were closed. What was paid in the meantime is left to the sweep, as credit with a task.
    """
    with db.transaction() as session:
        outdated = _outdated(session, now=now, limit=limit)
    return sum(close_candidate(db, gateway, candidate, now=now) == "closed" for candidate in outdated)


def _outdated(session: Session, *, now: datetime, limit: int) -> Sequence[Candidate]:
    query = (
        select(CheckoutSession.id, CheckoutSession.session_id, CheckoutSession.created_at)
        .where(
            CheckoutSession.session_id.is_not(None),
            CheckoutSession.expires_at > now,
            *UNFINISHED,
            _OUTDATED,
        )
        .order_by(CheckoutSession.id)
        .limit(limit)
    )
    return [Candidate(*row) for row in session.execute(query)]
