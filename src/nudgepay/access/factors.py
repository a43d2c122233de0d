"""Second factors: which a person has, and whether a code is right. Each kind has a file of its own.

A factor that is asked for in another way than by a code (a key, another sign-in) names itself here, too.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.access import recovery_codes, totp
from nudgepay.access.models import TotpFactor

HAS_ONE = "EXISTS (SELECT 1 FROM totp_factors f WHERE f.operator_id = o.id)"
"""SQL: whether the operator `o` has a second factor."""


def factors_of(session: Session, operator_id: int) -> list[str]:
    """The kinds of second factor that a person can be asked for; none means that the password is enough."""
    has_totp = session.scalar(select(TotpFactor.operator_id).where(TotpFactor.operator_id == operator_id))
    return ["totp"] if has_totp is not None else []


def use_code(session: Session, operator_id: int, code: str, *, now: datetime) -> str | None:
    """The kind of factor that this code is of, used up by this call; None for a code that is worth nothing."""
    if totp.use(session, operator_id, code, now=now):
        return "code"
    return "recovery" if recovery_codes.use(session, operator_id, code) else None
