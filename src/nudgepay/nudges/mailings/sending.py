"""The pass over these messages: written at the last look, recorded as leaving, handed over, settled. One by one.

As with letters a message is recorded before its first byte leaves, and one whose end nobody wrote down is in doubt,
not repeated unless the relay's record says that it never came.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from nudgepay import clock, ledger, log
from nudgepay.db import Database
from nudgepay.gateways.mail import (
    AcceptanceSource,
    Envelope,
    MailError,
    MailTransport,
    SenderNotReady,
    ensure_address,
)
from nudgepay.nudges.mailings.composing import Composed, NotAnyMore, NotNow
from nudgepay.nudges.mailings.copies import compose_copy
from nudgepay.nudges.mailings.digests import compose_digest
from nudgepay.nudges.mailings.doubt import settle_lost
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.mailings.settling import settle_accepted, settle_after
from nudgepay.nudges.mailings.statements import compose_statement
from nudgepay.nudges.mailings.thanks import compose_thanks
from nudgepay.nudges.mailings.trials import compose_trial
from nudgepay.nudges.setting_aside import OWN_TROUBLE, error_text
from nudgepay.nudges.terms import Terms

COMPOSERS: Mapping[str, Callable[..., Composed]] = {
    "thanks": compose_thanks,
    "statement": compose_statement,
    "digest": compose_digest,
    "copy": compose_copy,
    "test": compose_trial,
}
MOST = 500
A_DAY = timedelta(days=1)
logger = log.get("mailings")


@dataclass(frozen=True, slots=True)
class Leaving:
    """A message recorded as `sending`; `looked` and `lease_ends` in seconds on the monotonic clock."""

    mailing_id: uuid.UUID
    fence: int
    envelope: Envelope
    looked: float
    lease_ends: float

    def may_begin(self, longest_look_seconds: float) -> bool:
        """True while the look is fresh and the lease is ours."""
        at = clock.monotonic()
        return at - self.looked <= longest_look_seconds and at < self.lease_ends


def is_any_due(session: Session, *, now: datetime) -> bool:
    """True when a message waits to be looked at, or one is in doubt."""
    query = text(
        "SELECT EXISTS (SELECT FROM mailings WHERE state = 'planned' AND look_at <= :now)"
        " OR EXISTS (SELECT FROM mailings WHERE state IN ('sending', 'unknown'))"
    )
    return bool(session.scalar(query, {"now": now}))


def run_mailings(
    db: Database,
    *,
    transport: MailTransport,
    receipts: AcceptanceSource,
    terms: Terms,
    now: datetime,
    should_stop: Callable[[], bool] = lambda: False,
) -> Counter[str]:
    """Send what is due at `now`, at most 500; returns counts by outcome. Raises DatabaseUnavailable."""
    counts: Counter[str] = settle_lost(db, receipts=receipts, now=now, grace_seconds=terms.lease_seconds)
    for _ in range(MOST):
        if should_stop():
            break
        with db.transaction() as session:
            found = _look(session, terms=terms, now=now)
        if found is None:
            break
        if isinstance(found, str):
            counts[found] += 1
            continue
        outcome, goes_on = _hand_over(db, found, transport, terms=terms, now=now)
        counts[outcome] += 1
        if not goes_on:
            break
    return counts


def _look(session: Session, *, terms: Terms, now: datetime) -> Leaving | str | None:
    """Take the next message in hand: on its way, or the word for why it is not; None when none is due."""
    query = select(Mailing).where(Mailing.state == "planned", Mailing.look_at <= now)
    mailing = session.scalar(query.order_by(Mailing.look_at, Mailing.id).limit(1).with_for_update(skip_locked=True))
    if mailing is None:
        return None
    looked = clock.monotonic()
    try:
        with session.begin_nested():
            made = COMPOSERS[mailing.kind](session, mailing, terms=terms, now=now)
    except NotNow as wait:
        mailing.look_at, mailing.reason = max(wait.until, now + timedelta(minutes=1)), wait.reason
        return "held"
    except NotAnyMore as end:
        mailing.state, mailing.reason, mailing.settled_at = "cancelled", end.reason, now
        return "cancelled"
    except DBAPIError:
        raise
    except OWN_TROUBLE as error:
        logger.warning("mailing.postponed", mailing_id=str(mailing.id), cause=error_text(error))
        mailing.look_at = now + timedelta(minutes=1)
        return "put_back"
    except Exception as error:
        logger.exception("mailing.poisoned", mailing_id=str(mailing.id), kind=mailing.kind)
        mailing.look_at, mailing.reason = now + A_DAY, "template_error"
        details = {"mailing_id": str(mailing.id), "kind": mailing.kind, "error": error_text(error)}
        ledger.notice(session, "mailing.poisoned", f"mailing.poisoned:{mailing.kind}", details)
        return "poisoned"
    return _record(session, mailing, made, terms=terms, now=now, looked=looked)


def _record(
    session: Session, mailing: Mailing, made: Composed, *, terms: Terms, now: datetime, looked: float
) -> Leaving:
    mailing.state, mailing.reason = "sending", None
    mailing.subject, mailing.mime = made.subject, made.mime
    mailing.sending_at, mailing.fence = now, mailing.fence + 1
    session.flush()
    lease = text("UPDATE mailings SET lease_until = clock_timestamp() + make_interval(secs => :s) WHERE id = :id")
    session.execute(lease, {"s": terms.lease_seconds, "id": mailing.id})
    sender = ensure_address(terms.business.from_email)
    envelope = Envelope(mailing.message_id, sender, mailing.to_address, made.mime)
    return Leaving(mailing.id, mailing.fence, envelope, looked, looked + terms.lease_seconds)


def _hand_over(
    db: Database, leaving: Leaving, transport: MailTransport, *, terms: Terms, now: datetime
) -> tuple[str, bool]:
    """Deliver and write down what became of it; False when the relay cannot be used now."""
    goes_on = True
    try:
        receipt = transport.deliver(leaving.envelope, may_begin=lambda: leaving.may_begin(terms.longest_look_seconds))
        settle = partial(settle_accepted, reply=receipt.reply)
    except MailError as error:
        settle = partial(settle_after, error=error)
        goes_on = not isinstance(error, SenderNotReady)
    with db.transaction() as session:
        return settle(session, leaving.mailing_id, leaving.fence, now=now), goes_on
