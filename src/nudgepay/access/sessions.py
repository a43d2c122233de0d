"""Sessions of operators: opaque, stored hashed, dead after a while without use and at the latest after a day's work.

Ages are judged by the database's clock, the same for every process.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.access.permissions import PERMISSIONS, Permission, Role

TOUCH_SECONDS = 60
"""A session's last use is written down no more often than this."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks, as of this request. `locale`, `timezone` and `theme` are None where the person chose nothing.

    `proven_at` is when the person last gave password and code, `asked_at` when this was read: the database's clock.
    """

    session_id: int
    session_key: str
    operator_id: int
    email: str
    role: Role
    locale: str | None
    timezone: str | None
    theme: str | None
    proven_at: datetime
    asked_at: datetime

    @property
    def actor(self) -> str:
        """The name under which acts are recorded."""
        return f"operator:{self.operator_id}"

    def may(self, permission: Permission | str) -> bool:
        """True when the role holds the permission."""
        return permission in PERMISSIONS[self.role]

    def is_proven_within(self, *, minutes: int) -> bool:
        """True when the last proof of who it is is no older."""
        return self.asked_at - self.proven_at < timedelta(minutes=minutes)


_FIND = """
SELECT s.id, s.operator_id, o.email, o.role, o.locale, o.timezone, o.theme, s.proven_at, now() AS asked_at,
       s.seen_at < now() - make_interval(secs => :touch) AS is_stale
  FROM sessions s JOIN operators o ON o.id = s.operator_id
 WHERE s.token_hash = :hash AND o.disabled_at IS NULL
   AND s.ends_at > now() AND s.seen_at > now() - make_interval(mins => :idle)
"""


def start_session(session: Session, operator_id: int, *, hours: int) -> str:
    """A new session of at most `hours`; returns the token for the cookie, which is stored nowhere."""
    token = secrets.token_urlsafe(32)
    session.execute(
        text(
            "INSERT INTO sessions (token_hash, operator_id, ends_at)"
            " VALUES (:hash, :operator_id, now() + make_interval(hours => :hours))"
        ),
        {"hash": _hash(token), "operator_id": operator_id, "hours": hours},
    )
    return token


def find_session(session: Session, token: str, *, idle_minutes: int) -> SignedIn | None:
    """Who this token belongs to now; notes the use of the session. None when it is unknown or over."""
    hashed = _hash(token)
    query = {"hash": hashed, "idle": idle_minutes, "touch": TOUCH_SECONDS}
    row = session.execute(text(_FIND), query).one_or_none()
    if row is None:
        return None
    if row.is_stale:
        session.execute(text("UPDATE sessions SET seen_at = now() WHERE id = :id"), {"id": row.id})
    return SignedIn(
        session_id=row.id,
        session_key=hashed.hex(),
        operator_id=row.operator_id,
        email=row.email,
        role=Role(row.role),
        locale=row.locale,
        timezone=row.timezone,
        theme=row.theme,
        proven_at=row.proven_at,
        asked_at=row.asked_at,
    )


def renew_session(session: Session, session_id: int) -> str:
    """The same session, proven now, under a new token, which is returned; the old one is worth nothing."""
    token = secrets.token_urlsafe(32)
    session.execute(
        text("UPDATE sessions SET token_hash = :hash, proven_at = now() WHERE id = :id"),
        {"hash": _hash(token), "id": session_id},
    )
    return token


def end_session(session: Session, session_id: int) -> None:
    """Sign out: the token is worth nothing from now on."""
    session.execute(text("DELETE FROM sessions WHERE id = :id"), {"id": session_id})


def end_sessions_of(session: Session, operator_id: int) -> None:
    """Sign an operator out everywhere."""
    session.execute(text("DELETE FROM sessions WHERE operator_id = :id"), {"id": operator_id})


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
