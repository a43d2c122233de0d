"""Browsers in which somebody signed in whole. Whoever guesses elsewhere cannot shut these out.

The cookie's value is stored nowhere, only its hash; it changes with each sign-in, and is worth nothing by itself:
it only has a small budget of tries of its own.
"""

import hashlib
import secrets

from sqlalchemy import text
from sqlalchemy.orm import Session

DAYS = 180
MOST = 20
"""Devices that one person may have; the one that was used longest ago is forgotten."""
_REMEMBER = """
INSERT INTO known_devices (token_hash, operator_id, ends_at)
VALUES (:hash, :operator_id, now() + make_interval(days => :days))
ON CONFLICT (token_hash, operator_id) DO UPDATE SET seen_at = now(), ends_at = excluded.ends_at
"""
_FORGET_OLDEST = """
DELETE FROM known_devices WHERE id IN (
    SELECT id FROM known_devices WHERE operator_id = :operator_id ORDER BY seen_at DESC, id DESC OFFSET :most)
"""


def remember_device(session: Session, operator_id: int, *, token: str | None) -> str:
    """This browser is known from now on; returns the new value of its cookie. `token` is the old one."""
    made = secrets.token_urlsafe(32)
    if token:
        session.execute(
            text("UPDATE known_devices SET token_hash = :new WHERE token_hash = :old"),
            {"new": hash_of(made), "old": hash_of(token)},
        )
    values = {"hash": hash_of(made), "operator_id": operator_id, "days": DAYS}
    session.execute(text(_REMEMBER), values)
    session.execute(text(_FORGET_OLDEST), {"operator_id": operator_id, "most": MOST})
    return made


def forget_devices(session: Session, operator_id: int, *, but: str | None = None) -> None:
    """No browser of this operator is known any more, but perhaps the one with this cookie."""
    session.execute(
        text("DELETE FROM known_devices WHERE operator_id = :id AND token_hash <> :hash"),
        {"id": operator_id, "hash": hash_of(but or "")},
    )


def hash_of(token: str) -> bytes:
    """What is stored of a cookie's value."""
    return hashlib.sha256(token.encode()).digest()
