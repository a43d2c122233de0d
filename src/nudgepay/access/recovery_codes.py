"""Codes for the day on which the phone is lost: ten of them, each good once, stored hashed, shown once."""

import hashlib
import re
import secrets

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.access.models import RecoveryCode

HOW_MANY = 10
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""No sign that looks like another one."""
SIGNS = 16
GROUP = 4


def make_anew(session: Session, operator_id: int, *, actor: str) -> list[str]:
    """Ten new codes; the old ones are worth nothing any more."""
    forget(session, operator_id)
    codes = [_made_up() for _ in range(HOW_MANY)]
    session.add_all(RecoveryCode(operator_id=operator_id, code_hash=_hash(operator_id, code)) for code in codes)
    session.flush()
    subject = f"operators:{operator_id}"
    audit.record(session, actor=actor, action="recovery_codes.make", subject=subject, after={"count": HOW_MANY})
    return codes


_USE = """
UPDATE recovery_codes SET used_at = now()
 WHERE operator_id = :operator_id AND code_hash = :hash AND used_at IS NULL RETURNING id
"""


def use(session: Session, operator_id: int, code: str) -> bool:
    """True for an unused one; it is used then."""
    values = {"operator_id": operator_id, "hash": _hash(operator_id, code)}
    return session.execute(text(_USE), values).first() is not None


def count_left(session: Session, operator_id: int) -> int:
    """How many are still good."""
    query = select(func.count()).where(RecoveryCode.operator_id == operator_id, RecoveryCode.used_at.is_(None))
    return session.scalar(query) or 0


def forget(session: Session, operator_id: int) -> None:
    """None is good any more."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.operator_id == operator_id))


def _made_up() -> str:
    signs = "".join(secrets.choice(ALPHABET) for _ in range(SIGNS))
    return "-".join(signs[at : at + GROUP] for at in range(0, SIGNS, GROUP))


def _hash(operator_id: int, code: str) -> bytes:
    """79 random bits need no slow hash; the id keeps equal codes of two people apart."""
    plain = re.sub(r"[\s-]", "", code).lower()
    return hashlib.sha256(f"{operator_id}:{plain}".encode()).digest()
