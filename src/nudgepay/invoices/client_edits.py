"""Edits of clients and their contacts: against the version that was seen, audited without names and addresses.

An edit of a contact touches neither its suppressions nor that somebody called it the wrong person: those end by
acts of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import Conflict, NotFound
from nudgepay.invoices.actions import VersionConflict, wake
from nudgepay.invoices.checking import Fields
from nudgepay.invoices.models import Client, Contact
from nudgepay.invoices.queries import lock_client
from nudgepay.invoices.validation import (
    FieldError,
    clean_country,
    clean_email,
    clean_line,
    clean_locale,
    clean_timezone,
)
from nudgepay.money import MAX_MINOR_UNITS

ROLES = ("billing", "approver", "copy")
MAX_EXTERNAL_ID = 200
PERSONAL = frozenset({"name", "email"})
"""Fields of which the audit says only that they changed."""


class ContactRemoved(Conflict):
    """The contact was removed meanwhile."""


@dataclass(frozen=True, slots=True)
class ClientDetails:
    """What a form says of a client; texts as typed."""

    name: str
    locale: str
    timezone: str
    country: str
    external_id: str = ""

    def checked(self) -> "ClientDetails":
        """The details in their normal form; raises FieldErrors."""
        fields = Fields()
        made = ClientDetails(
            name=fields.take(lambda: clean_line(self.name, "name"), ""),
            locale=fields.take(lambda: clean_locale(self.locale), ""),
            timezone=fields.take(lambda: clean_timezone(self.timezone), ""),
            country=fields.take(lambda: clean_country(self.country), ""),
            external_id=fields.take(lambda: _optional_line(self.external_id, "external_id"), ""),
        )
        fields.ensure()
        return made


@dataclass(frozen=True, slots=True)
class ContactDetails:
    """What a form says of a person at a client; without locale or zone the client's hold."""

    name: str
    email: str
    role: str = "billing"
    locale: str = ""
    timezone: str = ""

    def checked(self) -> "ContactDetails":
        """The details in their normal form; raises FieldErrors."""
        fields = Fields()
        made = ContactDetails(
            name=fields.take(lambda: clean_line(self.name, "contact_name"), ""),
            email=fields.take(lambda: clean_email(self.email), ""),
            role=fields.take(lambda: _role(self.role), ""),
            locale=fields.take(lambda: clean_locale(self.locale) if self.locale else "", ""),
            timezone=fields.take(lambda: clean_timezone(self.timezone) if self.timezone else "", ""),
        )
        fields.ensure()
        return made


def edit_client(
    session: Session, client_id: int, details: ClientDetails, *, expected: int, now: datetime, actor: str
) -> Client:
    """Change who the client is; raises FieldErrors, NotFound, VersionConflict.

    Its invoices are planned anew: zone and country decide when a letter may go.
    """
    checked = details.checked()
    client = lock_client(session, client_id)
    _ensure_seen(client.version, expected, "the client")
    if checked.external_id and checked.external_id != client.external_id:
        _ensure_free(session, checked.external_id)
    values = {
        "name": checked.name,
        "locale": checked.locale,
        "timezone": checked.timezone,
        "country": checked.country,
        "external_id": checked.external_id or None,
    }
    _change(session, client, values, subject=f"clients:{client_id}", action="client.edit", actor=actor)
    wake(session, now=now, client_id=client_id)
    return client


def edit_chasing(
    session: Session,
    client_id: int,
    *,
    schedule_name: str | None,
    tolerance: Mapping[str, int],
    expected: int,
    now: datetime,
    actor: str,
) -> Client:
    """Change by which schedule the client is chased, and what is too little for a letter (minor units by currency).

    Whoever calls knows that the schedule exists. Raises FieldError, NotFound, VersionConflict.
    """
    for currency, minor in tolerance.items():
        if not 0 <= minor <= MAX_MINOR_UNITS:
            raise FieldError("tolerance", "out_of_range", f"{currency}: must be 0 or more")
    client = lock_client(session, client_id)
    _ensure_seen(client.version, expected, "the client")
    values = {"schedule_name": schedule_name, "tolerance": {key: value for key, value in tolerance.items() if value}}
    _change(session, client, values, subject=f"clients:{client_id}", action="client.chasing", actor=actor)
    wake(session, now=now, client_id=client_id)
    return client


