"""Schedules: named, versioned, never edited in place."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, text
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import Conflict, NotFound
from nudgepay.money import MAX_MINOR_UNITS
from nudgepay.nudges.facts import MANUAL, Schedule, Step
from nudgepay.nudges.models import ScheduleStep, ScheduleVersion
from nudgepay.nudges.schedule_text import ScheduleError

DEFAULT = "default"
MAX_STEPS = 30
MAX_OFFSET = 365
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
RESERVED = frozenset({"new", "closing-days"})
CODE = re.compile(r"[A-Za-z0-9+_-]{1,20}")
TEMPLATES = frozenset({"before_due", "due", "overdue", "final", "manual"})


class ScheduleConflict(Conflict):
    """Somebody saved another version after this one was read. `in_force`: the version by now, 0 for none."""

    def __init__(self, name: str, in_force: int) -> None:
        """The schedule, and the version that it is at."""
        self.in_force = in_force
        super().__init__(f"schedule {name!r} was changed meanwhile: version {in_force} is in force; look at it again")


def current_schedules(session: Session) -> dict[str, Schedule]:
    """The version in force of every schedule, by name."""
    return _schedules_of(session.execute(text(_CURRENT)).all())


_CURRENT = """
SELECT v.name, v.version, s.*
  FROM (SELECT DISTINCT ON (name) id, name, version, retired_at FROM schedules ORDER BY name, version DESC) AS v
  LEFT JOIN schedule_steps s ON s.schedule_id = v.id
 WHERE v.retired_at IS NULL ORDER BY v.name, s.position
"""


def _schedules_of(rows: Sequence[Row[Any]]) -> dict[str, Schedule]:
    steps: dict[tuple[str, int], list[Step]] = {(row.name, row.version): [] for row in rows}
    for row in rows:
        if row.code is None:
            continue
        steps[row.name, row.version].append(
            Step(
                code=row.code,
                anchor=row.anchor,
                offset_days=row.offset_days,
                business_days=row.business_days,
                template=row.template,
                tone=row.tone,
                minimum_remaining=row.minimum_remaining,
                review=row.review,
            )
        )
    return {name: Schedule(name, version, tuple(found)) for (name, version), found in steps.items()}


def current_schedule(session: Session, name: str) -> Schedule:
    """The version in force of one schedule; raises NotFound."""
    found = current_schedules(session).get(name)
    if found is None:
        raise NotFound(f"there is no schedule {name!r}; see: nudgepay schedules list")
    return found


def next_version(session: Session) -> int:
    """The number of the next version. It counts over all names, so that a number alone names one schedule:
    a reminder's version stays clear when its invoice follows another schedule."""
    return (session.scalar(select(func.max(ScheduleVersion.version))) or 0) + 1


def save_schedule(
    session: Session,
    name: str,
    steps: tuple[Step, ...],
    *,
    now: datetime,
    actor: str,
    base_version: int | None = None,
) -> Schedule:
    """A new version in force from now on; every invoice that follows it is looked at again.

    Versions are never edited: what was sent keeps the version it was sent under. `base_version` is the one that was
    edited, 0 for a new name. Raises ScheduleError, and ScheduleConflict when another version is in force by now.
    """
    ensure_name(name)
    ensure_steps(steps)
    session.execute(text("LOCK TABLE schedules IN SHARE ROW EXCLUSIVE MODE"))
    if base_version is not None:
        _ensure_base(session, name, base_version)
    version = ScheduleVersion(name=name, version=next_version(session), created_by=actor)
    version.steps = [ScheduleStep(position=position, **asdict(step)) for position, step in enumerate(steps, start=1)]
    session.add(version)
    session.flush()
    session.execute(text(_WAKE_FOLLOWERS), {"name": name, "default": DEFAULT, "now": now})
    audit.record(
        session,
        actor=actor,
        action="schedule.save",
        subject=f"schedules:{version.id}",
        after={"name": name, "version": version.version, "steps": [step.code for step in steps]},
    )
    return Schedule(name, version.version, steps)


def _ensure_base(session: Session, name: str, base_version: int) -> None:
    found = current_schedules(session).get(name)
    in_force = found.version if found is not None else 0
    if in_force != base_version:
        raise ScheduleConflict(name, in_force)


_WAKE_FOLLOWERS = """
WITH followers AS (
  SELECT i.id FROM invoices i JOIN clients c ON c.id = i.client_id
   WHERE i.status = 'open' AND coalesce(i.schedule_name, c.schedule_name, :default) = :name
   ORDER BY i.id FOR NO KEY UPDATE OF i
)
UPDATE invoices SET next_at = :now FROM followers WHERE invoices.id = followers.id
"""
"""In the order in which everybody locks invoices."""


def ensure_name(name: str) -> None:
    """Raise ScheduleError unless this can name a schedule."""
    if not NAME.fullmatch(name):
        raise ScheduleError(f"{name!r} cannot name a schedule: use up to 40 lower-case letters, digits and hyphens")
    if name in RESERVED:
        raise ScheduleError(f"{name!r} is the name of a page: take another one")


def ensure_steps(steps: tuple[Step, ...]) -> None:
    """Raise ScheduleError unless these steps make a schedule."""
    if not 1 <= len(steps) <= MAX_STEPS:
        raise ScheduleError(f"a schedule has 1 to {MAX_STEPS} steps")
    seen: set[str] = set()
    for step in steps:
        _ensure_step(step)
        if step.code in seen:
            raise ScheduleError(f"step {step.code!r} appears twice; give each step a code of its own")
        seen.add(step.code)


def _ensure_step(step: Step) -> None:
    if not CODE.fullmatch(step.code):
        raise ScheduleError(f"step {step.code!r}: a code is 1 to 20 letters, digits, '+', '-' or '_'")
    if step.code == MANUAL:
        raise ScheduleError(f"the code {MANUAL!r} belongs to nudges that a person sends")
    if step.template not in TEMPLATES:
        raise ScheduleError(f"step {step.code!r}: template must be one of {', '.join(sorted(TEMPLATES))}")
    if not -MAX_OFFSET <= step.offset_days <= MAX_OFFSET:
        raise ScheduleError(f"step {step.code!r}: offset_days must lie within a year")
    if not 0 <= step.minimum_remaining <= MAX_MINOR_UNITS:
        raise ScheduleError(f"step {step.code!r}: minimum_remaining is an amount in minor units, 0 or more")
