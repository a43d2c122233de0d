"""The worker: Procrastinate as clock and host on the same PostgreSQL.

A periodic task carries no argument and no truth; it says "there may be work". Losing all of its rows costs a
minute, doubling them nothing. A worker lives until it is told to stop: a lost database, or a clock that jumps,
only begins its next life.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
from procrastinate import App
from procrastinate.exceptions import AlreadyEnqueued, ProcrastinateException

from nudgepay import clock, log
from nudgepay.automation import queue
from nudgepay.automation.context import JobContext
from nudgepay.automation.runner import run_job_safely
from nudgepay.automation.schedule import SCHEDULE, Job
from nudgepay.automation.turns import Turn
from nudgepay.automation.waking import CHANNEL
from nudgepay.db import DatabaseUnavailable, notifications
from nudgepay.runtime import Runtime

SLOTS = len(SCHEDULE) + 2
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
LONG_LIFE_SECONDS = 60.0
CLOCK_LOOK_SECONDS, CLOCK_JUMP_SECONDS = 5.0, 30.0
GAVE_UP = 1
_OUTSIDE = (DatabaseUnavailable, ProcrastinateException, psycopg.Error, OSError)
_log = log.get("automation")


def run_worker(runtime: Runtime) -> None:
    """Work until SIGTERM or SIGINT. What is in hand is finished for WORKER_STOP_SECONDS, then the process ends.

    Ending in the middle is safe: it is what a power cut does, and the rows are made for it.
    """
    asyncio.run(_work(runtime))


async def _work(runtime: Runtime) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(SLOTS + 2, thread_name_prefix="jobs"))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    stopped = asyncio.create_task(stopping.wait())
    pause = FIRST_PAUSE_SECONDS
    while not stopping.is_set():
        began = clock.monotonic()
        life = asyncio.create_task(_live(runtime, stopping.is_set))
        await asyncio.wait({life, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.is_set():
            loop.call_later(runtime.settings.worker_stop_seconds, _give_up)
            life.cancel()
        with contextlib.suppress(asyncio.CancelledError, *_OUTSIDE):
            await life
        if not stopping.is_set():
            pause = FIRST_PAUSE_SECONDS if clock.monotonic() - began > LONG_LIFE_SECONDS else pause
            _log.warning("worker_begins_again", seconds=pause)
            await asyncio.wait({stopped}, timeout=pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    _log.info("worker_stopped")


def _give_up() -> None:
    _log.warning("worker_gave_up", cause="a job did not end in time")
    os._exit(GAVE_UP)


async def _live(runtime: Runtime, is_stopping: Callable[[], bool]) -> None:
    """One life: until it is cancelled, the database is lost, or the wall clock jumps."""
    over = asyncio.Event()
    app = build_worker_app(runtime, lambda: is_stopping() or over.is_set())
    async with app.open_async():
        parts = [
            asyncio.create_task(_host(app, runtime.settings.worker_poll_seconds)),
            asyncio.create_task(_wake_on_hints(app, runtime.db.url)),
            asyncio.create_task(_watch_the_clock()),
        ]
        _log.info("worker_started", jobs=len(SCHEDULE))
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.set()
            for part in parts:
                part.cancel()
            ends = await asyncio.gather(*parts, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


def build_worker_app(runtime: Runtime, should_stop: Callable[[], bool]) -> App:
    """The app with every job of the schedule as a periodic task."""
    app = queue.procrastinate_app(runtime.db.url)
    for job in SCHEDULE:
        _register(app, job, runtime, should_stop)
    return app


def _register(app: App, job: Job, runtime: Runtime, should_stop: Callable[[], bool]) -> None:
    turn = Turn()

    def once() -> None:
        run_job_safely(job, JobContext(runtime, clock.now(), f"job:{job.name}", should_stop))

    @app.periodic(cron=job.cron)
    @app.task(name=job.name, queueing_lock=job.name, queue=queue.NAME)
    def perform(timestamp: int | None = None) -> None:
        turn.take(once, should_stop=should_stop)


async def _host(app: App, poll_seconds: float) -> None:
    await app.run_worker_async(
        queues=[queue.NAME],
        concurrency=SLOTS,
        fetch_job_polling_interval=poll_seconds,
        update_heartbeat_interval=queue.HEARTBEAT_SECONDS,
        stalled_worker_timeout=queue.SILENT_SECONDS,
        delete_jobs="always",
        install_signal_handlers=False,
    )


async def _wake_on_hints(app: App, database_url: str) -> None:
    """Turn a hint into a job that one worker takes; what waits already is asked for once."""
    async for name in notifications(database_url, CHANNEL):
        if name in app.tasks:
            with contextlib.suppress(AlreadyEnqueued):
                await app.tasks[name].defer_async()


async def _watch_the_clock() -> None:
    """End when the wall clock has jumped: periodic tasks are counted from instants that may lie ahead now."""
    offset = clock.now().timestamp() - clock.monotonic()
    while abs(clock.now().timestamp() - clock.monotonic() - offset) < CLOCK_JUMP_SECONDS:
        await asyncio.sleep(CLOCK_LOOK_SECONDS)
    _log.warning("clock_jumped")
