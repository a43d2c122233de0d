"""Operators who work here, each as a request of theirs would find them."""

from sqlalchemy.orm import Session

from nudgepay.access.models import Operator
from nudgepay.access.permissions import Role
from nudgepay.access.sessions import SignedIn, find_session, start_session

NO_PASSWORD = "$2b$04$" + "." * 53


def working(session: Session, name: str, role: Role = Role.SUPERADMIN) -> SignedIn:
    """A new operator with a session of an hour, made by nobody who could ask for anything."""
    made = Operator(email=f"{name}@desk.example", password_hash=NO_PASSWORD, role=role, created_by="test")
    session.add(made)
    session.flush()
    return as_of_now(session, made.id)


def as_of_now(session: Session, operator_id: int) -> SignedIn:
    """The same person with whatever role they have by now."""
    found = find_session(session, start_session(session, operator_id, hours=1), idle_minutes=60)
    assert found is not None
    return found
