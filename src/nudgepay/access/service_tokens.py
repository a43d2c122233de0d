"""Tokens of programs: `npt_PREFIX_SECRET`. They read what their scopes name, until they expire or are revoked.

Who made a token stands for it: it never may more than that operator may now, and is dead while they are disabled.
"""

import re
import secrets
import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.access.delegation import ServiceToken
from nudgepay.access.models import Operator
from nudgepay.access.peppers import Pepper
from nudgepay.access.permissions import PERMISSIONS, Permission, Role
from nudgepay.access.sessions import SignedIn
from nudgepay.errors import Conflict, NotFound, NudgePayError, UsageError

SCOPES: tuple[Permission, ...] = (Permission.BOOKS_EXPORT, Permission.AUDIT_READ)
"""What a program may be given. None of them changes anything."""
DEFAULT_DAYS, LONGEST_DAYS = 90, 365
LONGEST_NAME = 60
MOST = 50
"""Living tokens of an installation: beyond these nobody knows any more what each is for."""
TOUCH_SECONDS = 60
PREFIX_LENGTH, SECRET_LENGTH = 10, 43
LETTERS = string.ascii_letters + string.digits
WRITTEN = re.compile(rf"npt_([A-Za-z0-9]{{{PREFIX_LENGTH}}})_([A-Za-z0-9]{{{SECRET_LENGTH}}})")


class MoreThanOwn(NudgePayError):
    """Nobody hands on what they have not."""

    status = 403


class TooManyTokens(Conflict):
    """Revoke one first."""


@dataclass(frozen=True, slots=True)
class Program:
    """Who asks with a token, as of this request."""

    token_id: int
    name: str
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """The name under which acts are recorded."""
        return f"token:{self.token_id}"

    def may(self, permission: Permission | str) -> bool:
        """True when the token was given it and who made it still has it."""
        return permission in self.scopes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person says of a token that shall be made."""

    name: str
    scopes: Collection[str]
    days: int = DEFAULT_DAYS


def make_token(
    session: Session, wanted: Wanted, *, by: SignedIn, peppers: Sequence[Pepper]
) -> tuple[ServiceToken, str]:
    """A token and, this once, what a program must send. Raises UsageError, MoreThanOwn and TooManyTokens."""
    scopes = _clean(wanted)
    if missing := [scope for scope in scopes if not by.may(scope)]:
        raise MoreThanOwn(f"you do not have {', '.join(missing)} yourself")
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('service_tokens'))"))
    if _count_living(session) >= MOST:
        raise TooManyTokens(f"there are {MOST} tokens that work: revoke one that is not used")
    prefix, secret = _random(PREFIX_LENGTH), _random(SECRET_LENGTH)
    made = ServiceToken(
        prefix=prefix,
        secret_hash=peppers[0].hash(secret),
        pepper_id=peppers[0].id,
        name=" ".join(wanted.name.split()),
        scopes=scopes,
        created_by=by.operator_id,
        expires_at=func.now() + timedelta(days=wanted.days),
    )
    session.add(made)
    session.flush()
    session.refresh(made)
    after = {"scopes": scopes, "days": wanted.days, "prefix": prefix}
    audit.record(session, actor=by.actor, action="token.create", subject=f"service_tokens:{made.id}", after=after)
    return made, f"npt_{prefix}_{secret}"


def _clean(wanted: Wanted) -> list[str]:
    name = " ".join(wanted.name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(f"name: say what the token is for, in 1 to {LONGEST_NAME} characters")
    if not 1 <= wanted.days <= LONGEST_DAYS:
        raise UsageError(f"days: a token lives 1 to {LONGEST_DAYS} days")
    scopes = sorted(set(wanted.scopes))
    if not scopes or any(scope not in SCOPES for scope in scopes):
        raise UsageError(f"scopes: choose among {', '.join(SCOPES)}")
    return scopes


def _count_living(session: Session) -> int:
    living = (ServiceToken.revoked_at.is_(None), ServiceToken.expires_at > func.now())
    return session.scalar(select(func.count()).where(*living)) or 0


def _random(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))


_FIND = """
SELECT t.id, t.name, t.secret_hash, t.pepper_id, t.scopes, o.role,
       t.last_used_at IS NULL OR t.last_used_at < now() - make_interval(secs => :touch) AS is_stale
  FROM service_tokens t JOIN operators o ON o.id = t.created_by
 WHERE t.prefix = :prefix AND t.revoked_at IS NULL AND t.expires_at > now() AND o.disabled_at IS NULL
