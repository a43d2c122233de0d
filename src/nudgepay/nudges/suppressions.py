"""Addresses that must not be written to. A named person or the addressee lifts one; nothing does so in passing."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.errors import NotFound, UsageError
from nudgepay.invoices.actions import wake
from nudgepay.invoices.models import Contact
from nudgepay.nudges.answering import lock_clients
from nudgepay.nudges.answers import Suppression

REASONS = ("unsubscribed", "bounced", "complained", "manual")


class NotSuppressed(NotFound):
    """The address is not suppressed for this reason."""


def normalise_address(session: Session, address: str) -> str:
    """The form in which addresses are compared: PostgreSQL's lower case, without surrounding blanks."""
    found: str = session.scalar(select(func.lower(address.strip()))) or ""
    return found


def suppress(session: Session, *, address: str, reason: str, source: str, now: datetime, actor: str) -> Suppression:
    """Write to this address no more, at any client. Again for the same reason changes nothing.

    The owner is told with `contact.REASON`. Raises UsageError for an unknown reason.
    """
    if reason not in REASONS:
        raise UsageError(f"the reason must be one of: {', '.join(REASONS)}")
    normal = normalise_address(session, address)
    client_ids = _lock_clients_of(session, normal)
    suppression_id = session.scalar(
        insert(Suppression)
        .values(address=normal, reason=reason, source=source, created_at=now)
        .on_conflict_do_nothing()
        .returning(Suppression.id)
    )
    suppression = _in_force(session, normal, reason)
    if suppression_id is None:
        return suppression
    audit.record(
        session,
        actor=actor,
        action="suppression.add",
        subject=f"suppressions:{suppression_id}",
        origin=source,
        after={"reason": reason},
    )
    details = {"suppression_id": suppression_id, "client_ids": client_ids}
    ledger.notice(session, f"contact.{reason}", _notice_key(suppression_id), details)
    _wake(session, client_ids, now=now)
    return suppression


def lift_suppression(
    session: Session, *, address: str, reason: str, now: datetime, actor: str, because: str | None = None
) -> Suppression:
    """Allow letters to the address again, as far as this reason goes; raises NotSuppressed.

    `because` is why, in the words of the person who lifts it; it is kept with the row.
    """
    normal = normalise_address(session, address)
    client_ids = _lock_clients_of(session, normal)
    suppression = _in_force(session, normal, reason)
    suppression.lifted_at, suppression.lifted_by, suppression.lift_reason = now, actor, because
    session.flush()
    ledger.resolve_notice(session, _notice_key(suppression.id), actor=actor)
    audit.record(
        session,
        actor=actor,
        action="suppression.lift",
        subject=f"suppressions:{suppression.id}",
        before={"reason": reason},
    )
    _wake(session, client_ids, now=now)
    return suppression


def suppressions_in_force(session: Session) -> list[Suppression]:
    """Every block that was not lifted, newest first."""
    query = select(Suppression).where(Suppression.lifted_at.is_(None))
    return list(session.scalars(query.order_by(Suppression.created_at.desc(), Suppression.id.desc())))


def suppressed_for(session: Session, address: str) -> frozenset[str]:
    """The reasons why this address is not written to; empty when it is."""
    query = select(Suppression.reason).where(
        Suppression.address == normalise_address(session, address), Suppression.lifted_at.is_(None)
    )
    return frozenset(session.scalars(query))


def _in_force(session: Session, address: str, reason: str) -> Suppression:
    query = select(Suppression).where(
        Suppression.address == address, Suppression.reason == reason, Suppression.lifted_at.is_(None)
    )
    found = session.scalar(query)
    if found is None:
        raise NotSuppressed(f"this address is not suppressed as {reason}; see: nudgepay suppressions list")
    return found


def _lock_clients_of(session: Session, address: str) -> list[int]:
    query = select(Contact.client_id).where(func.lower(Contact.email) == address).distinct()
    client_ids = sorted(session.scalars(query))
    lock_clients(session, client_ids)
    return client_ids


def _wake(session: Session, client_ids: list[int], *, now: datetime) -> None:
    for client_id in client_ids:
        wake(session, now=now, client_id=client_id)


def _notice_key(suppression_id: int) -> str:
    return f"suppression:{suppression_id}"
