"""A person asks for a run of a job: a worker takes it, and the request is not lost while none is there."""

from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.automation import queue
from nudgepay.automation.schedule import job_named


def ask_for_job(session: Session, name: str, *, actor: str) -> bool:
    """Hand the job to the workers; False when a request waits already. Raises NotFound."""
    job = job_named(name)
    is_new = queue.ask(session, [job.name]) > 0
    audit.record(session, actor=actor, action="job.ask", subject=f"jobs:{job.name}", after={"is_new": is_new})
    return is_new
