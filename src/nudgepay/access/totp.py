"""Codes of an authenticator app: six digits, new each half minute, each of them good once.

The step that was used last never goes backward, whatever the clock does: a code that was seen is worth nothing.
"""

import binascii
import hmac
import re
from base64 import b32decode
from datetime import datetime

import pyotp
from sqlalchemy import delete, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.access.models import TotpFactor
from nudgepay.errors import UsageError

STEP_SECONDS = 30
EITHER_SIDE = 1
"""Clocks may differ by so many steps."""
SHORTEST_SECRET_BYTES = 10
DIGITS = re.compile(r"\d{6}")


def new_secret() -> str:
    """160 random bits, in base32."""
    return pyotp.random_base32()


def clean_secret(secret: str) -> str:
    """A secret from elsewhere, in one writing; raises UsageError for what is none."""
    found = re.sub(r"[\s-]", "", secret).upper().rstrip("=")
    try:
        size = len(b32decode(found + "=" * (-len(found) % 8)))
    except binascii.Error:
        size = 0
    if size < SHORTEST_SECRET_BYTES:
        raise UsageError("the TOTP secret is no base32 of at least 80 bits: make one with an authenticator app")
    return found


def provisioning_uri(secret: str, *, email: str, business: str) -> str:
    """What the QR code says to the app."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=business.replace(":", " "))


def matching_steps(secret: str, code: str, *, now: datetime) -> list[int]:
    """The steps about now whose code this is, oldest first."""
    given = code.replace(" ", "")
    if not given.isascii() or not DIGITS.fullmatch(given):
        return []
    present = int(now.timestamp()) // STEP_SECONDS
    steps = range(present - EITHER_SIDE, present + EITHER_SIDE + 1)
    made = pyotp.TOTP(secret)
    return [step for step in steps if hmac.compare_digest(made.generate_otp(step), given)]


_USE = """
UPDATE totp_factors SET last_step = :step
 WHERE operator_id = :operator_id AND secret = :secret AND last_step < :step RETURNING operator_id
"""


def use(session: Session, operator_id: int, code: str, *, now: datetime) -> bool:
    """True when the code is right and was never used; it is used then, for whoever asks at the same time as well."""
    factor = session.get(TotpFactor, operator_id, populate_existing=True)
    if factor is None:
        return False
    for step in matching_steps(factor.secret, code, now=now):
        values = {"step": step, "operator_id": operator_id, "secret": factor.secret}
        if session.execute(text(_USE), values).first() is not None:
            return True
    return False


def enrol(session: Session, operator_id: int, secret: str, *, step: int = 0, actor: str) -> None:
    """Ask this operator for codes of this secret from now on; another secret is forgotten. `step` is used already."""
    values = {"secret": clean_secret(secret), "last_step": step, "since": func.now()}
    statement = insert(TotpFactor).values(operator_id=operator_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["operator_id"], set_=values))
    after = {"kind": "totp"}
    audit.record(session, actor=actor, action="factor.enrol", subject=f"operators:{operator_id}", after=after)


def forget(session: Session, operator_id: int, *, actor: str) -> bool:
    """Ask for no code any more; False when none was asked for."""
    gone = session.scalar(
        delete(TotpFactor).where(TotpFactor.operator_id == operator_id).returning(TotpFactor.operator_id)
    )
    if gone is not None:
        before = {"kind": "totp"}
        audit.record(session, actor=actor, action="factor.forget", subject=f"operators:{operator_id}", before=before)
    return gone is not None
