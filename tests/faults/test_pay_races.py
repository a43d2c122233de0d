"""Two workers send while the money comes in: whoever's payment was committed before the look gets no letter."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from faults.harness import PROOF, SEED, all_accepted, nursery, tally, wait_until
from faults.test_worker_faults import arguments
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudges.books import due_clients, pay, rows, value

CLIENTS = 1_000 if PROOF else 120
pytestmark = [pytest.mark.fault, pytest.mark.timeout(900 if PROOF else 120)]


def test_no_look_after_a_payments_commit_says_send(
    db: Database, database_url: str, tmp_path: Path, figures: Callable[..., None]
) -> None:
    clients = due_clients(db, CLIENTS)
    dice = random.Random(SEED)
    paying = dice.sample(clients, CLIENTS // 2)
    committed: dict[int, object] = {}
    with (
        nursery(tmp_path / "workers.log") as workers,
        SmtpSink(tmp_path / "journal.jsonl", on_kept=lambda _: time.sleep(0.01)) as sink,
    ):
        given = arguments(database_url, sink, lease=30.0, speed=1.0)
        workers.spawn(**given)
        workers.spawn(**given)
        wait_until(lambda: len(sink.kept()) > 0)
        for client_id in paying:
            pay(db, client_id)
            committed[client_id] = value(db, "SELECT clock_timestamp()")
            time.sleep(dice.uniform(0, 0.004))
        wait_until(lambda: all_accepted(db), seconds=60)
        found = tally(db, sink.journal, expected=set(clients) - set(paying))
    letters = {row.client_id: row.looked_at for row in rows(db, "SELECT client_id, looked_at FROM letters")}
    late = [
        client_id for client_id, moment in committed.items() if client_id in letters and letters[client_id] > moment
    ]
    silenced = set(paying) - letters.keys()
    name = "pay while sending"
    more = {"paid": len(paying), "silenced": len(silenced), "sent_after_payment": len(late), "seed": SEED}
    figures(name, **found.figures(name, **more))
    assert late == []
    assert (found.lost, found.duplicate, found.unknown) == (0, 0, 0)
    assert 0 < len(silenced) < len(paying), "payments came before and after the looks: it was a race"
    with db.transaction() as session:
        reasons = session.scalars(
            text(
                "SELECT DISTINCT reason FROM reminders WHERE client_id = ANY(:ids) AND state = 'skipped' AND step = 'DUE'"
            ),
            {"ids": sorted(silenced)},
        ).all()
    assert reasons == ["paid"]
