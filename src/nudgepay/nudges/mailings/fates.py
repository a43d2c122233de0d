"""What became of a message after it was accepted: delivered, bounced, complained about."""

from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import UsageError
from nudgepay.gateways.mail import DeliveryReport
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.suppressions import suppress
from nudgepay.nudges.unknowns import letter_id_of

FINAL = ("bounced", "complained")


def record_fate(
    session: Session, report: DeliveryReport, *, now: datetime, actor: str
) -> Literal["delivered", "bounced", "complained", "repeated", "unknown_letter", "other_recipient"]:
    """Write down a message's fate. A client's mailbox that does not exist, and a complaint, block the address."""
    try:
        mailing_id = letter_id_of(report.message_id)
    except UsageError:
        return "unknown_letter"
    mailing = session.scalar(select(Mailing).where(Mailing.id == mailing_id).with_for_update())
    if mailing is None:
        return "unknown_letter"
    if report.recipient and report.recipient.lower() != mailing.to_address.lower():
        return "other_recipient"
    known = (*FINAL, "delivered") if report.fate == "delivered" else FINAL
    if mailing.state not in {"accepted", "delivered", "unknown"} or mailing.state in known:
        return "repeated"
    before, mailing.state, mailing.settled_at = mailing.state, report.fate, now
    mailing.accepted_at = mailing.accepted_at or report.at or now
    if mailing.client_id is not None and (report.is_bad_address or report.fate == "complained"):
        reason = "complained" if report.fate == "complained" else "bounced"
        source = f"report:{report.source}:{report.status}"
        suppress(session, address=mailing.to_address, reason=reason, source=source, now=now, actor=actor)
    audit.record(
        session,
        actor=actor,
        action=f"mailing.{report.fate}",
        subject=f"mailings:{mailing.id}",
        before={"state": before},
        after={"state": report.fate, "status": report.status, "source": report.source},
    )
    return report.fate
