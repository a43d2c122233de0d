"""Every act that takes a second person, on one page. What is not here takes one."""

from dataclasses import dataclass
from datetime import timedelta

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound

HOUR = timedelta(hours=1)
COOLING_OFF = timedelta(minutes=10)
"""How long an act waits that nobody else could approve."""
BULK_RELEASE = 100
"""Imported overdue invoices that one person may let be chased at once."""


@dataclass(frozen=True, slots=True)
class Act:
    """`asking` is what the person must hold who asks and acts, `approving` the second one.

    `lives` is the time for an answer, and once more the time for acting on it.
    """

    name: str
    asking: Permission
    approving: Permission
    purpose: str
    lives: timedelta = HOUR


GRANT_SUPERADMIN = Act(
    "operator.grant_superadmin",
    Permission.OPERATOR_WRITE,
    Permission.OPERATOR_WRITE,
    "Let an operator do everything",
)
EXPORT_EVERYTHING = Act(
    "books.export_everything",
    Permission.BOOKS_EXPORT,
    Permission.APPROVAL_DECIDE,
    "Take all of the books away in one archive",
)
RELEASE_MANY = Act(
    "amnesty.release_many",
    Permission.AMNESTY_RELEASE,
    Permission.AMNESTY_RELEASE,
    f"Let more than {BULK_RELEASE} imported overdue invoices be chased at once",
)
RESUME_RESTORED = Act(
    "sending.resume_restored",
    Permission.SENDING_SWITCH,
    Permission.SENDING_SWITCH,
    "Let a database send that came out of a backup",
)
ROTATE_SECRETS = Act(
    "secrets.rotate",
    Permission.OPERATOR_WRITE,
    Permission.OPERATOR_WRITE,
    "Replace the installation's secrets by hand",
)

ACTS: dict[str, Act] = {
    act.name: act for act in (GRANT_SUPERADMIN, EXPORT_EVERYTHING, RELEASE_MANY, RESUME_RESTORED, ROTATE_SECRETS)
}


def act_named(name: str) -> Act:
    """The act; raises NotFound."""
    if name not in ACTS:
        raise NotFound(f"no act {name!r} takes a second person; those that do are {', '.join(ACTS)}")
    return ACTS[name]
