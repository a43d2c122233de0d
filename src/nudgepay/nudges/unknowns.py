"""Letters in doubt, and letters that failed: listing them, and a person's word on each."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.errors import Conflict, NotFound, UsageError
from nudgepay.invoices.queries import lock_client


class NotInDoubt(Conflict):
    """The letter is not in the state that this decision is about."""


def list_unknown(session: Session) -> list[dict[str, Any]]:
    """Every letter of which nobody can say whether it was taken, oldest first."""
    found = session.execute(
        text(
            "SELECT l.id, l.message_id, l.to_address, l.sending_at,"
            "       array_agg(i.number ORDER BY i.due_on, i.id) AS invoices"
            "  FROM letters l JOIN reminders r ON r.letter_id = l.id JOIN invoices i ON i.id = r.invoice_id"
            " WHERE l.state = 'unknown' GROUP BY l.id ORDER BY l.sending_at, l.id"
        )
    )
    return [
        {
            "letter_id": str(row.id),
            "message_id": row.message_id,
            "to": row.to_address,
            "since": row.sending_at,
            "invoices": row.invoices,
        }
        for row in found
    ]


def is_any_unknown(session: Session) -> bool:
    """True when a letter is in doubt."""
    return bool(session.scalar(text("SELECT EXISTS (SELECT FROM letters WHERE state = 'unknown')")))


def mark_accepted(
    session: Session,
    letter_id: uuid.UUID,
    *,
    accepted_at: datetime,
    now: datetime,
    actor: str,
    source: str,
    reason: str | None = None,
) -> None:
    """It did leave. `reason` is a person's own word for it. Raises NotFound, or NotInDoubt unless it is `unknown`."""
    letter = _locked(session, letter_id, "unknown")
    session.execute(
        text(
            "UPDATE letters SET state = 'accepted', accepted_at = :at, settled_at = clock_timestamp(),"
            "       reply = :source WHERE id = :letter"
        ),
        {"letter": letter_id, "at": accepted_at, "source": f"settled by {source}"},
    )
    _move_reminders(session, letter_id, "unknown", "accepted", now)
    after = {"state": "accepted", "by": source, **_because(reason)}
    _settled(session, letter, now=now, actor=actor, action="letter.confirm", after=after)


def plan_again(session: Session, letter_id: uuid.UUID, *, now: datetime, actor: str, source: str) -> None:
    """It certainly did not leave: tried again under the same Message-ID. Raises NotFound, NotInDoubt."""
    letter = _locked(session, letter_id, "unknown")
    session.execute(
        text("UPDATE letters SET state = 'planned', settled_at = clock_timestamp() WHERE id = :letter"),
        {"letter": letter_id},
    )
    _move_reminders(session, letter_id, "unknown", "planned", now)
    _settled(
        session, letter, now=now, actor=actor, action="letter.plan_again", after={"state": "planned", "by": source}
    )


def order_resend(
    session: Session, letter_id: uuid.UUID, *, now: datetime, actor: str, reason: str | None = None
) -> None:
    """A person accepts that it may arrive twice: a new letter number `n`, hence a new Message-ID.

    The engine has the last word: what was paid meanwhile is not sent. Raises NotFound, NotInDoubt.
    """
    letter = _locked(session, letter_id, "unknown")
    n = letter.n + 1
    renamed = letter.message_id.replace(f".{letter.n}@", f".{n}@", 1)
    session.execute(
        text(
            "UPDATE letters SET state = 'planned', n = :n, message_id = :name, settled_at = clock_timestamp()"
            " WHERE id = :letter"
        ),
        {"letter": letter_id, "n": n, "name": renamed},
    )
    _move_reminders(session, letter_id, "unknown", "planned", now)
    _settled(session, letter, now=now, actor=actor, action="letter.resend", after={"n": n, **_because(reason)})


def retry_failed(session: Session, letter_id: uuid.UUID, *, now: datetime, actor: str) -> None:
    """Try a failed letter once more, under the same Message-ID: it was certainly never taken.

    The count of refusals stays, so the next refusal fails it again. Raises NotFound, NotInDoubt.
    """
    letter = _locked(session, letter_id, "failed")
    waiting = text("SELECT EXISTS (SELECT FROM reminders WHERE letter_id = :letter AND state = 'failed')")
    if not session.scalar(waiting, {"letter": letter_id}):
        raise NotInDoubt(f"what letter {letter_id} was to say was given to another letter: nothing was changed")
    session.execute(
        text("UPDATE letters SET state = 'planned', settled_at = clock_timestamp() WHERE id = :letter"),
        {"letter": letter_id},
    )
    _move_reminders(session, letter_id, "failed", "planned", now)
    ledger.resolve_notice(session, f"letter.failed:{letter_id}", actor=actor)
    audit.record(
        session,
        actor=actor,
        action="letter.retry",
        subject=f"letters:{letter_id}",
        before={"state": "failed"},
        after={"state": "planned", "n": letter.n},
    )


def settle_doubt(session: Session, letter_id: uuid.UUID, *, actor: str) -> None:
    """The letter is on its way once more: the notice of its doubt ends, its reminders wait for the answer."""
    ledger.resolve_notice(session, f"letter.unknown:{letter_id}", actor=actor)
    audit.record(
        session,
        actor=actor,
        action="letter.repeat",
        subject=f"letters:{letter_id}",
        before={"state": "unknown"},
        after={"state": "sending"},
    )


def letter_id_of(value: str) -> uuid.UUID:
    """A letter's id as a person gives it: the id itself or the Message-ID; raises UsageError."""
    name = value.strip().strip("<>").removeprefix("np.").partition("@")[0].partition(".")[0]
    try:
        return uuid.UUID(name)
    except ValueError:
        raise UsageError(f"{value!r} is no letter id; see: nudgepay unknown list, nudgepay letters") from None


def _locked(session: Session, letter_id: uuid.UUID, state: str) -> Row[Any]:
    query = text("SELECT id, client_id, n, message_id, state FROM letters WHERE id = :letter")
    found = session.execute(query, {"letter": letter_id}).one_or_none()
    if found is None:
        raise NotFound(f"there is no letter {letter_id}; see: nudgepay letters")
    lock_client(session, found.client_id)
    letter = session.execute(text(f"{query.text} FOR NO KEY UPDATE"), {"letter": letter_id}).one()
    if letter.state != state:
        raise NotInDoubt(f"letter {letter_id} is {letter.state}, not {state}: nothing was changed")
    return letter


def _because(reason: str | None) -> dict[str, str]:
    return {"reason": reason} if reason else {}


def _move_reminders(session: Session, letter_id: uuid.UUID, before: str, after: str, now: datetime) -> None:
    session.execute(
        text(
            "UPDATE reminders"
            "   SET state = :after, look_at = :now, lease_until = NULL, error = NULL, updated_at = now()"
            " WHERE letter_id = :letter AND state = :before"
        ),
        {"letter": letter_id, "before": before, "after": after, "now": now},
    )


def _settled(
    session: Session, letter: Row[Any], *, now: datetime, actor: str, action: str, after: dict[str, Any]
) -> None:
    session.execute(
        text(
            "UPDATE reminders SET look_at = :now"
            " WHERE client_id = :client AND state = 'planned' AND held_reason = 'letter_unknown' AND look_at > :now"
        ),
        {"client": letter.client_id, "now": now},
    )
    ledger.resolve_notice(session, f"letter.unknown:{letter.id}", actor=actor)
    before = {"state": "unknown", "n": letter.n}
    audit.record(session, actor=actor, action=action, subject=f"letters:{letter.id}", before=before, after=after)
