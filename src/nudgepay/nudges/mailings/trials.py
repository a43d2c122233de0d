"""A text under trial, sent to the operator who writes it: the letter as its reader would get it, marked as a test.

It is no reminder: it belongs to no client, touches no reminder and no contact gap, goes while sending is paused, and
its links lead nowhere.
"""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.errors import Busy
from nudgepay.nudges.letter_text import LetterTemplate
from nudgepay.nudges.mail_headers import LONGEST_TEXT
from nudgepay.nudges.mailings.composing import Composed, NotAnyMore
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.mailings.queue import enqueue
from nudgepay.nudges.mime import MailHeaders, build_mime
from nudgepay.nudges.terms import Terms
from nudgepay.nudges.trying import UNUSABLE, Trial, stage_trial

KIND = "test"
MARK = "[Test]"
MOST_IN_AN_HOUR = 20
AN_HOUR = timedelta(hours=1)

_LATELY = (
    "SELECT count(*) FROM mailings WHERE to_address = :address AND kind = 'test'"
    " AND created_at > clock_timestamp() - make_interval(hours => 1)"
)


class TooManyTests(Busy):
    """One person's tests are bounded, so that nobody's mailbox is flooded."""

    status = 429


def request_trial(
    session: Session,
    trial: Trial,
    words: LetterTemplate | None,
    *,
    key: str,
    operator_id: int,
    to_address: str,
    terms: Terms,
    now: datetime,
) -> bool:
    """Wish for the letter of `trial` with these words (None: the text that ships); False for a `key` used before.

    Raises what the writer raises for a text that cannot be used, TooManyTests, and BadAddress.
    """
    trial.write(words, terms=terms)
    if (session.scalar(text(_LATELY), {"address": to_address}) or 0) >= MOST_IN_AN_HOUR:
        raise TooManyTests(f"{MOST_IN_AN_HOUR} tests went to you within the hour: wait a while")
    made = enqueue(
        session,
        kind=KIND,
        dedup_key=f"test:{operator_id}:{key}",
        to_address=to_address,
        from_email=terms.business.from_email,
        look_at=now,
        details={
            "operator_id": operator_id,
            "template": trial.template,
            "language": trial.language,
            "invoice_id": trial.invoice_id,
            "subject": words and words.subject,
            "body": words and words.body,
        },
    )
    return made is not None


def compose_trial(session: Session, mailing: Mailing, *, terms: Terms, now: datetime) -> Composed:
    """The letter of its invoice as things stand now, in an envelope for the operator alone."""
    given = mailing.details
    words = None if given["body"] is None else LetterTemplate(given["subject"], given["body"])
    try:
        trial = stage_trial(
            session, given["template"], given["language"], invoice_id=given["invoice_id"], terms=terms, now=now
        )
        letter = trial.write(words, terms=terms)
    except UNUSABLE as error:
        raise NotAnyMore("its invoice or its text cannot be used any more") from error
    business = terms.business
    subject = f"{MARK} {letter.subject}"[:LONGEST_TEXT]
    headers = MailHeaders(
        message_id=mailing.message_id,
        date=now,
        from_name=business.name,
        from_email=business.from_email,
        to_name="",
        to_email=mailing.to_address,
        reply_to=business.reply_to,
        subject=subject,
        language=letter.language,
        unsubscribe_url=None,
    )
    return Composed(subject, build_mime(headers, letter.text, letter.html, trial.given.attachments))
