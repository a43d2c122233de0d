"""Real workers on a real database, a scripted relay on loopback, and processes that die or freeze anywhere."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from faults.harness import (
    PROOF,
    SEED,
    Nursery,
    all_accepted,
    is_gone,
    is_stopped_or_gone,
    nursery,
    tally,
    wait_until,
    wake,
)
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_session import Manners
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.gateways.fakes.smtp_turns import ACCEPT_THEN_HANG_UP, HANG_UP_BEFORE_STORING, NEVER_ANSWER, refuse
from nudges.books import MONDAY, due_clients, rows, states, value

LETTERS = 2_000 if PROOF else 200
KILLS = 200 if PROOF else 30
FREEZES = 30 if PROOF else 2
pytestmark = [pytest.mark.fault, pytest.mark.timeout(900 if PROOF else 120)]


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Nursery]:
    with nursery(tmp_path / "workers.log") as made:
        yield made


def arguments(database_url: str, sink: SmtpSink, **changes: Any) -> dict[str, Any]:
    return {
        "url": database_url,
        "port": sink.port,
        "journal": str(sink.journal),
        "lease": 1.0,
        "now": MONDAY.isoformat(),
        "started": time.time(),
        "speed": 30.0,
    } | changes


def test_workers_killed_at_random_lose_nothing_and_repeat_nothing(
    db: Database, database_url: str, tmp_path: Path, workers: Nursery, figures: Callable[..., None]
) -> None:
    due_clients(db, LETTERS)
    dice = random.Random(SEED)
    kills = 0
    kept: list[object] = []

    def keep(letter: object) -> None:
        kept.append(letter)
        time.sleep(0.12)

    with SmtpSink(tmp_path / "journal.jsonl", on_kept=keep) as sink:
        given = arguments(database_url, sink)
        alive = [workers.spawn(**given), workers.spawn(**given)]
        while kills < KILLS and not all_accepted(db):
            before = len(kept)
            wait_until(lambda before=before: len(kept) > before or all_accepted(db), seconds=60)
            time.sleep(dice.uniform(0.0, 0.3))
            victim = dice.randrange(2)
            workers.kill(alive[victim])
            kills += 1
            alive[victim] = workers.spawn(**given)
        wait_until(lambda: all_accepted(db), seconds=240)
    found = tally(db, sink.journal)
    reconciled = value(db, "SELECT count(*) FROM audit_events WHERE actor = 'job:reconcile'")
    figures("SIGKILL at random", **found.figures("SIGKILL at random", kills=kills, reconciled=reconciled, seed=SEED))
    assert (found.lost, found.duplicate, found.unexpected, found.unknown) == (0, 0, 0, 0)
    assert kills > KILLS / 2, "there was work left to strike"
    assert reconciled > 0, "the kills struck letters on their way"


def test_a_worker_killed_between_the_relays_yes_and_its_own_record_leaves_one_letter(
    db: Database, database_url: str, tmp_path: Path, workers: Nursery, figures: Callable[..., None]
) -> None:
    due_clients(db, 1)
    victims: list[int] = []
    killed = threading.Event()

    def on_kept(_: dict[str, Any]) -> None:
        if not killed.is_set():
            workers.kill(victims[0])
            killed.set()

    with SmtpSink(tmp_path / "journal.jsonl", on_kept=on_kept) as sink:
        victims.append(workers.spawn(**arguments(database_url, sink)))
        assert killed.wait(30)
        assert states(db, "letters") == {"sending": 1}, "killed after the relay took it, before we wrote it down"
        workers.spawn(**arguments(database_url, sink))
        wait_until(lambda: states(db, "letters") == {"accepted": 1})
    found = tally(db, sink.journal)
    figures("SIGKILL between 250 and commit", **found.figures("SIGKILL between 250 and commit", kills=1))
    assert (found.lost, found.duplicate, found.unknown) == (0, 0, 0)
    assert value(db, "SELECT count(*) FROM audit_events WHERE action = 'letter.confirm'") == 1
    assert value(db, "SELECT count(*) FROM notices WHERE kind = 'letter.unknown'") == 1


@pytest.mark.parametrize("moment", ["may_begin", "kept"])
def test_a_worker_frozen_beyond_its_lease_writes_nothing_when_it_wakes(
    db: Database,
    database_url: str,
    tmp_path: Path,
    workers: Nursery,
    moment: str,
    figures: Callable[..., None],
) -> None:
    frozen: list[int] = []
    sleepers: list[int] = []
    frozen_rounds = 0

    def on_kept(_: dict[str, Any]) -> None:
        if moment == "kept" and sleepers and len(frozen) < FREEZES and sleepers[-1] not in frozen:
            os.kill(sleepers[-1], signal.SIGSTOP)
            frozen.append(sleepers[-1])

    freeze_at = "may_begin" if moment == "may_begin" else None
    manners = Manners(idle_seconds=0.6)
    with SmtpSink(tmp_path / "journal.jsonl", manners=manners, on_kept=on_kept) as sink:
        given = arguments(database_url, sink, passes=1)
        while frozen_rounds < FREEZES:
            due_clients(db, 3, first=3 * len(sleepers))
            pid = workers.spawn(**given, freeze_at=freeze_at)
            sleepers.append(pid)
            wait_until(partial(is_stopped_or_gone, pid))
            frozen_rounds += not is_gone(pid)
            time.sleep(1.3)
            wait_until(partial(is_gone, workers.spawn(**given)))
            if not is_gone(pid):
                wake(pid)
            wait_until(partial(is_gone, pid))
        workers.spawn(**given | {"passes": None})
        wait_until(lambda: all_accepted(db))
    found = tally(db, sink.journal)
    told = workers.told()
    name = f"SIGSTOP at {moment}"
    figures(name, **found.figures(name, rounds=frozen_rounds, fenced=told["fenced"]))
    assert (found.lost, found.duplicate, found.unexpected, found.unknown) == (0, 0, 0, 0)
    assert told["fenced"] > 0, "a sleeper woke up to find its fence gone"


def test_every_way_in_which_a_relay_can_fail_leaves_each_letter_exactly_once(
    db: Database, database_url: str, tmp_path: Path, workers: Nursery, figures: Callable[..., None]
) -> None:
    due_clients(db, 12)
    with SmtpSink(tmp_path / "journal.jsonl") as sink:
        sink.script.plan(ACCEPT_THEN_HANG_UP, recipient="client1@client.example")
        sink.script.plan(HANG_UP_BEFORE_STORING, recipient="client2@client.example")
        sink.script.plan(refuse(451, at="RCPT"), recipient="client3@client.example")
        sink.script.plan(refuse(452, at="message"), recipient="client4@client.example")
        sink.script.plan(refuse(554, at="message"), recipient="client5@client.example")
        sink.script.plan(refuse(550, text="5.1.1 nobody"), recipient="client6@client.example")
        sink.script.plan(refuse(421, at="DATA"), recipient="client7@client.example")
        sink.script.plan(HANG_UP_BEFORE_STORING, HANG_UP_BEFORE_STORING, recipient="client8@client.example")
        given = arguments(database_url, sink, lease=1.5, speed=120.0)
        workers.spawn(**given)
        workers.spawn(**given)
        wait_until(lambda: set(states(db)) == {"accepted", "failed", "skipped"}, seconds=60)
    found = tally(db, sink.journal)
    failed = {row.to_address for row in rows(db, "SELECT to_address FROM letters WHERE state = 'failed'")}
    figures("a relay of many moods", **found.figures("a relay of many moods", failed=len(failed)))
    assert failed == {"client5@client.example", "client6@client.example"}
    assert (found.lost, found.duplicate, found.unexpected, found.unknown) == (0, 0, 0, 0)
    assert len({entry["message_id"] for entry in sink.kept()}) == len(sink.kept()) == 10


def test_a_relay_that_swallows_letters_in_silence_holds_nobody_up_for_ever(
    db: Database, database_url: str, tmp_path: Path, workers: Nursery
) -> None:
    due_clients(db, 6)
    with SmtpSink(tmp_path / "journal.jsonl") as sink:
        sink.script.plan(NEVER_ANSWER, recipient="client0@client.example")
        workers.spawn(**arguments(database_url, sink, lease=20.0))
        wait_until(lambda: states(db).get("accepted", 0) == 5)
        wait_until(lambda: states(db, "letters").get("unknown", 0) == 1)
    assert states(db, "letters") == {"accepted": 5, "unknown": 1}
    assert value(db, "SELECT count(*) FROM notices WHERE kind = 'letter.unknown'") == 1
