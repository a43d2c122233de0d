"""Schedules: named, versioned, never edited in place."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import NotFound, UsageError
from nudgepay.nudges.facts import Schedule, Step
from nudgepay.nudges.models import ScheduleStep, ScheduleVersion

DEFAULT = "default"
MAX_STEPS = 30
TEMPLATES = frozenset({"before_due", "due", "overdue", "final", "manual"})


class ScheduleError(UsageError):
    """The schedule cannot be saved; the message names the step and the cure."""


def current_schedules(session: Session) -> dict[str, Schedule]:
    """The version in force of every schedule, by name."""
    query = text("SELECT DISTINCT ON (name) id, name, version FROM schedules ORDER BY name, version DESC")
    versions = session.execute(query).all()
    steps: dict[int, list[Step]] = {row.id: [] for row in versions}
    rows = session.execute(
        text("SELECT * FROM schedule_steps WHERE schedule_id = ANY(:ids) ORDER BY schedule_id, position"),
        {"ids": list(steps)},
    )
    for row in rows:
        steps[row.schedule_id].append(
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
    return {row.name: Schedule(row.name, row.version, tuple(steps[row.id])) for row in versions}


def current_schedule(session: Session, name: str) -> Schedule:
    """The version in force of one schedule; raises NotFound."""
    found = current_schedules(session).get(name)
    if found is None:
        raise NotFound(f"there is no schedule {name!r}; see: nudgepay schedules list")
    return found


def save_schedule(session: Session, name: str, steps: tuple[Step, ...], *, now: datetime, actor: str) -> Schedule:
    """A new version in force from now on; every invoice that follows it is looked at again."""
    ensure_steps(steps)
    newest = session.scalar(select(func.max(ScheduleVersion.version)).where(ScheduleVersion.name == name)) or 0
    version = ScheduleVersion(name=name, version=newest + 1, created_by=actor)
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


_WAKE_FOLLOWERS = """
UPDATE invoices i SET next_at = :now
  FROM clients c
 WHERE c.id = i.client_id AND i.status = 'open'
   AND coalesce(i.schedule_name, c.schedule_name, :default) = :name
"""


def ensure_steps(steps: tuple[Step, ...]) -> None:
    """Raise ScheduleError unless these steps make a schedule."""
    if not 1 <= len(steps) <= MAX_STEPS:
        raise ScheduleError(f"a schedule has 1 to {MAX_STEPS} steps")
    codes = [step.code for step in steps]
    for code in codes:
        if codes.count(code) > 1:
            raise ScheduleError(f"step {code!r} appears twice; give each step a code of its own")
    if "manual" in codes:
        raise ScheduleError("the code 'manual' belongs to nudges that a person sends")
    for step in steps:
        if step.template not in TEMPLATES:
            raise ScheduleError(f"step {step.code!r}: template must be one of {', '.join(sorted(TEMPLATES))}")
        if not -365 <= step.offset_days <= 365:
            raise ScheduleError(f"step {step.code!r}: offset must lie within a year")


def parse_steps(document: Any) -> tuple[Step, ...]:
    """Steps from a JSON list of objects: `code`, `offset_days`, and what differs from the defaults."""
    if not isinstance(document, list):
        raise ScheduleError("a schedule is a JSON list of steps")
    return tuple(_parse_step(item, position) for position, item in enumerate(document, start=1))


def _parse_step(item: Any, position: int) -> Step:
    fields = {
        "code": str,
        "anchor": str,
        "offset_days": int,
        "business_days": bool,
        "template": str,
        "tone": str,
        "minimum_remaining": int,
        "review": bool,
    }
    if not isinstance(item, dict) or not isinstance(item.get("code"), str):
        raise ScheduleError(f"step {position}: needs at least a code and offset_days")
    for key, value in item.items():
        if key not in fields or not isinstance(value, fields[key]):
            raise ScheduleError(f"step {item['code']!r}: {key} is not understood; fields are {', '.join(fields)}")
    if item.get("anchor", "due_on") not in {"due_on", "issued_on", "previous_step"}:
        raise ScheduleError(f"step {item['code']!r}: anchor must be due_on, issued_on or previous_step")
    if item.get("tone", "friendly") not in {"friendly", "firm", "final"}:
        raise ScheduleError(f"step {item['code']!r}: tone must be friendly, firm or final")
    defaults = {
        "anchor": "due_on",
        "offset_days": 0,
        "business_days": False,
        "template": "overdue",
        "tone": "friendly",
    }
    return Step(**{**defaults, **item})
