"""What became of accepted letters: delivered, bounced, complained about; told by whoever carried them."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay import audit, ledger, metrics
from nudgepay.errors import UsageError
from nudgepay.gateways.mail import DeliveryReport
from nudgepay.invoices.queries import lock_client
from nudgepay.nudges.mailings.fates import record_fate
from nudgepay.nudges.recipients import has_recipient
from nudgepay.nudges.suppressions import suppress
from nudgepay.nudges.unknowns import letter_id_of, mark_accepted

Taken = Literal["delivered", "bounced", "complained", "repeated", "unknown_letter", "other_recipient"]
OPEN_TO = {
    "delivered": ("accepted",),
    "bounced": ("accepted", "delivered"),
    "complained": ("accepted", "delivered"),
}
"""From which states a letter may come to each fate: a bounce has the last word over an earlier delivery."""


def record_report(session: Session, report: DeliveryReport, *, now: datetime, actor: str) -> Taken:
    """Write down a letter's fate; a report of a fate that is known, or of no letter of ours, changes nothing.

    A letter in doubt that anybody reports on was taken, so it is `accepted` first. A mailbox that does not exist, and
    a complaint, block the address. After a bounce the reminders go to another contact of the client where there is
    one; else they end `bounced` and a person is told.
    """
    letter = _locked(session, report)
    if letter is None:
        return record_fate(session, report, now=now, actor=actor)
    if report.recipient and report.recipient.lower() != letter.to_address.lower():
        return "other_recipient"
    state = letter.state
    if state == "unknown":
        accepted_at = _believable(report.at, letter.sending_at, now)
        source = report.source or "report"
        mark_accepted(session, letter.id, accepted_at=accepted_at, now=now, actor=actor, source=source)
        state = "accepted"
    if state not in OPEN_TO[report.fate]:
        return "repeated"
    _set_state(session, letter, report.fate)
    metrics.emails.labels(status=report.fate).inc()
    if report.fate == "bounced":
        _bounced(session, letter, report, now=now, actor=actor)
    elif report.fate == "complained":
        source = f"report:{report.source}"
        suppress(session, address=letter.to_address, reason="complained", source=source, now=now, actor=actor)
    audit.record(
        session,
        actor=actor,
        action=f"letter.{report.fate}",
        subject=f"letters:{letter.id}",
        before={"state": state},
        after={"state": report.fate, "status": report.status, "source": report.source},
    )
    return report.fate


def _believable(told: datetime | None, sending_at: datetime, now: datetime) -> datetime:
    """Somebody else's clock, within what is possible: not before we began to send, not after `now`."""
    return now if told is None else max(sending_at, min(told, now))


def _locked(session: Session, report: DeliveryReport) -> Row[Any] | None:
    try:
        letter_id = letter_id_of(report.message_id)
    except UsageError:
        return None
    query = text("SELECT id, client_id, to_address, state, sending_at FROM letters WHERE id = :letter")
    found = session.execute(query, {"letter": letter_id}).one_or_none()
    if found is None:
        return None
    lock_client(session, found.client_id)
    return session.execute(text(f"{query.text} FOR NO KEY UPDATE"), {"letter": letter_id}).one()


def _set_state(session: Session, letter: Row[Any], state: str) -> None:
    session.execute(
        text("UPDATE letters SET state = :state, settled_at = clock_timestamp() WHERE id = :letter"),
        {"state": state, "letter": letter.id},
    )
    session.execute(
        text(
            "UPDATE reminders SET state = :state, updated_at = now()"
            " WHERE letter_id = :letter AND state IN ('accepted', 'delivered')"
        ),
        {"state": state, "letter": letter.id},
    )


def _bounced(session: Session, letter: Row[Any], report: DeliveryReport, *, now: datetime, actor: str) -> None:
    if not report.is_bad_address:
        details = {"letter_id": str(letter.id), "client_id": letter.client_id, "status": report.status}
        ledger.notice(session, "letter.bounced", f"letter.bounced:{letter.id}", details)
        return
    source = f"report:{report.source}:{report.status}"
    suppress(session, address=letter.to_address, reason="bounced", source=source, now=now, actor=actor)
    if has_recipient(session, letter.client_id):
        session.execute(
            text(
                "UPDATE reminders SET state = 'planned', letter_id = NULL, look_at = :now, error = :error,"
                "       updated_at = now() WHERE letter_id = :letter AND state = 'bounced'"
            ),
            {"letter": letter.id, "now": now, "error": f"the letter bounced ({report.status})"},
        )
