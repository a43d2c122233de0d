"""Who at a client can be written to; and "I am not the right person": the owner finds out who is."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.invoices.actions import VersionConflict, wake
from nudgepay.invoices.client_edits import locked_contact
from nudgepay.invoices.models import Contact


def has_recipient(session: Session, client_id: int) -> bool:
    """True when somebody at the client can be written to."""
    query = text(
        "SELECT EXISTS (SELECT FROM contacts k WHERE client_id = :client AND role <> 'copy'"
        " AND wrong_person_at IS NULL AND removed_at IS NULL AND NOT EXISTS ("
        "     SELECT FROM suppressions s WHERE s.address = lower(k.email) AND s.lifted_at IS NULL))"
    )
    return bool(session.scalar(query, {"client": client_id}))


def mark_wrong_person(session: Session, *, contact_id: int, now: datetime, actor: str, source: str) -> Contact:
    """Note that letters reach the wrong person; a second time changes nothing. Raises NotFound."""
    contact = locked_contact(session, contact_id)
    if contact.wrong_person_at is not None:
        return contact
    contact.wrong_person_at = now
    details = {"contact_id": contact_id, "client_id": contact.client_id}
    ledger.notice(session, "contact.wrong_person", _notice_key(contact_id), details)
    audit.record(session, actor=actor, action="contact.wrong_person", subject=f"contacts:{contact_id}", origin=source)
    wake(session, now=now, client_id=contact.client_id)
    return contact


def confirm_person(session: Session, *, contact_id: int, now: datetime, actor: str) -> Contact:
    """A person of ours says that the contact is right after all. Raises NotFound."""
    contact = locked_contact(session, contact_id)
    if contact.wrong_person_at is None:
        return contact
    before = {"wrong_person_at": contact.wrong_person_at.isoformat()}
    contact.wrong_person_at = None
    ledger.resolve_notice(session, _notice_key(contact_id), actor=actor)
    audit.record(session, actor=actor, action="contact.confirm", subject=f"contacts:{contact_id}", before=before)
    wake(session, now=now, client_id=contact.client_id)
    return contact


def remove_contact(session: Session, *, contact_id: int, expected: int, now: datetime, actor: str) -> Contact:
    """Write to this person no more; the row stays for the letters that it had. Raises NotFound, VersionConflict.

    Removed twice is removed once. Whether the address is blocked is another matter and stays as it is.
    """
    contact = locked_contact(session, contact_id)
    if contact.removed_at is not None:
        return contact
    if contact.version != expected:
        raise VersionConflict("the contact was changed meanwhile; look at it again")
    contact.removed_at = now
    contact.version += 1
    ledger.resolve_notice(session, _notice_key(contact_id), actor=actor)
    audit.record(session, actor=actor, action="contact.remove", subject=f"contacts:{contact_id}")
    wake(session, now=now, client_id=contact.client_id)
    return contact


def restore_contact(session: Session, *, contact_id: int, now: datetime, actor: str) -> Contact:
    """Take a removal back; a wrong person is still one. Raises NotFound."""
    contact = locked_contact(session, contact_id)
    if contact.removed_at is None:
        return contact
    contact.removed_at = None
    contact.version += 1
    if contact.wrong_person_at is not None:
        details = {"contact_id": contact_id, "client_id": contact.client_id}
        ledger.notice(session, "contact.wrong_person", _notice_key(contact_id), details)
    audit.record(session, actor=actor, action="contact.restore", subject=f"contacts:{contact_id}")
    wake(session, now=now, client_id=contact.client_id)
    return contact


def _notice_key(contact_id: int) -> str:
    return f"contact.wrong_person:{contact_id}"
