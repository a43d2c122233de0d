"""Who reads such a message at a client, and whether it may go to them now."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from nudgepay.invoices.models import Contact
from nudgepay.invoices.queries import lock_client
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.mailings.composing import NotAnyMore, NotNow
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.mailings.rendering import Addressee
from nudgepay.nudges.suppressions import suppressed_for
from nudgepay.nudges.switch import is_paused
from nudgepay.nudges.terms import Terms

LOOK_AGAIN = timedelta(minutes=10)


def reader_at_client(session: Session, mailing: Mailing, *, terms: Terms, now: datetime) -> Addressee:
    """The contact, under the client's lock; raises NotAnyMore when they are not written to any more.

    Raises NotNow while sending is paused, at night, on weekends and on holidays of the client's country.
    """
    client = lock_client(session, mailing.client_id or 0)
    contact = session.get(Contact, mailing.contact_id)
    if contact is None or contact.removed_at is not None or contact.wrong_person_at is not None:
        raise NotAnyMore("the contact has changed")
    if contact.email != mailing.to_address:
        raise NotAnyMore("the contact has changed")
    if suppressed_for(session, contact.email):
        raise NotAnyMore("the address is not written to any more")
    window = calendar_now(session, terms.calendar).window(now, client.country, contact.timezone or client.timezone)
    if not window.is_open:
        raise NotNow(window.reason or "outside_window", window.opens_at)
    if is_paused(session):
        raise NotNow("sending_paused", now + LOOK_AGAIN)
    return Addressee(contact.name, contact.email, contact.locale or client.locale, contact.token)
