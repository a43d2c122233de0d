"""The worker: Procrastinate as clock and host on the same PostgreSQL, in a schema of its own.

A periodic task carries no argument and no truth; it says "there may be work". Losing all of its rows costs a
minute, doubling them nothing.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import Any

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from sqlalchemy import make_url

from nudgepay import clock, log
from nudgepay.automation.context import JobContext
from nudgepay.automation.runner import run_job_safely
from nudgepay.automation.schedule import SCHEDULE, Job
from nudgepay.runtime import Runtime

SCHEMA_OPTIONS = "-c search_path=procrastinate -c timezone=UTC"
DRAIN_SECONDS = 10
STALLED_AFTER_SECONDS = 120
POLL_SECONDS = 2.0
_log = log.get("automation")


def procrastinate_app(database_url: str) -> App:
    """The app over its own schema; connects when opened."""
    conninfo = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    connector = PsycopgConnector(conninfo=conninfo, kwargs={"options": SCHEMA_OPTIONS}, min_size=1, max_size=4)
    return App(connector=connector)


def build_worker_app(runtime: Runtime, should_stop: Callable[[], bool]) -> App:
    """The app with every job of the schedule as a periodic task."""
    app = procrastinate_app(runtime.db.url)
    for job in SCHEDULE:
        _register(app, job, runtime, should_stop)

    @app.periodic(cron="*/2 * * * *")
    @app.task(name="retry_stalled", queueing_lock="retry_stalled", pass_context=True)
    async def retry_stalled(context: Any, timestamp: int) -> None:
        manager = app.job_manager
        for stalled in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
            await manager.retry_job(stalled)

    return app


def _register(app: App, job: Job, runtime: Runtime, should_stop: Callable[[], bool]) -> None:
    @app.periodic(cron=job.cron)
    @app.task(name=job.name, queueing_lock=job.name, queue="jobs")
    def perform(timestamp: int | None = None) -> None:
        context = JobContext(runtime, clock.now(), f"job:{job.name}", should_stop)
        run_job_safely(job, context)


def wake_worker(database_url: str, name: str) -> bool:
    """Ask for a run of a job now; False when one waits already. Best effort: the clock asks anyway."""
    app = procrastinate_app(database_url)

    async def defer() -> bool:
        async with app.open_async():
            try:
                await app.configure_task(name, queueing_lock=name, queue="jobs").defer_async()
            except AlreadyEnqueued:
                return False
        return True

    return asyncio.run(defer())


def run_worker(runtime: Runtime, *, until: asyncio.Event | None = None) -> None:
    """Work until SIGTERM or SIGINT; what is in hand is finished for at most DRAIN_SECONDS."""
    asyncio.run(_work(runtime, until))


async def _work(runtime: Runtime, until: asyncio.Event | None) -> None:
    stopping = until or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError, NotImplementedError):
            loop.add_signal_handler(number, stopping.set)
    app = build_worker_app(runtime, stopping.is_set)
    async with app.open_async():
        _log.info("worker_started", jobs=len(SCHEDULE))
        working = asyncio.create_task(
            app.run_worker_async(
                queues=["jobs", "default"],
                concurrency=3,
                fetch_job_polling_interval=POLL_SECONDS,
                delete_jobs="always",
                install_signal_handlers=False,
                shutdown_graceful_timeout=DRAIN_SECONDS,
            )
        )
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        waiting.cancel()
    _log.info("worker_stopped")
