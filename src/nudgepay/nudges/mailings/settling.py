"""What became of a message, written only by the one who still holds it."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.gateways.mail import (
    MailError,
    PermanentRefusal,
    SenderNotReady,
    TemporaryRefusal,
    TooLate,
    shortened,
)
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.suppressions import suppress

ACTOR = "job:send_mailings"
MOST_ATTEMPTS = 8
FIRST_RETRY = timedelta(minutes=5)


def settle_accepted(session: Session, mailing_id: uuid.UUID, fence: int, *, reply: str, now: datetime) -> str:
    """The other side has taken it."""
    mailing = _held(session, mailing_id, fence)
    if mailing is None:
        return "fenced"
    mailing.state, mailing.accepted_at, mailing.settled_at = "accepted", now, now
    mailing.reply = shortened(reply)
    return "accepted"


def settle_after(session: Session, mailing_id: uuid.UUID, fence: int, *, error: MailError, now: datetime) -> str:
    """It was not taken, or nobody knows. A mailbox that does not exist is written to no more."""
    mailing = _held(session, mailing_id, fence)
    if mailing is None:
        return "fenced"
    mailing.reply = shortened(error.reply or str(error))
    if isinstance(error, PermanentRefusal):
        if error.bad_address and mailing.client_id is not None:
            source = f"smtp:{error.code}"
            suppress(session, address=mailing.to_address, reason="bounced", source=source, now=now, actor=ACTOR)
        return _ended(session, mailing, "failed", now)
    if isinstance(error, TooLate):
        return _again(mailing, now)
    if isinstance(error, SenderNotReady):
        return _again(mailing, now + timedelta(seconds=max(error.retry_after, 60)))
    if isinstance(error, TemporaryRefusal):
        mailing.attempts += 1
        if mailing.attempts >= MOST_ATTEMPTS:
            return _ended(session, mailing, "failed", now)
        return _again(mailing, now + FIRST_RETRY * 2 ** (mailing.attempts - 1))
    return _ended(session, mailing, "unknown", now)


def _held(session: Session, mailing_id: uuid.UUID, fence: int) -> Mailing | None:
    query = select(Mailing).where(Mailing.id == mailing_id, Mailing.fence == fence, Mailing.state == "sending")
    return session.scalar(query.with_for_update())


def _again(mailing: Mailing, look_at: datetime) -> str:
    mailing.state, mailing.reason, mailing.look_at, mailing.lease_until = "planned", "sender_not_ready", look_at, None
    return "put_back"


def _ended(session: Session, mailing: Mailing, state: str, now: datetime) -> str:
    mailing.state, mailing.settled_at, mailing.lease_until = state, now, None
    details = {"mailing_id": str(mailing.id), "kind": mailing.kind}
    ledger.notice(session, f"mailing.{state}", f"mailing.{state}:{mailing.id}", details)
    return state
