"""The big switch: whether anything may leave. A first start in production begins paused."""

from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.access.acts import RESUME_RESTORED
from nudgepay.access.approvals import consume, consume_at_the_machine
from nudgepay.access.sessions import SignedIn
from nudgepay.errors import Conflict
from nudgepay.nudges.answers import SendingSwitch

RESTORED = "restored from a backup: look at what has happened since, then ask a second person to let it send"
FIRST_START = "first start: look at `nudgepay plan`, then `nudgepay sending resume`"


class SwitchMoved(Conflict):
    """Somebody else has moved the switch since it was looked at."""


def ensure_switch(session: Session, *, environment: str, actor: str) -> SendingSwitch:
    """The switch, made at the first start: paused in production, on elsewhere."""
    paused = environment == "production"
    session.execute(
        text(
            "INSERT INTO sending_switch (id, paused_at, reason, changed_by)"
            " VALUES (1, CASE WHEN :paused THEN now() END, :reason, :actor) ON CONFLICT DO NOTHING"
        ),
        {"paused": paused, "reason": FIRST_START if paused else None, "actor": actor},
    )
    return session.scalars(select(SendingSwitch)).one()


def is_paused(session: Session) -> bool:
    """True while nothing may leave."""
    return session.scalar(text("SELECT paused_at FROM sending_switch WHERE id = 1")) is not None


def pause_reason(session: Session) -> str | None:
    """Why nothing may leave; None while letters may."""
    query = text("SELECT coalesce(reason, '') FROM sending_switch WHERE id = 1 AND paused_at IS NOT NULL")
    found: str | None = session.scalar(query)
    return found


def read_switch(session: Session) -> SendingSwitch | None:
    """The switch as it stands; None before the first start."""
    return session.scalars(select(SendingSwitch)).one_or_none()


def pause_sending(
    session: Session, *, reason: str, environment: str, actor: str, seen: datetime | None = None
) -> SendingSwitch:
    """Nothing leaves from the next last look on. Raises SwitchMoved when the switch is not as it was `seen`.

    `seen`: `changed_at` of the switch that the person looked at; None does not ask.
    """
    switch = _locked_switch(session, environment=environment, actor=actor, seen=seen)
    session.execute(
        text(
            "UPDATE sending_switch SET paused_at = now(), reason = :reason, changed_by = :actor, changed_at = now()"
        ),
        {"reason": reason, "actor": actor},
    )
    audit.record(session, actor=actor, action="sending.pause", subject="sending_switch:1", after={"reason": reason})
    session.refresh(switch)
    return switch


def note_restored(session: Session, *, restored_at: datetime, environment: str, actor: str) -> None:
    """This database came out of a backup: nothing leaves until two people have looked at what it does not know."""
    _locked_switch(session, environment=environment, actor=actor, seen=None)
    session.execute(
        text(
            "UPDATE sending_switch SET paused_at = now(), reason = :reason, restored_at = :restored_at,"
            " changed_by = :actor, changed_at = now()"
        ),
        {"reason": RESTORED, "restored_at": restored_at, "actor": actor},
    )
    after = {"reason": RESTORED, "restored_at": restored_at.isoformat()}
    audit.record(session, actor=actor, action="sending.restored", subject="sending_switch:1", after=after)


def resuming_restored(switch: SendingSwitch) -> dict[str, str] | None:
    """What a second person must have approved before this switch may be turned on; None when nobody need."""
    return {"restored_at": switch.restored_at.isoformat()} if switch.restored_at is not None else None


def resume_sending(
    session: Session,
    *,
    environment: str,
    actor: str,
    reason: str | None = None,
    seen: datetime | None = None,
    signed: SignedIn | None = None,
) -> int:
    """Letters may leave again; returns how many reminders were held only by the pause.

    Raises SwitchMoved when the switch is not as it was `seen` (its `changed_at`; None does not ask), and NotCovered
    for a restored database that nobody has approved. `signed`: the operator who acts; None at the machine itself.
    """
    switch = _locked_switch(session, environment=environment, actor=actor, seen=seen)
    if (params := resuming_restored(switch)) is not None:
        if signed is not None:
            consume(session, RESUME_RESTORED, params, by=signed)
        else:
            consume_at_the_machine(session, RESUME_RESTORED, params, actor=actor)
    session.execute(
        text(
            "UPDATE sending_switch SET paused_at = NULL, reason = NULL, restored_at = NULL, changed_by = :actor,"
            " changed_at = now()"
        ),
        {"actor": actor},
    )
    woken = session.execute(
        text(
            "UPDATE reminders SET look_at = due_at, updated_at = now()"
            " WHERE state = 'planned' AND held_reason = 'sending_paused'"
        )
    )
    session.refresh(switch)
    audit.record(session, actor=actor, action="sending.resume", subject="sending_switch:1", after={"reason": reason})
    return int(getattr(woken, "rowcount", 0))


def _locked_switch(session: Session, *, environment: str, actor: str, seen: datetime | None) -> SendingSwitch:
    switch = ensure_switch(session, environment=environment, actor=actor)
    session.refresh(switch, with_for_update=True)
    if seen is not None and switch.changed_at != seen:
        raise SwitchMoved("somebody else has moved the switch since you looked: look again, then decide")
    return switch
