"""What became of a letter, written only by the one who still holds it.

Each function returns the state that the letter reached, or `fenced`, having written nothing, when the letter is no
longer ours: its lease ended and somebody else has spoken for it meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.gateways.mail import PermanentRefusal, TemporaryRefusal, shortened
from nudgepay.invoices.queries import lock_client
from nudgepay.nudges.claiming import mark_unknown
from nudgepay.nudges.looking import Outgoing
from nudgepay.nudges.reasons import HeldReason
from nudgepay.nudges.recipients import has_recipient
from nudgepay.nudges.suppressions import suppress

Outcome = Literal["accepted", "failed", "unknown", "planned", "fenced"]

ACTOR = "job:sending"
MOST_ATTEMPTS = 8
FIRST_RETRY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class PutBack:
    """To be tried again from `look_at` on; `attempts`: how often it has been refused, when that changed."""

    look_at: datetime
    held_reason: HeldReason | None = None
    attempts: int | None = None
    error: str | None = None
    reply: str | None = None


def settle_accepted(session: Session, sent: Outgoing, *, reply: str, now: datetime) -> Outcome:
    """The other side has taken it."""
    if not _settle_letter(session, sent, "accepted", reply=reply, accepted_at=now):
        return "fenced"
    _settle_reminders(session, sent, "accepted")
    return "accepted"


def settle_unknown(session: Session, sent: Outgoing, *, reply: str) -> Outcome:
    """Nobody can say whether it was taken: a person is told, and nothing is sent to this client meanwhile."""
    if not _settle_letter(session, sent, "unknown", reply=reply):
        return "fenced"
    mark_unknown(session, {sent.letter_id: sent.client_id})
    return "unknown"


def settle_refused(session: Session, sent: Outgoing, refusal: PermanentRefusal, *, now: datetime) -> Outcome:
    """Refused for good. A missing mailbox blocks the address; another contact of the client is written to instead."""
    if refusal.bad_address:
        lock_client(session, sent.client_id)
    if not _settle_letter(session, sent, "failed", reply=refusal.reply):
        return "fenced"
    if refusal.bad_address:
        source = f"smtp:{refusal.code}"
        suppress(session, address=sent.envelope.recipient, reason="bounced", source=source, now=now, actor=ACTOR)
    if refusal.bad_address and has_recipient(session, sent.client_id):
        _plan_again(session, sent, PutBack(look_at=now, error=str(refusal)), keeps_letter=False)
    else:
        _settle_reminders(session, sent, "failed", error=str(refusal))
        _say_failed(session, sent, refusal.code)
    return "failed"


def settle_put_back(session: Session, sent: Outgoing, back: PutBack) -> Outcome:
    """Certainly not taken, to be tried again under the same name."""
    if not _settle_letter(session, sent, "planned", reply=back.reply):
        return "fenced"
    _plan_again(session, sent, back, keeps_letter=True)
    return "planned"


def settle_refused_for_now(session: Session, sent: Outgoing, refusal: TemporaryRefusal, *, now: datetime) -> Outcome:
    """Tried again 5 minutes after the first refusal, then twice as late each time, ten hours in all.

    The eighth refusal (and each one after a person's order to retry) is the last: `failed`, listed, and told.
    """
    attempts = 1 + _attempts(session, sent)
    if attempts < MOST_ATTEMPTS:
        look_at = now + FIRST_RETRY * 2 ** (attempts - 1)
        back = PutBack(look_at, "sender_not_ready", attempts=attempts, error=str(refusal), reply=refusal.reply)
        return settle_put_back(session, sent, back)
    if not _settle_letter(session, sent, "failed", reply=refusal.reply):
        return "fenced"
    _settle_reminders(session, sent, "failed", error=str(refusal), attempts=attempts)
    _say_failed(session, sent, refusal.code)
    return "failed"


def _attempts(session: Session, sent: Outgoing) -> int:
    query = text("SELECT coalesce(max(attempts), 0) FROM reminders WHERE letter_id = :letter")
    return int(session.scalar(query, {"letter": sent.letter_id}) or 0)


def _settle_letter(
    session: Session, sent: Outgoing, state: str, *, reply: str | None = None, accepted_at: datetime | None = None
) -> bool:
    query = text(
        "UPDATE letters SET state = :state, settled_at = clock_timestamp(), reply = :reply,"
        "       accepted_at = CAST(:accepted_at AS timestamptz)"
        " WHERE id = :letter AND fence = :fence AND state = 'sending' RETURNING id"
    )
    values = {"letter": sent.letter_id, "fence": sent.fence, "state": state, "accepted_at": accepted_at}
    return session.scalar(query, values | {"reply": reply and shortened(reply)}) is not None


def _settle_reminders(
    session: Session, sent: Outgoing, state: str, *, error: str | None = None, attempts: int | None = None
) -> None:
    session.execute(
        text(
            "UPDATE reminders SET state = :state, lease_until = NULL, error = :error, updated_at = now(),"
            "       attempts = coalesce(CAST(:attempts AS bigint), attempts)"
            " WHERE letter_id = :letter AND state = 'sending'"
        ),
        {"letter": sent.letter_id, "state": state, "error": error, "attempts": attempts},
    )


def _plan_again(session: Session, sent: Outgoing, back: PutBack, *, keeps_letter: bool) -> None:
    session.execute(
        text(
            "UPDATE reminders SET state = 'planned', lease_until = NULL, look_at = :look_at, error = :error,"
            "       held_reason = :reason, held_until = :held_until, updated_at = now(),"
            "       attempts = coalesce(CAST(:attempts AS bigint), attempts),"
            "       letter_id = CASE WHEN :keeps THEN letter_id END"
            " WHERE letter_id = :letter AND state = 'sending'"
        ),
        {
            "letter": sent.letter_id,
            "look_at": back.look_at,
            "error": back.error,
            "reason": back.held_reason,
            "held_until": back.look_at if back.held_reason else None,
            "attempts": back.attempts,
            "keeps": keeps_letter,
        },
    )


def _say_failed(session: Session, sent: Outgoing, code: int | None) -> None:
    details = {"letter_id": str(sent.letter_id), "client_id": sent.client_id, "code": code}
    ledger.notice(session, "letter.failed", f"letter.failed:{sent.letter_id}", details)
