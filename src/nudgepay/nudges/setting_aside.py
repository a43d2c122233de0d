"""Reminders put aside so that the others can go: one poisoned record, or a relay that cannot be used."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.errors import NudgePayError
from nudgepay.gateways.mail import BadAddress
from nudgepay.nudges.claiming import Claim
from nudgepay.nudges.operators_text import OwnTextFailed
from nudgepay.nudges.reasons import HeldReason
from nudgepay.nudges.recording import Silence, record_silences

OWN_TROUBLE = (MemoryError, OSError)
"""This machine's own trouble, of memory or of files: no record is to blame, and all of them wait a minute."""


FAILING = "text.failing"
"""The notice of an operators' text that cannot be used for a letter."""


def failing_key(template: str, language: str) -> str:
    """Its deduplication key."""
    return f"{FAILING}:{template}/{language}"


def error_text(error: Exception) -> str:
    """What may be written down of an error: our own sentences, else only its name."""
    return f"{type(error).__name__}: {error}" if isinstance(error, NudgePayError) else type(error).__name__


def silences_of(session: Session, reminder_ids: Sequence[int], error: Exception) -> list[Silence]:
    """Why reminders that cannot be decided or written stay silent, by name."""
    reason: HeldReason = "no_recipient" if isinstance(error, BadAddress) else "template_error"
    query = text(
        "SELECT r.id, i.number, r.step FROM reminders r JOIN invoices i ON i.id = r.invoice_id WHERE r.id = ANY(:ids)"
    )
    return [
        Silence(row.id, row.number, row.step, reason, error=error_text(error))
        for row in session.execute(query, {"ids": list(reminder_ids)})
    ]


def tell_poisoned(session: Session, client_id: int, reminder_ids: Sequence[int], error: Exception) -> None:
    """A person must repair it: one notice for each client, or one for the text that fails, however many it holds."""
    if isinstance(error, OwnTextFailed):
        text_details = {"template": error.template, "language": error.language, "version": error.version}
        ledger.notice(session, FAILING, failing_key(error.template, error.language), text_details)
        return
    details = {"client_id": client_id, "error": type(error).__name__, "reminders": list(reminder_ids)}
    ledger.notice(session, "letter.poisoned", f"letter.poisoned:{client_id}", details)


def resolve_repaired(session: Session, *, actor: str) -> None:
    """Close the notices of clients of whom nothing is set aside any more, and of texts that hold nothing any more."""
    session.execute(
        text(
            "UPDATE notices n SET resolved_at = now(), resolved_by = :actor"
            " WHERE kind = 'text.failing' AND resolved_at IS NULL AND NOT EXISTS ("
            "       SELECT FROM reminders r WHERE r.state IN ('planned', 'claimed')"
            "          AND r.held_reason = 'template_error'"
            "          AND starts_with(r.error, 'OwnTextFailed: ' || (n.details->>'template') || '/'"
            "                                   || (n.details->>'language') || ' '))"
        ),
        {"actor": actor},
    )
    session.execute(
        text(
            "UPDATE notices n SET resolved_at = now(), resolved_by = :actor"
            " WHERE kind = 'letter.poisoned' AND resolved_at IS NULL AND NOT EXISTS ("
            "       SELECT FROM reminders r WHERE r.client_id = CAST(n.details->>'client_id' AS bigint)"
            "          AND r.state IN ('planned', 'claimed') AND r.error IS NOT NULL"
            "          AND r.held_reason IN ('template_error', 'no_recipient'))"
        ),
        {"actor": actor},
    )


def set_aside(session: Session, claim: Claim, error: Exception, *, now: datetime) -> list[Silence]:
    """Hold a claim that could not even be looked at, as far as it is still ours."""
    ours = session.scalars(
        text(
            "SELECT r.id FROM reminders r"
            "  JOIN unnest(CAST(:ids AS bigint[]), CAST(:fences AS bigint[])) AS mine (id, fence)"
            "    ON r.id = mine.id AND r.fence = mine.fence WHERE r.state = 'claimed' FOR NO KEY UPDATE OF r"
        ),
        {"ids": list(claim.fences), "fences": list(claim.fences.values())},
    ).all()
    silences = silences_of(session, ours, error)
    record_silences(session, silences, now=now)
    tell_poisoned(session, claim.client_id, ours, error)
    return silences


def hold_what_is_due(
    session: Session, *, now: datetime, until: datetime, client_ids: Collection[int] | None = None
) -> list[Silence]:
    """While the relay cannot be used, everything that is due says so and waits for it."""
    rows = session.execute(
        text(
            "UPDATE reminders r SET held_reason = 'sender_not_ready', held_until = :until, look_at = :until,"
            "       updated_at = now()"
            "  FROM invoices i WHERE i.id = r.invoice_id AND r.state = 'planned' AND r.look_at <= :now"
            "   AND (CAST(:only AS bigint[]) IS NULL OR r.client_id = ANY(CAST(:only AS bigint[])))"
            " RETURNING r.id, i.number, r.step"
        ),
        {"now": now, "until": until, "only": None if client_ids is None else list(client_ids)},
    )
    return [Silence(row.id, row.number, row.step, "sender_not_ready", until=until) for row in rows]
