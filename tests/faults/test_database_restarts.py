"""PostgreSQL is restarted and crashes while events come in and letters go out."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from automation.processes import hint
from faults.conftest import OwnDatabase
from faults.harness import PROOF, SEED, all_accepted, measured, tally, wait_until
from faults.products import Poster, serving, working
from nudgepay.db import DatabaseUnavailable
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudges.books import due_clients, rows

ROUNDS = 20 if PROOF else 1
LETTERS = 400 if PROOF else 16
pytestmark = [pytest.mark.fault, pytest.mark.timeout(900 if PROOF else 120)]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_every_event_that_was_answered_yes_survives_restarts_and_letters_go_once(
    own: OwnDatabase, tmp_path: Path, mode: str, figures: Callable[..., None]
) -> None:
    due_clients(own.db, LETTERS)
    recoveries = []
    with (
        SmtpSink(tmp_path / "journal.jsonl", on_kept=lambda _: time.sleep(0.1)) as sink,
        serving(own.url(), tmp_path) as site,
        working(
            own.url(),
            tmp_path,
            sink_port=sink.port,
            journal=sink.journal,
            SENDING_LEASE_SECONDS="3",
            SMTP_TIMEOUT_SECONDS="2",
        ),
        Poster(site) as poster,
    ):
        wait_until(lambda: bool(sink.kept()) or _hint(own))
        for number in range(ROUNDS):
            before = own.server.started_at()
            own.server.restart(mode)
            answering = time.monotonic()
            assert own.server.started_at() != before, "it was restarted"
            wait_until(lambda number=number: site.post_event(f"evt_after_{number}")[0] == 200, seconds=10)
            recoveries.append(time.monotonic() - answering)
            if number % 5 == 0:  # a worker that was cut off often begins again only after half a minute
                seen = len(sink.kept())
                wait_until(
                    lambda seen=seen: len(sink.kept()) > seen or all_accepted(own.db) or _hint(own), seconds=60
                )
        wait_until(lambda: _is_over(own), seconds=120)
        time.sleep(0.3)
    stored = {row.event_id for row in rows(own.db, "SELECT event_id FROM stripe_events")}
    found = tally(own.db, sink.journal)
    lost = poster.acked - stored
    more = {
        "restarts": ROUNDS,
        "events_acked": len(poster.acked),
        "events_lost": len(lost),
        "refused_503": poster.statuses[503],
        "slowest_recovery_seconds": round(max(recoveries), 1),
        "seed": SEED,
    }
    figures(f"PostgreSQL {mode}", **measured(f"postgresql {mode}", found, **more))
    assert lost == set()
    assert len(poster.acked) > 20, "events came in all the while"
    assert poster.statuses.keys() <= {200, 503}
    assert (found.lost, found.duplicate, found.unexpected, found.unknown) == (0, 0, 0, 0)


def _hint(own: OwnDatabase) -> bool:
    try:
        hint(own.db, "nudge_pass")
    except DatabaseUnavailable:
        return False
    time.sleep(0.3)
    return False


def _is_over(own: OwnDatabase) -> bool:
    return all_accepted(own.db) or _hint(own)
