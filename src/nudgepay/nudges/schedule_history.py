"""Versions of a schedule, who follows it, and its end."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session, selectinload

from nudgepay import audit
from nudgepay.errors import Conflict, NotFound
from nudgepay.nudges.facts import Schedule, Step
from nudgepay.nudges.models import ScheduleStep, ScheduleVersion
from nudgepay.nudges.schedules import DEFAULT, current_schedule

MOST_FOLLOWERS = 1_000
"""Beyond it a count says `more than`."""
LARGEST = 2**31


class ScheduleInUse(Conflict):
    """Clients or invoices follow the schedule, or it is everybody's."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version as it was saved."""

    schedule: Schedule
    saved_at: datetime
    saved_by: str


@dataclass(frozen=True, slots=True)
class Followers:
    """Who names the schedule: clients, and invoices for themselves. Counts end at MOST_FOLLOWERS + 1."""

    clients: int
    invoices: int

    @property
    def is_anybody(self) -> bool:
        """True while somebody follows it."""
        return self.clients > 0 or self.invoices > 0


def versions_of(session: Session, name: str, *, most: int = 50) -> list[Version]:
    """The newest versions of a schedule, newest first; raises NotFound."""
    query = select(ScheduleVersion).where(ScheduleVersion.name == name).order_by(ScheduleVersion.version.desc())
    found = session.scalars(query.limit(most).options(selectinload(ScheduleVersion.steps))).all()
    if not found:
        raise NotFound(f"there is no schedule {name!r}")
    return [_version(one) for one in found]


def version_of(session: Session, name: str, version: int) -> Version:
    """One version; raises NotFound."""
    if not 0 < version < LARGEST:
        raise NotFound(f"schedule {name!r} has no version {version}")
    query = select(ScheduleVersion).where(ScheduleVersion.name == name, ScheduleVersion.version == version)
    found = session.scalar(query.options(selectinload(ScheduleVersion.steps)))
    if found is None:
        raise NotFound(f"schedule {name!r} has no version {version}")
    return _version(found)


def _version(row: ScheduleVersion) -> Version:
    steps = tuple(_step(one) for one in row.steps)
    return Version(Schedule(row.name, row.version, steps), row.created_at, row.created_by)


def _step(row: ScheduleStep) -> Step:
    return Step(
        code=row.code,
        anchor=row.anchor,  # type: ignore[arg-type]  # the table's check holds the three words
        offset_days=row.offset_days,
        business_days=row.business_days,
        template=row.template,
        tone=row.tone,  # type: ignore[arg-type]  # likewise
        minimum_remaining=row.minimum_remaining,
        review=row.review,
    )


def followers_of(session: Session, name: str) -> Followers:
    """How many clients and how many invoices name this schedule; those of the default need not."""
    given = {"name": name, "most": MOST_FOLLOWERS + 1}
    return Followers(*session.execute(text(_COUNTS), given).one())


_COUNTS = """
SELECT (SELECT count(*) FROM (SELECT FROM clients WHERE schedule_name = :name LIMIT :most) AS few),
       (SELECT count(*) FROM (SELECT FROM invoices WHERE schedule_name = :name LIMIT :most) AS few)
"""


def clients_following(session: Session, name: str, *, most: int) -> list[tuple[int, str]]:
    """Id and name of the first clients that name this schedule."""
    query = text("SELECT id, name FROM clients WHERE schedule_name = :name ORDER BY id LIMIT :most")
    return [(row.id, row.name) for row in session.execute(query, {"name": name, "most": most})]


def invoices_following(session: Session, name: str, *, most: int) -> list[tuple[int, str]]:
    """Id and number of the first invoices that name this schedule for themselves."""
    query = text("SELECT id, number FROM invoices WHERE schedule_name = :name ORDER BY id LIMIT :most")
    return [(row.id, row.number) for row in session.execute(query, {"name": name, "most": most})]


def retire_schedule(session: Session, name: str, *, now: datetime, actor: str) -> None:
    """Take a schedule that nobody follows off the list. Its versions stay, for what was sent under them; saving a
    version under its name brings it back. Raises NotFound and ScheduleInUse."""
    session.execute(text("LOCK TABLE schedules IN SHARE ROW EXCLUSIVE MODE"))
    found = current_schedule(session, name)
    if name == DEFAULT:
        raise ScheduleInUse("the default schedule is everybody's without another: it can be changed, not removed")
    if followers_of(session, name).is_anybody:
        raise ScheduleInUse(f"clients or invoices follow {name!r}: give them another schedule first")
    row = session.scalars(
        select(ScheduleVersion).where(ScheduleVersion.name == name, ScheduleVersion.version == found.version)
    ).one()
    row.retired_at = now
    audit.record(session, actor=actor, action="schedule.retire", subject=f"schedules:{row.id}", after={"name": name})
