"""Signing in, in two transactions with the slow comparison between them: begin counts the try, settle judges it.

What an outsider sees is the same for an unknown address, a wrong password and a disabled operator: `WRONG`, after the
same work. Only after a right password does a code matter.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.access.factors import factors_of, use_code
from nudgepay.access.known_devices import hash_of
from nudgepay.access.limits import Terms
from nudgepay.access.models import Operator
from nudgepay.access.operators import LONGEST_ADDRESS
from nudgepay.access.passwords import is_outdated, is_password, rehash
from nudgepay.access.refusals import VISITOR
from nudgepay.access.throttle import Admitted, Asking, Refused, admit, forgive


class Outcome(StrEnum):
    """What a try came to."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    CODE_WANTED = "code_wanted"
    WRONG_CODE = "wrong_code"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody gives.

    `code` None: the password alone is asked for, of who has just proved the rest. `vouched` is the seal of a
    password that was right a moment ago; it stands for the password.
    """

    email: str
    password: str | None
    code: str | None
    network: str
    device: str | None
    vouched: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A try that counts. `operator_id` and `hashed` are None where there is no such operator, or a disabled one."""

    admitted: Admitted
    operator_id: int | None
    hashed: str | None
    why_not: str
    is_any_bcrypt: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of it. `factor` is what decided; `seal` vouches for the password while a code is asked for."""

    outcome: Outcome
    factor: str
    operator_id: int | None = None
    seal: str | None = None


_FIND = """
SELECT o.id, o.password_hash, o.disabled_at, d.id AS device,
       EXISTS (SELECT 1 FROM operators WHERE password_hash LIKE '$2%' AND disabled_at IS NULL) AS is_any_bcrypt
  FROM (SELECT CAST(:email AS text) AS email, CAST(:device AS bytea) AS device) AS given
  LEFT JOIN operators o ON o.email = given.email
  LEFT JOIN known_devices d ON d.operator_id = o.id AND d.token_hash = given.device AND d.ends_at > now()
"""


def begin(session: Session, given: Given, *, terms: Terms, key: str) -> Begun | Refused:
    """Count the try and write it down. Commit before the password is compared. `key` hides unknown addresses."""
    email = given.email.strip().lower()[:LONGEST_ADDRESS]
    row = session.execute(text(_FIND), {"email": email, "device": hash_of(given.device or "")}).one()
    account = f"operators:{row.id}" if row.id is not None else f"address:{_hidden(email, key)}"
    asking = Asking(account, given.network, row.device)
    admitted = admit(session, asking, terms=terms)
    if isinstance(admitted, Refused):
        return admitted
    after = {"known_device": row.device is not None, "with_code": bool(given.code)}
    audit.record(session, actor=VISITOR, action="sign_in.try", subject=account, after=after)
    is_usable = row.id is not None and row.disabled_at is None
    return Begun(
        admitted,
        operator_id=row.id if is_usable else None,
        hashed=row.password_hash if is_usable else None,
        why_not="unknown" if row.id is None else "disabled",
        is_any_bcrypt=row.is_any_bcrypt,
    )


def is_right_password(begun: Begun, given: Given) -> bool:
    """The slow comparison: outside any transaction. Raises TooManyAtOnce."""
    if given.vouched is not None:
        return begun.hashed is not None and hmac.compare_digest(given.vouched, seal_of(begun.hashed))
    return is_password(given.password or "", begun.hashed, as_long_as_bcrypt=begun.is_any_bcrypt)


def better_hash(begun: Begun, given: Given) -> str | None:
    """The hash to keep instead of an outdated one, once the password was right; slow, too."""
    if given.password is None or begun.hashed is None or not is_outdated(begun.hashed):
        return None
    return rehash(given.password)


def settle(
    session: Session,
    begun: Begun,
    given: Given,
    *,
    is_right: bool,
    better: str | None,
    now: datetime,
    then: Callable[[Operator], None],
) -> Settled:
    """Judge, write down, and do what was wanted, `then`, in this one transaction. `better` replaces the hash."""
    operator = _as_begun(session, begun)
    if operator is None or not is_right:
        return _failed(session, begun, Outcome.WRONG, "password", begun.why_not if operator is None else "password")
    factor = "password"
    if given.code is not None and factors_of(session, operator.id):
        if not given.code:
            _note(session, begun, "sign_in.password", operator)
            forgive(session, begun.admitted)
            return Settled(Outcome.CODE_WANTED, "code", operator.id, seal_of(operator.password_hash))
        used = use_code(session, operator.id, given.code, now=now)
        if used is None:
            failed = _failed(session, begun, Outcome.WRONG_CODE, "code", "code")
            return Settled(failed.outcome, failed.factor, operator.id, seal_of(operator.password_hash))
        factor = used
    if better is not None:
        operator.password_hash = better
    then(operator)
    forgive(session, begun.admitted)
    return Settled(Outcome.ACCEPTED, factor, operator.id)


def seal_of(hashed: str) -> str:
    """What vouches for this password without telling anything of it, until it is changed."""
    return hashlib.sha256(f"seal:{hashed}".encode()).hexdigest()


def _as_begun(session: Session, begun: Begun) -> Operator | None:
    """The operator, locked, if neither disabled nor given another password since."""
    query = select(Operator).where(Operator.id == begun.operator_id, Operator.disabled_at.is_(None))
    found = session.scalar(query.with_for_update(key_share=True).execution_options(populate_existing=True))
    return found if found is not None and found.password_hash == begun.hashed else None


def _failed(session: Session, begun: Begun, outcome: Outcome, factor: str, reason: str) -> Settled:
    subject = begun.admitted.asking.account
    audit.record(session, actor=VISITOR, action="sign_in.fail", subject=subject, after={"reason": reason})
    return Settled(outcome, factor)


def _note(session: Session, begun: Begun, action: str, operator: Operator) -> None:
    subject = begun.admitted.asking.account
    audit.record(session, actor=f"operator:{operator.id}", action=action, subject=subject)


def _hidden(email: str, key: str) -> str:
    return hmac.new(key.encode(), email.encode(), hashlib.sha256).hexdigest()[:32]
