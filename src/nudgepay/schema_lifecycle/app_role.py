"""The role in which the application works, so that the audit log can only grow: given rights by migrations."""

from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from nudgepay.db import APP_ROLE, Database

CURE = (
    "As a superuser: CREATE ROLE nudgepay_app; GRANT nudgepay_app TO the login of DATABASE_URL; then nudgepay migrate"
)


@dataclass(frozen=True, slots=True)
class RoleState:
    """How a connection of the application works. `may_leave`: its login owns the log, or may do everything."""

    is_in_force: bool
    may_leave: bool
    login: str


def grant_app_role(connection: Connection) -> str | None:
    """Make the role and give it its rights anew, where this login may; returns why not. Part of every migration."""
    if connection.scalar(text("SELECT to_regprocedure('public.grant_app_role()')")) is None:
        return None
    trouble: str | None = connection.scalar(text("SELECT public.grant_app_role()"))
    return trouble


def role_state(session: Session) -> RoleState:
    """How this connection works."""
    return RoleState(*session.execute(text(_STATE), {"role": APP_ROLE}).one())


def app_role_trouble(db: Database) -> str | None:
    """Why the role is not in force, with the cure; None when it is."""
    with db.connection() as connection:
        row = connection.execute(text(_STATE), {"role": APP_ROLE}).one()
    return None if row[0] else f"works with all rights of {row.login}: it could change the audit log. {CURE}"


_STATE = """
SELECT current_user = :role AS is_in_force,
       (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
           OR pg_has_role(session_user, (SELECT relowner FROM pg_class
                                          WHERE oid = to_regclass('public.audit_events')), 'USAGE') AS may_leave,
       session_user AS login
"""
