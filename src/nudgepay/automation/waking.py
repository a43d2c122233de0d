"""A hint after a commit that there is work. It may be lost: the clock asks anyway."""

from sqlalchemy import text
from sqlalchemy.orm import Session

CHANNEL = "nudgepay_wake"


def wake_worker(session: Session, job: str) -> None:
    """Ask the workers for a run of `job` (a name of the schedule), once the caller's transaction is committed."""
    session.execute(text("SELECT pg_notify(:channel, :job)"), {"channel": CHANNEL, "job": job})
