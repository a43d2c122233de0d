"""Processes of the product are killed, starved, doubled and left off for days."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest

from automation.processes import hint
from faults.harness import PROOF, SEED, all_accepted, is_gone, measured, nursery, tally, wait_until
from faults.products import Poster, Site, serving, working
from faults.test_worker_faults import arguments
from nudgepay import clock
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudges.books import MONDAY, due_clients, make_client, make_invoice, pay, rows, value

CLIENTS = 400 if PROOF else 24
WEB_KILLS = 20 if PROOF else 2
STARVED = tuple(range(1, 61, 2)) if PROOF else (1, 9, 17, 33)
pytestmark = [pytest.mark.fault, pytest.mark.timeout(900 if PROOF else 120)]


def test_four_workers_that_begin_after_eight_days_send_one_letter_each_and_none_to_who_has_paid(
    db: Database, database_url: str, tmp_path: Path, figures: Callable[..., None]
) -> None:
    clients = due_clients(db, CLIENTS)
    paying = set(random.Random(SEED).sample(clients, CLIENTS // 4))
    for client_id in paying:
        pay(db, client_id)
    with SmtpSink(tmp_path / "journal.jsonl") as sink, ExitStack() as running:
        start = MONDAY + timedelta(days=8)
        for number in range(4):
            given = {"sink_port": sink.port, "journal": sink.journal, "now": start, "name": f"worker{number}"}
            running.enter_context(working(database_url, tmp_path, **given))
        wait_until(lambda: value(db, "SELECT count(*) FROM procrastinate.procrastinate_workers") == 4)
        wait_until(lambda: len(sink.kept()) >= CLIENTS - len(paying) or _hint(db), seconds=300)
        passes = value(db, "SELECT count(*) FROM runs")
        wait_until(lambda: value(db, "SELECT count(*) FROM runs") > passes or _hint(db))
    found = tally(db, sink.journal, expected=set(clients) - paying)
    steps = {row.step for row in rows(db, "SELECT step FROM reminders WHERE state = 'accepted'")}
    figures("eight days off, four workers", **measured("eight days off", found, paid=len(paying), seed=SEED))
    assert (found.lost, found.duplicate, found.unexpected, found.unknown) == (0, 0, 0, 0)
    assert len(sink.kept()) == CLIENTS - len(paying)
    assert steps == {"+7"}, "the step that fits today"


def _hint(db: Database) -> bool:
    hint(db, "nudge_pass")
    time.sleep(0.3)
    return False


def test_workers_that_run_out_of_memory_anywhere_lose_nothing_and_repeat_nothing(
    db: Database, database_url: str, tmp_path: Path, figures: Callable[..., None]
) -> None:
    due_clients(db, 30)
    with SmtpSink(tmp_path / "journal.jsonl") as sink, nursery(tmp_path / "workers.log") as workers:
        given = arguments(database_url, sink, lease=0.5)
        for spare in STARVED:
            pid = workers.spawn(**given, passes=1, spare_memory=spare)
            wait_until(lambda pid=pid: is_gone(pid), seconds=20)
            due_clients(db, 3, first=1_000 * spare)
        starved = workers.told()["starved"]
        workers.spawn(**given)
        wait_until(lambda: all_accepted(db), seconds=60)
    found = tally(db, sink.journal)
    figures("out of memory", **measured("out of memory", found, workers=len(STARVED), starved=starved))
    assert starved > 0, "memory did run out"
    assert (found.lost, found.duplicate, found.unexpected, found.unknown) == (0, 0, 0, 0)


def test_a_web_process_killed_under_load_has_stored_every_event_that_it_answered_with_yes(
    db: Database, database_url: str, tmp_path: Path, figures: Callable[..., None]
) -> None:
    dice = random.Random(SEED)
    acked: set[str] = set()
    cut = 0
    for number in range(WEB_KILLS):
        with serving(database_url, tmp_path) as site, Poster(site, pause=0.001, prefix=f"{number}_") as poster:
            wait_until(lambda poster=poster: len(poster.acked) > 5)
            time.sleep(dice.uniform(0, 0.3))
            assert site.process is not None
            site.process.kill()
            wait_until(lambda poster=poster: poster.statuses[0] > 0)
        acked |= poster.acked
        cut += 1
    stored = {row.event_id for row in rows(db, "SELECT event_id FROM stripe_events")}
    figures("web SIGKILL", **measured("web sigkill", n=len(acked), kills=cut, lost=len(acked - stored), seed=SEED))
    assert acked - stored == set()


def test_a_click_whose_web_process_was_killed_while_stripe_was_at_work_leaves_one_open_session(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    make_invoice(db, make_client(db), "A-1", due_on=clock.now().date(), now=clock.now())
    token = value(db, "SELECT token FROM invoices")
    with FakeStripe() as fake:
        keys = {"STRIPE_SECRET_KEY": fake.api_key, "STRIPE_API_BASE": fake.url}
        fake.fail_next("hold", on="POST /v1/checkout/sessions")
        with serving(database_url, tmp_path, **keys) as site:
            clicking = threading.Thread(target=_submit, args=(site, f"/p/{token}/pay", {}))
            clicking.start()
            assert fake.faults.holding.wait(20)
            assert site.process is not None
            site.process.kill()
            clicking.join(20)
        fake.faults.released.set()
        wait_until(lambda: len(fake.sessions("open")) == 1)
        with serving(database_url, tmp_path, **keys) as site:
            assert _submit(site, f"/p/{token}/pay", {}) == 303
            assert _submit(site, f"/p/{token}/pay", {}) == 303
        assert len(fake.sessions("open")) == 1
    assert value(db, "SELECT count(*) FROM checkout_sessions WHERE session_id IS NOT NULL") == 1


def test_an_answer_whose_web_process_was_killed_is_noted_once_when_it_is_given_again(
    db: Database, database_url: str, tmp_path: Path, figures: Callable[..., None]
) -> None:
    for number in range(WEB_KILLS):
        make_invoice(db, make_client(db, f"c{number}"), f"A-{number}", due_on=clock.now().date(), now=clock.now())
    tokens = [row.token for row in rows(db, "SELECT token FROM invoices ORDER BY id")]
    promise = {"day": (clock.now().date() + timedelta(days=4)).isoformat()}
    dice = random.Random(SEED)
    struck = 0
    for token in tokens:
        with serving(database_url, tmp_path) as site:
            answers: list[int] = []
            ask = partial(_promise, site, token, promise)
            giving = threading.Thread(target=lambda ask=ask, told=answers: told.append(ask()))
            giving.start()
            time.sleep(dice.uniform(0, 0.08))
            assert site.process is not None
            os.kill(site.process.pid, signal.SIGKILL)
            giving.join(20)
            struck += answers == [0]
    noted = value(db, "SELECT count(*) FROM promises")
    with serving(database_url, tmp_path) as site:
        again = {_promise(site, token, promise) for token in tokens}
    figures(
        "web SIGKILL in answers",
        **measured("web sigkill in answers", n=len(tokens), struck=struck, noted_before=noted),
    )
    assert again == {200}
    counts = rows(db, "SELECT count(*) AS n FROM promises WHERE state = 'pending' GROUP BY invoice_id")
    assert [row.n for row in counts] == [1] * len(tokens)
    assert struck > 0, "the kill came before an answer"


def _promise(site: Site, token: str, fields: dict[str, str]) -> int:
    return _submit(site, f"/p/{token}/promise", fields)


def _submit(site: Site, path: str, fields: dict[str, str]) -> int:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    return site.ask("POST", path, urlencode(fields).encode(), **headers)[0]
