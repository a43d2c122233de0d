"""A client's statement of account as a letter: how the account stands when it leaves, and a link to how it stands."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.errors import Conflict
from nudgepay.invoices.models import Client, Contact
from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.mailings.composing import Composed, NotAnyMore, NotNow, compose
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.mailings.queue import enqueue
from nudgepay.nudges.mailings.readers import reader_at_client
from nudgepay.nudges.mailings.rendering import Addressee, Voice
from nudgepay.nudges.mime import message_id
from nudgepay.nudges.previewing import LEADS_NOWHERE
from nudgepay.nudges.terms import Terms
from nudgepay.payments.account import Account, account_of


@dataclass(frozen=True, slots=True)
class Preview:
    """A statement that nobody has sent, and who would read it."""

    reader: Addressee
    composed: Composed


class NobodyToWriteTo(Conflict):
    """The client has no contact that may be written to."""


_READERS = """
SELECT k.id, k.email FROM contacts k
 WHERE k.client_id = :client AND k.role <> 'copy' AND k.wrong_person_at IS NULL AND k.removed_at IS NULL
   AND NOT EXISTS (SELECT FROM suppressions s WHERE s.address = lower(k.email) AND s.lifted_at IS NULL)
 ORDER BY k.role <> 'billing', k.id LIMIT 1
"""
_LAST_CONTACT = """
SELECT max(at) FROM (
  SELECT max(sending_at) AS at FROM letters
   WHERE to_address = :address AND state NOT IN ('planned', 'failed', 'cancelled')
  UNION ALL
  SELECT max(sending_at) FROM mailings
   WHERE to_address = :address AND kind = 'statement' AND id <> :id
     AND state NOT IN ('planned', 'failed', 'cancelled')) AS contacts
"""


def request_statement(session: Session, client: Client, *, terms: Terms, now: datetime) -> bool:
    """Wish for a statement to the client's billing contact, at most one a day; False when there is today's already.

    Raises NobodyToWriteTo.
    """
    reader = session.execute(text(_READERS), {"client": client.id}).one_or_none()
    if reader is None:
        raise NobodyToWriteTo(f"client {client.name!r} has no contact that may be written to; see: contacts add")
    today = local_day(now, client.timezone)
    made = enqueue(
        session,
        kind="statement",
        dedup_key=f"statement:{client.id}:{today.isoformat()}",
        to_address=reader.email,
        from_email=terms.business.from_email,
        look_at=now,
        client_id=client.id,
        contact_id=reader.id,
    )
    return made is not None


def compose_statement(session: Session, mailing: Mailing, *, terms: Terms, now: datetime) -> Composed:
    """The account as it stands; raises NotAnyMore when nothing is asked for, NotNow within the contact gap.

    A statement asks for money, so it keeps the same distance to letters as they keep to each other.
    """
    reader = reader_at_client(session, mailing, terms=terms, now=now)
    last = session.scalar(text(_LAST_CONTACT), {"address": mailing.to_address, "id": mailing.id})
    client = session.get_one(Client, mailing.client_id)
    if last is not None:
        free_day = local_day(last, client.timezone) + timedelta(days=terms.rules.contact_gap_days)
        free_at = calendar_now(session, terms.calendar).opening(free_day, client.country, client.timezone)
        if now < free_at:
            raise NotNow("contact_gap", free_at)
    account = account_of(session, client.id, today=local_day(now, client.timezone), now=now)
    if not account.asks_for_money:
        raise NotAnyMore("nothing is asked for")
    return _write(mailing, reader, account, terms=terms, now=now)


def preview_statement(session: Session, client: Client, *, terms: Terms, now: datetime) -> Preview:
    """The statement as it would be written now; nothing is recorded, and its link leads nowhere.

    Raises NobodyToWriteTo, NotAnyMore when nothing is asked for, and what the writer raises.
    """
    found = session.execute(text(_READERS), {"client": client.id}).one_or_none()
    if found is None:
        raise NobodyToWriteTo(f"client {client.name!r} has no contact that may be written to; see: contacts add")
    contact = session.get_one(Contact, found.id)
    account = account_of(session, client.id, today=local_day(now, client.timezone), now=now)
    if not account.asks_for_money:
        raise NotAnyMore("nothing is asked for")
    mailing_id = uuid.UUID(int=0)
    name = message_id(mailing_id, 1, terms.business.from_email)
    mailing = Mailing(id=mailing_id, message_id=name, token=LEADS_NOWHERE)
    reader = Addressee(contact.name, contact.email, contact.locale or client.locale, LEADS_NOWHERE)
    return Preview(reader, _write(mailing, reader, account, terms=terms, now=now))


def _write(mailing: Mailing, reader: Addressee, account: Account, *, terms: Terms, now: datetime) -> Composed:
    def subject(voice: Voice) -> str:
        return voice("statement.subject", business=terms.business.name, date=voice.day(account.on))

    values = {"subject": subject, "account": account, "page_url": f"{terms.base_url}/s/{mailing.token}"}
    return compose(mailing, reader, "statement", values, terms=terms, now=now)
