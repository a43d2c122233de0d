"""Sessions of operators: opaque, stored hashed, dead after a while without use and at the latest after a day's work.

Ages are judged by the database's clock, the same for every process.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.access.factors import HAS_ONE
from nudgepay.access.permissions import PERMISSIONS, Permission, Role

TOUCH_SECONDS = 60
"""A session's last use is written down no more often than this."""
MOST = 10
"""Sessions that one person may have at once; with one more the oldest ends."""
LONGEST_AGENT = 300


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
    has_second_factor: bool

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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session is begun: the browser's own words for itself, and the network, shortened."""

    user_agent: str
    network: str


_FIND = f"""
SELECT s.id, s.operator_id, o.email, o.role, o.locale, o.timezone, o.theme, s.proven_at, now() AS asked_at,
       s.seen_at < now() - make_interval(secs => :touch) AS is_stale, {HAS_ONE} AS has_second_factor
  FROM sessions s JOIN operators o ON o.id = s.operator_id
 WHERE s.token_hash = :hash AND o.disabled_at IS NULL
   AND s.ends_at > now() AND s.seen_at > now() - make_interval(mins => :idle)
"""  # noqa: S608  # a constant of ours
_START = """
INSERT INTO sessions (token_hash, operator_id, ends_at, user_agent, network)
VALUES (:hash, :operator_id, now() + make_interval(hours => :hours), :user_agent, :network)
"""
_END_OLDEST = """
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE operator_id = :operator_id ORDER BY started_at DESC, id DESC OFFSET :most)
"""
_LIVE = """
SELECT id, started_at, seen_at, user_agent, network FROM sessions
 WHERE operator_id = :operator_id AND ends_at > now() AND seen_at > now() - make_interval(mins => :idle)
 ORDER BY seen_at DESC, id DESC
"""


def start_session(session: Session, operator_id: int, *, hours: int, place: Place | None = None) -> str:
    """A new session of at most `hours`; returns the token for the cookie, which is stored nowhere."""
    token = secrets.token_urlsafe(32)
    values = {
        "hash": _hash(token),
        "operator_id": operator_id,
        "hours": hours,
        "user_agent": place and place.user_agent[:LONGEST_AGENT].replace("\x00", ""),
        "network": place and place.network,
    }
    session.execute(text(_START), values)
    session.execute(text(_END_OLDEST), {"operator_id": operator_id, "most": MOST})
    return token


def find_session(session: Session, token: str, *, idle_minutes: int) -> SignedIn | None:
    """Who this token belongs to now; notes the use of the session. None when it is unknown or over."""
    query = {"hash": _hash(token), "idle": idle_minutes, "touch": TOUCH_SECONDS}
    row = session.execute(text(_FIND), query).one_or_none()
    if row is None:
        return None
    if row.is_stale:
        session.execute(text("UPDATE sessions SET seen_at = now() WHERE id = :id"), {"id": row.id})
    return SignedIn(
        session_id=row.id,
        session_key=key_of(token),
        operator_id=row.operator_id,
        email=row.email,
        role=Role(row.role),
        locale=row.locale,
        timezone=row.timezone,
        theme=row.theme,
        proven_at=row.proven_at,
        asked_at=row.asked_at,
        has_second_factor=row.has_second_factor,
    )


def renew_session(session: Session, session_id: int) -> str:
    """The same session, proven now, under a new token, which is returned; the old one is worth nothing."""
    token = secrets.token_urlsafe(32)
    session.execute(
        text("UPDATE sessions SET token_hash = :hash, proven_at = now() WHERE id = :id"),
        {"hash": _hash(token), "id": session_id},
    )
    return token


def key_of(token: str) -> str:
    """What a session's forms are bound to."""
    return _hash(token).hex()


def unprove_sessions_of(session: Session, operator_id: int) -> None:
    """What is sensitive asks again, of somebody who may do more from now on: a copied cookie may not."""
    session.execute(
        text("UPDATE sessions SET proven_at = to_timestamp(0) WHERE operator_id = :id"), {"id": operator_id}
    )


def live_sessions(session: Session, operator_id: int, *, idle_minutes: int) -> Sequence[Row[tuple[object, ...]]]:
    """Where somebody is signed in, by last use."""
    return session.execute(text(_LIVE), {"operator_id": operator_id, "idle": idle_minutes}).all()


def end_session(session: Session, session_id: int) -> None:
    """Sign out: the token is worth nothing from now on."""
    session.execute(text("DELETE FROM sessions WHERE id = :id"), {"id": session_id})


def end_session_with(session: Session, token: str) -> None:
    """End the session of this token, if there is one."""
    session.execute(text("DELETE FROM sessions WHERE token_hash = :hash"), {"hash": _hash(token)})


def end_session_of(session: Session, operator_id: int, session_id: int) -> bool:
    """End one session of this operator; False when it is none of theirs."""
    gone = session.execute(
        text("DELETE FROM sessions WHERE id = :id AND operator_id = :operator_id RETURNING id"),
        {"id": session_id, "operator_id": operator_id},
    )
    return gone.first() is not None


def end_sessions_of(session: Session, operator_id: int, *, but: int | None = None) -> int:
    """Sign an operator out everywhere, but perhaps in one session; returns how many ended."""
    ended = session.execute(
        text("DELETE FROM sessions WHERE operator_id = :id AND id IS DISTINCT FROM :but RETURNING id"),
        {"id": operator_id, "but": but},
    )
    return len(ended.all())


def forget_ended_sessions(session: Session, *, idle_minutes: int, most: int) -> int:
    """Drop sessions that nobody can go on with; returns how many."""
    gone = session.execute(
        text(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ends_at < now()"
            " OR seen_at < now() - make_interval(mins => :idle) LIMIT :most) RETURNING id"
        ),
        {"idle": idle_minutes, "most": most},
    )
    return len(gone.all())


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