"""
NOBODYS = b"\x00" * 32
"""Compared when there is no such token, so that a known prefix is not told by time."""


def find_program(session: Session, written: str, *, peppers: Sequence[Pepper]) -> Program | None:
    """Who this token belongs to now; notes the use of it. None when it is unknown, wrong, over, revoked or orphaned.

    What an older pepper hashed is hashed anew with the one in use.
    """
    found = WRITTEN.fullmatch(written)
    if found is None:
        return None
    prefix, secret = found.groups()
    row = session.execute(text(_FIND), {"prefix": prefix, "touch": TOUCH_SECONDS}).one_or_none()
    pepper = _accepted(peppers, row)
    is_known = (pepper or peppers[0]).matches(secret, row.secret_hash if row and pepper else NOBODYS)
    if row is None or pepper is None or not is_known:
        return None
    if pepper.id != peppers[0].id:
        _hash_anew(session, row, secret, peppers[0])
    if row.is_stale:
        session.execute(text("UPDATE service_tokens SET last_used_at = now() WHERE id = :id"), {"id": row.id})
    held = {str(permission) for permission in PERMISSIONS[Role(row.role)]}
    return Program(row.id, row.name, frozenset(row.scopes) & held)


def _accepted(peppers: Sequence[Pepper], row: Row[Any] | None) -> Pepper | None:
    return next((one for one in peppers if row is not None and one.id == row.pepper_id), None)


def _hash_anew(session: Session, row: Row[Any], secret: str, pepper: Pepper) -> None:
    session.execute(
        update(ServiceToken)
        .where(ServiceToken.id == row.id, ServiceToken.pepper_id == row.pepper_id)
        .values(secret_hash=pepper.hash(secret), pepper_id=pepper.id)
    )


@dataclass(frozen=True, slots=True)
class Known:
    """A token in a list.

    `state`: working, expired, revoked, orphaned (who made it is disabled), unreadable (its pepper is gone).
    """

    id: int
    prefix: str
    name: str
    scopes: tuple[str, ...]
    creator: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    state: str


def known_tokens(session: Session, *, peppers: Sequence[Pepper], now: datetime, limit: int = 200) -> list[Known]:
    """Every token, the newest first; those that work before those that do not."""
    query = (
        select(ServiceToken, Operator.email, Operator.disabled_at)
        .join(Operator, Operator.id == ServiceToken.created_by)
        .order_by(ServiceToken.revoked_at.is_not(None), ServiceToken.expires_at < func.now(), ServiceToken.id.desc())
    )
    accepted = {one.id for one in peppers}
    return [
        Known(
            one.id,
            one.prefix,
            one.name,
            tuple(one.scopes),
            email,
            one.created_at,
            one.expires_at,
            one.last_used_at,
            one.revoked_at,
            _state(one, is_orphaned=disabled_at is not None, is_readable=one.pepper_id in accepted, now=now),
        )
        for one, email, disabled_at in session.execute(query.limit(limit))
    ]


def _state(token: ServiceToken, *, is_orphaned: bool, is_readable: bool, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at <= now:
        return "expired"
    if is_orphaned:
        return "orphaned"
    return "working" if is_readable else "unreadable"


def revoke_token(session: Session, token_id: int, *, actor: str) -> ServiceToken:
    """From now on it is worth nothing, for good. Revoked twice, it was revoked once. Raises NotFound."""
    found = session.get(ServiceToken, token_id, with_for_update=True)
    if found is None:
        raise NotFound("there is no such token")
    if found.revoked_at is None:
        session.execute(
            update(ServiceToken)
            .where(ServiceToken.id == token_id)
            .values(revoked_at=func.now(), revoked_by=actor)
            .execution_options(synchronize_session=False)
        )
        session.refresh(found)
        audit.record(session, actor=actor, action="token.revoke", subject=f"service_tokens:{token_id}")
    return found


def token_by_prefix(session: Session, prefix: str) -> ServiceToken:
    """The token whose second part this is, with or without what stands before it; raises NotFound."""
    wanted = prefix.removeprefix("npt_").partition("_")[0]
    found = session.scalar(select(ServiceToken).where(ServiceToken.prefix == wanted))
    if found is None:
        raise NotFound(f"no token begins with npt_{wanted[:PREFIX_LENGTH]}; see: nudgepay tokens list")
    return found
