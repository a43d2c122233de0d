"""Which messages are owed now, by the settings: thank-you letters, the day's digest, copies of the first letters."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.db import Database
from nudgepay.nudges.calendars import local_day, local_instant
from nudgepay.nudges.mailings.copies import copies_left, plan_copies
from nudgepay.nudges.mailings.digests import plan_digest
from nudgepay.nudges.mailings.terms import MailingTerms
from nudgepay.nudges.mailings.thanks import clients_to_thank, plan_thanks
from nudgepay.nudges.terms import Terms


def is_anything_owed(session: Session, wanted: MailingTerms, *, now: datetime) -> bool:
    """True when `plan_wishes` might write a wish."""
    return (
        (wanted.thanks and bool(clients_to_thank(session, now=now, most=1)))
        or copies_left(session, wanted=wanted.copies) > 0
        or _is_digest_missing(session, wanted, now)
    )


def plan_wishes(db: Database, wanted: MailingTerms, *, terms: Terms, now: datetime) -> int:
    """Write the wishes that are owed at `now`; returns how many. The same again writes none."""
    made = plan_thanks(db, terms=terms, now=now) if wanted.thanks else 0
    with db.transaction() as session:
        if wanted.digest_at is not None:
            made += plan_digest(
                session,
                recipients=wanted.digest_to,
                at=wanted.digest_at,
                timezone=wanted.timezone,
                terms=terms,
                now=now,
            )
        made += plan_copies(session, to_address=wanted.copies_to, wanted=wanted.copies, terms=terms, now=now)
    return made


def _is_digest_missing(session: Session, wanted: MailingTerms, now: datetime) -> bool:
    today = local_day(now, wanted.timezone)
    if (
        wanted.digest_at is None
        or not wanted.digest_to
        or now < local_instant(today, wanted.digest_at, wanted.timezone)
    ):
        return False
    keys = [f"digest:{today.isoformat()}:{address.lower()}" for address in wanted.digest_to]
    there = session.scalar(text("SELECT count(*) FROM mailings WHERE dedup_key = ANY(:keys)"), {"keys": keys})
    return bool(there != len(set(keys)))
