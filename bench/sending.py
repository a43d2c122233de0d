"""Sending against its limit: a bare smtplib loop over one reused connection, prebuilt message, the same relay.

`python bench/sending.py [--letters N] [--repetitions R] [--pool P]` prints one JSON document. Every figure is a
ratio of medians of interleaved repetitions in one run; seconds are information and are never asserted.
"""

import argparse
import json
import multiprocessing
import multiprocessing.connection
import smtplib
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from nudgepay import embedded
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.gateways.smtp import SmtpTransport
from nudgepay.gateways.smtp_client import Relay
from nudgepay.nudges.planning import run_planning
from nudgepay.nudges.sending import run_sending
from nudgepay.nudges.terms import terms_of
from nudgepay.schema_lifecycle.migrate import migrate

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent
EVIDENCE = ROOT / "docs" / "evidence" / "bench-sending.json"

FILL = """
WITH made AS (
  INSERT INTO clients (name, locale, timezone, country)
  SELECT 'Client ' || n, 'en', 'Europe/Berlin', 'DE' FROM generate_series(1, :n) AS n RETURNING id
), reachable AS (
  INSERT INTO contacts (client_id, name, email, token)
  SELECT id, 'Reader', 'reader' || id || '@client.example', 'c' || gen_random_uuid() FROM made
)
INSERT INTO invoices (number, client_id, currency, amount_due, amount_remaining, issued_on, due_on, token, next_at)
SELECT 'A-' || id, id, 'EUR', 10000, 10000, '2026-02-10', '2026-03-02', 'i' || gen_random_uuid(), :now FROM made
"""


def serve(pipe: multiprocessing.connection.Connection, directory: str) -> None:
    """The relay, in a process of its own."""
    with SmtpSink(Path(directory) / "journal.jsonl") as sink:
        pipe.send(sink.port)
        pipe.recv()


def bare_loop(port: int, mime: bytes, count: int) -> float:
    """The limit: seconds for `count` messages by the standard library alone."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="atelier.example") as client:
        client.ehlo()
        started = time.perf_counter()
        for _ in range(count):
            client.sendmail("billing@atelier.example", ["reader@client.example"], mime)
        return time.perf_counter() - started


def whole_pass(server: embedded.EmbeddedServer, url: str, port: int, count: int, pool: int) -> tuple[float, bytes]:
    """Seconds for `count` letters by claim, look, hand over, settle; and one of the messages."""
    name = f"bench_{uuid.uuid4().hex}"
    server.psql(f'CREATE DATABASE "{name}"')
    db = Database(url.replace("/postgres?", f"/{name}?"), pool_size=pool + 2)
    migrate(db)
    terms = terms_of(Settings.load({"ENVIRONMENT": "test", "FROM_EMAIL": "billing@atelier.example"}))
    with db.transaction() as session:
        session.execute(text(FILL), {"n": count, "now": NOW})
    run_planning(db, now=NOW, calendar=terms.calendar)
    transport = SmtpTransport(Relay("127.0.0.1", port, "none", "atelier.example"), pool_size=pool)
    started = time.perf_counter()
    report = run_sending(db, transport=transport, terms=terms, now=NOW)
    seconds = time.perf_counter() - started
    assert report.counts["accepted"] == count, report.counts
    with db.transaction() as session:
        mime = bytes(session.scalars(text("SELECT mime FROM letters LIMIT 1")).one())
    transport.close()
    db.close()
    return seconds, mime


def main() -> None:
    """Measure, print, and write the evidence."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--letters", type=int, default=600)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--pool", type=int, default=4)
    asked = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory(prefix="np-bench-") as home:
        server = embedded.start(Path(home))
        relay = multiprocessing.Process(target=serve, args=(theirs, home), daemon=True)
        relay.start()
        port = int(ours.recv())
        _, mime = whole_pass(server, server.get_uri("postgres"), port, 20, asked.pool)
        limits, passes = [], []
        for _ in range(asked.repetitions):
            limits.append(bare_loop(port, mime, asked.letters))
            passes.append(whole_pass(server, server.get_uri("postgres"), port, asked.letters, asked.pool)[0])
        ours.send("end")
        relay.join(10)
        server.cleanup()
    document = {
        "what": "sending: letters per second over those of a bare smtplib loop, same relay, same run",
        "ratio": round(statistics.median(limits) / statistics.median(passes), 4),
        "must": 0.06,
        "aim": 0.2,
        "n": asked.letters,
        "repetitions": asked.repetitions,
        "pool": asked.pool,
        "seconds": {"limit": [round(one, 3) for one in limits], "pass": [round(one, 3) for one in passes]},
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "seed": None,
    }
    EVIDENCE.parent.mkdir(parents=True, exist_ok=True)
    EVIDENCE.write_text(json.dumps(document, indent=2) + "\n")
    sys.stdout.write(EVIDENCE.read_text())


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
