"""Which bank lines wait, told by one notice, `statement.waiting`; a line whose payment was undone waits again."""

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.payments.models import BankLine

NOTICE = "statement.waiting"
_ONE_AT_A_TIME = 0x6E706273  # "npbs": whoever decides the last line must see that it is the last


def tell_waiting(session: Session, *, actor: str) -> None:
    """Open or close the notice as the lines say; call it last, it holds a lock until the transaction ends."""
    session.flush()
    session.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
    waiting = session.scalar(select(BankLine.id).where(BankLine.state == "waiting").limit(1))
    if waiting is None:
        ledger.resolve_notice(session, NOTICE, actor=actor)
    else:
        ledger.notice(session, NOTICE, NOTICE, {"see": "nudgepay statements list"})


def reopen_line(session: Session, fact_id: int, *, actor: str) -> None:
    """The line whose payment was taken back waits again, under the lock of the payment's client."""
    line_id = session.scalar(
        update(BankLine)
        .where(BankLine.fact_id == fact_id)
        .values(
            state="waiting",
            fact_id=None,
            undone=BankLine.undone + 1,
            decided_by=None,
            decided_at=None,
            reason=None,
        )
        .returning(BankLine.id)
    )
    if line_id is not None:
        subject = f"bank_lines:{line_id}"
        audit.record(session, actor=actor, action="bank_line.reopen", subject=subject, before={"fact_id": fact_id})
        tell_waiting(session, actor=actor)
