"""Operators: the first one from the settings, the others by hand."""

import re
from collections.abc import Iterable

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.access import recovery_codes, totp
from nudgepay.access.known_devices import forget_devices
from nudgepay.access.models import Operator
from nudgepay.access.passwords import hash_password
from nudgepay.access.permissions import PERMISSIONS, Role
from nudgepay.access.sessions import end_sessions_of, unprove_sessions_of
from nudgepay.errors import Conflict, NotFound, UsageError

ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
LONGEST_ADDRESS = 254
SETTINGS = "settings"


class LastSuperadmin(Conflict):
    """Nobody would be left who may do everything."""


def clean_address(email: str) -> str:
    """The address in small letters; raises UsageError."""
    found = email.strip().lower()
    if len(found) > LONGEST_ADDRESS or not ADDRESS.fullmatch(found):
        raise UsageError("email: is not one e-mail address such as name@example.com")
    return found


def ensure_first_operator(
    session: Session, *, email: str, password_hash: str, totp_secret: str | None = None
) -> bool:
    """The superadmin that the settings name, made once: afterwards a row like any other. True when it is new."""
    row = {"email": clean_address(email), "password_hash": password_hash}
    statement = insert(Operator).values(**row, role=Role.SUPERADMIN, created_by=SETTINGS)
    made = session.scalar(statement.on_conflict_do_nothing().returning(Operator.id))
    if made is not None:
        audit.record(session, actor=SETTINGS, action="operator.create", subject=f"operators:{made}")
        if totp_secret is not None:
            totp.enrol(session, made, totp_secret, actor=SETTINGS)
    return made is not None


def has_operators(session: Session) -> bool:
    """True when there is one, working or not."""
    return session.scalar(select(Operator.id).limit(1)) is not None


def add_operator(
    session: Session, *, email: str, password: str, role: Role, actor: str, known: Iterable[str] = ()
) -> Operator:
    """A new operator; raises Conflict for a known address and UsageError for an unfit address or password.

    `known`: what makes a password easy to guess, beside the address.
    """
    address = clean_address(email)
    if session.scalar(select(Operator.id).where(Operator.email == address)):
        raise Conflict(f"{address} is an operator already; see: nudgepay operators list")
    made = Operator(
        email=address, password_hash=hash_password(password, known=[address, *known]), role=role, created_by=actor
    )
    session.add(made)
    session.flush()
    after = {"role": str(role)}
    audit.record(session, actor=actor, action="operator.create", subject=f"operators:{made.id}", after=after)
    return made


def names_of(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """The address of each actor who is an operator, by the actor's name in the audit log (`operator:7`)."""
    ids = {int(number) for kind, _, number in (actor.partition(":") for actor in actors) if kind == "operator"}
    found = session.execute(select(Operator.id, Operator.email).where(Operator.id.in_(ids))) if ids else ()
    return {f"operator:{number}": email for number, email in found}


def operator_by_email(session: Session, email: str) -> Operator:
    """The operator with this address; raises NotFound."""
    found = session.scalar(select(Operator).where(Operator.email == clean_address(email)))
    if found is None:
        raise NotFound(f"there is no operator {email!r}; see: nudgepay operators list")
    return found


def operator_by_id(session: Session, operator_id: int) -> Operator:
    """The operator; raises NotFound."""
    found = session.get(Operator, operator_id, populate_existing=True)
    if found is None:
        raise NotFound("there is no such operator")
    return found


def change_role(session: Session, operator: Operator, role: Role, *, actor: str) -> None:
    """Give another role; it counts from the next request on. Raises LastSuperadmin."""
    before = {"role": operator.role}
    if role is not Role.SUPERADMIN:
        ensure_another_superadmin(session, operator)
    if PERMISSIONS[role] > PERMISSIONS[Role(operator.role)]:
        unprove_sessions_of(session, operator.id)
    operator.role = role
    subject = f"operators:{operator.id}"
    audit.record(session, actor=actor, action="operator.role", subject=subject, before=before, after={"role": role})


def change_password(
    session: Session,
    operator: Operator,
    password: str,
    *,
    actor: str,
    known: Iterable[str] = (),
    but_session: int | None = None,
    but_device: str | None = None,
) -> None:
    """Give another password; sessions end and devices are forgotten, but perhaps those in which it happens.

    Raises UsageError for an unfit one.
    """
    operator.password_hash = hash_password(password, known=[operator.email, *known])
    session.flush()
    end_sessions_of(session, operator.id, but=but_session)
    forget_devices(session, operator.id, but=but_device)
    audit.record(session, actor=actor, action="operator.password", subject=f"operators:{operator.id}")


def reset_second_factor(session: Session, operator: Operator, *, actor: str) -> bool:
    """Phone and codes are lost: ask for neither, and end every session. False when there was no second factor."""
    had_one = totp.forget(session, operator.id, actor=actor)
    recovery_codes.forget(session, operator.id)
    end_sessions_of(session, operator.id)
    return had_one


def disable_operator(session: Session, operator: Operator, *, actor: str) -> None:
    """End every session and let nobody sign in so again. Raises LastSuperadmin."""
    ensure_another_superadmin(session, operator)
    session.execute(update(Operator).where(Operator.id == operator.id).values(disabled_at=func.now()))
    end_sessions_of(session, operator.id)
    forget_devices(session, operator.id)
    before = {"role": operator.role}
    audit.record(session, actor=actor, action="operator.disable", subject=f"operators:{operator.id}", before=before)


def enable_operator(session: Session, operator: Operator, *, actor: str) -> None:
    """Let somebody who was disabled sign in again, in the old role."""
    session.execute(update(Operator).where(Operator.id == operator.id).values(disabled_at=None))
    after = {"role": operator.role}
    audit.record(session, actor=actor, action="operator.enable", subject=f"operators:{operator.id}", after=after)


def ensure_another_superadmin(session: Session, operator: Operator) -> None:
    """Raises LastSuperadmin when nobody else who works here may do everything."""
    working = select(Operator.id).where(Operator.role == Role.SUPERADMIN, Operator.disabled_at.is_(None))
    ids = set(session.scalars(working.order_by(Operator.id).with_for_update()))
    if ids == {operator.id}:
        raise LastSuperadmin(f"{operator.email} is the last superadmin: make another one first")


def choose_taste(
    session: Session, operator_id: int, *, locale: str | None, timezone: str | None, theme: str | None
) -> None:
    """One's own language, IANA time zone and colours (`light`, `dark`); None leaves the choice to the device."""
    values = {"locale": locale, "timezone": timezone, "theme": theme}
    session.execute(update(Operator).where(Operator.id == operator_id).values(**values))
