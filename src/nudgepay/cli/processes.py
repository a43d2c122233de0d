"""`nudgepay serve`, `worker`, `up`, `jobs`, `notices`: what runs."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from nudgepay.cli.context import actor, judged_settings, open_runtime, print_json, runtime_over, say
from nudgepay.cli.tables import print_table

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from nudgepay.runtime import Runtime

jobs = typer.Typer(no_args_is_help=True, help="The automation schedule.")
notices = typer.Typer(help="What people must know or do.")
Port = Annotated[int, typer.Option(help="Port of the pages.")]
Host = Annotated[str, typer.Option(help="Address to listen on; put a TLS proxy before any other than loopback.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def serve(port: Port = 8000, host: Host = "127.0.0.1") -> None:
    """The web process; any number of them share one database.

    It listens as soon as the settings are judged, and loads what answers behind that.
    """
    gc.disable()  # what is imported stays: looking through it meanwhile finds nothing
    from nudgepay.web.listening import serve as run

    settings = judged_settings()

    @contextmanager
    def site() -> Iterator["ASGIApp"]:
        from nudgepay.web.serving import PATIENCE_SECONDS, scraped

        with runtime_over(settings, patience_seconds=PATIENCE_SECONDS) as runtime, scraped(runtime) as app:
            gc.freeze()
            gc.enable()
            _ensure_first_operator(runtime)
            say(f"Pages on http://{host}:{port}")
            yield app

    run(site, host=host, port=port)


def _ensure_first_operator(runtime: "Runtime") -> None:
    """Make the operator that the settings name; where nobody may sign in, say how to change that."""
    from nudgepay.access.operators import ensure_first_operator, has_operators

    email, password_hash = runtime.settings.admin_email, runtime.settings.secret("admin_password_hash")
    with runtime.db.transaction() as session:
        if email and password_hash and not has_operators(session):
            seed = runtime.settings.secret("admin_totp_secret")
            ensure_first_operator(session, email=email, password_hash=password_hash, totp_secret=seed)
        elif not has_operators(session):
            say("Nobody may sign in yet: nudgepay operators add EMAIL --role superadmin")


def worker() -> None:
    """A worker; any number of them, on any number of machines, share one database."""
    from nudgepay.automation.listener import listen_for_scrapes
    from nudgepay.automation.worker import run_worker
    from nudgepay.nudges.switch import ensure_switch

    with open_runtime() as runtime:
        with runtime.db.transaction() as session:
            switch = ensure_switch(session, environment=runtime.settings.environment, actor=actor())
        if switch.paused_at is not None:
            say(f"Sending is paused: {switch.reason}")
        stop = listen_for_scrapes(runtime, port=runtime.settings.metrics_port)
        try:
            say("Worker started; Ctrl-C ends it.")
            run_worker(runtime)
        finally:
            stop()


def up(port: Port = 8000, host: Host = "127.0.0.1") -> None:
    """Web and worker in one go; without DATABASE_URL with an own database, for development."""
    from nudgepay.cli.supervising import supervise

    with open_runtime() as runtime:
        if runtime.server is not None:
            say("Development: this database belongs to this machine alone.")
        code = supervise(runtime, host=host, port=port)
    raise typer.Exit(code)


@jobs.command("list")
def list_jobs(as_json: Json = False) -> None:
    """Every job, when it runs, and how it last went."""
    from sqlalchemy import text

    from nudgepay.automation.schedule import SCHEDULE

    query = text(
        "SELECT DISTINCT ON (name) name, started_at, ended_at, outcome FROM ledger_entries WHERE kind = 'job'"
        " ORDER BY name, started_at DESC"
    )
    with open_runtime() as runtime, runtime.db.transaction() as session:
        last = {row.name: row for row in session.execute(query)}
    rows = [
        {
            "job": job.name,
            "cron": job.cron,
            "purpose": job.purpose,
            "cost": job.cost,
            "last_started_at": last[job.name].started_at if job.name in last else None,
            "last_outcome": (last[job.name].outcome or "running") if job.name in last else "never ran",
        }
        for job in SCHEDULE
    ]
    if as_json:
        print_json(rows)
        return
    cells = [(row["job"], row["cron"], row["last_outcome"], row["last_started_at"], row["purpose"]) for row in rows]
    print_table("Jobs", ["job", "cron (UTC)", "last", "at", "what for"], cells, empty="")


@jobs.command("run")
def run_one(name: Annotated[str, typer.Argument(help="A job of `jobs list`.")], as_json: Json = False) -> None:
    """Run one job now, in this process."""
    from nudgepay import clock
    from nudgepay.automation.context import JobContext
    from nudgepay.automation.runner import run_job
    from nudgepay.automation.schedule import job_named

    job = job_named(name)
    with open_runtime() as runtime:
        figures = run_job(job, JobContext(runtime, clock.now(), actor()))
    if as_json:
        print_json({"job": name, "figures": figures})
    else:
        print_table(name, ["what", "count>"], list(figures.items()), empty="Nothing to do.")


@notices.callback(invoke_without_command=True)
def list_notices(context: typer.Context, as_json: Json = False) -> None:
    """What people must know or do, oldest first."""
    from nudgepay.ledger import open_notices

    if context.invoked_subcommand is not None:
        return
    with open_runtime() as runtime, runtime.db.transaction() as session:
        rows = [
            {
                "id": one.id,
                "kind": one.kind,
                "key": one.dedup_key,
                "since": one.created_at,
                "details": one.details,
            }
            for one in open_notices(session)
        ]
    if as_json:
        print_json(rows)
        return
    cells = [(row["key"], row["since"], row["details"]) for row in rows]
    print_table("Notices", ["notice", "since", "details"], cells, empty="Nothing needs a person.")


@notices.command("resolve")
def resolve(key: Annotated[str, typer.Argument(help="The notice, as listed.")]) -> None:
    """A person has seen to it. The same trouble opens a new notice."""
    from nudgepay import audit
    from nudgepay.errors import NotFound
    from nudgepay.ledger import resolve_notice

    with open_runtime() as runtime, runtime.db.transaction() as session:
        if not resolve_notice(session, key, actor=actor()):
            raise NotFound(f"no open notice is called {key!r}; see: nudgepay notices")
        audit.record(session, actor=actor(), action="notice.resolve", subject=f"notices:{key}")
    print("Resolved.")