def switch_autopay(session: Session, client_id: int, *, on: bool, now: datetime, actor: str) -> Client:
    """Say whether the client's invoices are debited by themselves, so that nobody asks for them. Raises NotFound."""
    client = lock_client(session, client_id)
    if client.autopay != on:
        _change(
            session, client, {"autopay": on}, subject=f"clients:{client_id}", action="client.autopay", actor=actor
        )
        wake(session, now=now, client_id=client_id)
    return client


def pause_client(session: Session, client_id: int, *, until: date | None, now: datetime, actor: str) -> Client:
    """Silence for the whole client through `until` (a day of the client; None: until unpaused). Raises NotFound."""
    client = lock_client(session, client_id)
    values = {"paused_until": until or date.max}
    _change(session, client, values, subject=f"clients:{client_id}", action="client.pause", actor=actor)
    wake(session, now=now, client_id=client_id)
    return client


def unpause_client(session: Session, client_id: int, *, now: datetime, actor: str) -> Client:
    """End a pause at once. Raises NotFound."""
    client = lock_client(session, client_id)
    if client.paused_until is not None:
        values = {"paused_until": None}
        _change(session, client, values, subject=f"clients:{client_id}", action="client.unpause", actor=actor)
        wake(session, now=now, client_id=client_id)
    return client


def edit_contact(
    session: Session, contact_id: int, details: ContactDetails, *, expected: int, now: datetime, actor: str
) -> Contact:
    """Change who is written to. What blocks an address stays with the address, and so does a wrong person.

    Raises FieldErrors, FieldError for an address that the client has already, NotFound, VersionConflict.
    """
    checked = details.checked()
    contact = locked_contact(session, contact_id)
    if contact.removed_at is not None:
        raise ContactRemoved("this contact was removed meanwhile; add it again")
    _ensure_seen(contact.version, expected, "the contact")
    if checked.email != contact.email:
        _ensure_new_address(session, contact.client_id, checked.email, but=contact_id)
    values = {
        "name": checked.name,
        "email": checked.email,
        "role": checked.role,
        "locale": checked.locale or None,
        "timezone": checked.timezone or None,
    }
    _change(session, contact, values, subject=f"contacts:{contact_id}", action="contact.edit", actor=actor)
    wake(session, now=now, client_id=contact.client_id)
    return contact


def locked_contact(session: Session, contact_id: int) -> Contact:
    """The contact as it stands, under its client's lock; raises NotFound."""
    contact = session.get(Contact, contact_id)
    if contact is None:
        raise NotFound(f"there is no contact {contact_id}")
    lock_client(session, contact.client_id)
    session.refresh(contact)
    return contact


def _change(
    session: Session, row: Client | Contact, values: Mapping[str, Any], *, subject: str, action: str, actor: str
) -> None:
    """Set what differs; the audit has the values of what is no personal datum, and the names of the rest."""
    before = {name: getattr(row, name) for name, value in values.items() if getattr(row, name) != value}
    if not before:
        return
    for name in before:
        setattr(row, name, values[name])
    row.version += 1
    session.flush()
    audit.record(
        session,
        actor=actor,
        action=action,
        subject=subject,
        before={name: _told(value) for name, value in before.items() if name not in PERSONAL},
        after={
            **{name: _told(values[name]) for name in before if name not in PERSONAL},
            "changed": sorted(before),
            "version": row.version,
        },
    )


def _told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _ensure_seen(version: int, expected: int, what: str) -> None:
    if version != expected:
        raise VersionConflict(f"{what} was changed meanwhile; look at it again")


def _ensure_free(session: Session, external_id: str) -> None:
    if session.scalar(select(Client.id).where(Client.external_id == external_id)) is not None:
        raise FieldError("external_id", "taken", "another client has this key")


def _ensure_new_address(session: Session, client_id: int, address: str, *, but: int) -> None:
    same = select(Contact.id).where(
        Contact.client_id == client_id, func.lower(Contact.email) == address.lower(), Contact.id != but
    )
    if session.scalar(same) is not None:
        raise FieldError("email", "address_taken", "the client has, or had, another contact with this address")


def _optional_line(value: str, field: str) -> str:
    return clean_line(value, field, longest=MAX_EXTERNAL_ID) if value.strip() else ""


def _role(value: str) -> str:
    if value not in ROLES:
        raise FieldError("role", "unknown_role", "must be billing, approver or copy")
    return value
