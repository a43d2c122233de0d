"""The first letters, copied to the business itself: what went out, as it went out, in an envelope of its own."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.nudges.mailings.composing import Composed, NotAnyMore, compose
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.mailings.queue import enqueue
from nudgepay.nudges.mailings.rendering import Addressee
from nudgepay.nudges.mime import Attachment
from nudgepay.nudges.terms import Terms

FRESH = timedelta(days=1)

_LEFT = """
SELECT l.id FROM letters l
 WHERE l.sending_at > :since AND l.accepted_at IS NOT NULL
   AND NOT EXISTS (SELECT FROM mailings m WHERE m.dedup_key = 'copy:' || l.id)
 ORDER BY l.accepted_at, l.id LIMIT :most
"""


def copies_left(session: Session, *, wanted: int) -> int:
    """How many letters are still to be copied of the `wanted` first ones."""
    return max(0, wanted - (session.scalar(text("SELECT count(*) FROM mailings WHERE kind = 'copy'")) or 0))


def plan_copies(session: Session, *, to_address: str, wanted: int, terms: Terms, now: datetime) -> int:
    """Wish for copies of letters that were accepted within a day, until `wanted` were made; returns how many."""
    left = copies_left(session, wanted=wanted)
    if not left:
        return 0
    letters = session.scalars(text(_LEFT), {"since": now - FRESH, "most": left}).all()
    wishes = [
        enqueue(
            session,
            kind="copy",
            dedup_key=f"copy:{letter_id}",
            to_address=to_address,
            from_email=terms.business.from_email,
            look_at=now,
            details={"letter_id": str(letter_id)},
        )
        for letter_id in letters
    ]
    return sum(wish is not None for wish in wishes)


def compose_copy(session: Session, mailing: Mailing, *, terms: Terms, now: datetime) -> Composed:
    """The letter as an attached message, so that its own links belong to its reader alone."""
    query = text("SELECT to_address, subject, mime FROM letters WHERE id = :id")
    letter = session.execute(query, {"id": mailing.details["letter_id"]}).one_or_none()
    if letter is None:
        raise NotAnyMore("the letter is gone")
    reader = Addressee("", mailing.to_address, terms.business.locale)
    values = {
        "subject": lambda voice: voice("copy.subject", subject=letter.subject)[:300],
        "to_address": letter.to_address,
    }
    attached = Attachment("letter.eml", "message/rfc822", bytes(letter.mime))
    return compose(mailing, reader, "copy", values, terms=terms, now=now, attachments=(attached,))
