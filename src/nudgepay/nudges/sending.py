"""The sending pass: claim, last look, hand over, settle. Any number of passes may run side by side.

The rows are the truth: a claim is a lease, a letter is recorded before its first byte leaves, and whoever lost a
lease writes nothing. Killing a pass anywhere loses no letter and repeats none.
"""

import uuid
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timedelta

from nudgepay import clock, ledger, log
from nudgepay.db import Database, DatabaseUnavailable
from nudgepay.gateways.mail import MailTransport
from nudgepay.nudges.claiming import BATCH, Claim, claim, release
from nudgepay.nudges.handing import Crew, Moment, after_not_ready, hand_over
from nudgepay.nudges.looking import Look, look
from nudgepay.nudges.report import SendingReport
from nudgepay.nudges.setting_aside import OWN_TROUBLE, error_text, hold_what_is_due, resolve_repaired, set_aside
from nudgepay.nudges.settling import ACTOR
from nudgepay.nudges.terms import Terms

SMALLEST_PACE, LARGEST_PACE = 4, BATCH
QUICK_SECONDS = 1.0
"""A batch handed over within this long may be followed by one twice as large."""
A_MINUTE = timedelta(minutes=1)

logger = log.get("nudges")


def run_sending(
    db: Database,
    *,
    transport: MailTransport,
    terms: Terms,
    now: datetime,
    run_id: uuid.UUID | None = None,
    client_ids: Collection[int] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    watch: Callable[[Moment], None] = lambda _: None,
) -> SendingReport:
    """Send what is due at `now` (UTC business time) until nothing is, or until `should_stop`.

    `client_ids` restricts it. Raises DatabaseUnavailable when the database stays away; what was claimed is given
    back where possible and expires otherwise.
    """
    crew = Crew(db, transport, terms, now, SendingReport(), watch)
    pace = SMALLEST_PACE
    left: list[Claim] = []

    def goes_on() -> bool:
        return crew.not_ready is None and not should_stop()

    try:
        with ThreadPoolExecutor(max_workers=transport.concurrency, thread_name_prefix="letters") as hands:
            while goes_on():
                left = _claim(crew, client_ids)
                if not left:
                    break
                while left and goes_on():
                    batch, left = left[:pace], left[pace:]
                    for seen in _looks(batch, crew, run_id):
                        pace = _hand_over_all(seen, crew, hands, pace)
    finally:
        _leave_the_rest(left, crew, client_ids)
    return crew.report


def _claim(crew: Crew, client_ids: Collection[int] | None) -> list[Claim]:
    with crew.db.transaction() as session:
        claims = claim(session, now=crew.now, lease_seconds=crew.terms.lease_seconds, client_ids=client_ids)
    crew.watch("claimed")
    return claims


def _hand_over_all(seen: Look, crew: Crew, hands: ThreadPoolExecutor, pace: int) -> int:
    """Deliver a look's letters side by side; returns how many clients the next look may take."""
    started = clock.monotonic()
    late_before = crew.report.counts["too_late"]
    for sent in seen.outgoing:
        crew.report.speak(sent.letter_id, [line.reminder_id for line in sent.lines])
    contexts = [copy_context() for _ in seen.outgoing]
    for _ in hands.map(lambda context, sent: context.run(hand_over, sent, crew), contexts, seen.outgoing):
        pass
    is_quick = clock.monotonic() - started < QUICK_SECONDS
    return _next_pace(pace, is_quick=is_quick, is_late=crew.report.counts["too_late"] > late_before)


def _next_pace(pace: int, *, is_quick: bool, is_late: bool) -> int:
    if is_late:
        return max(pace // 2, 1)
    return min(pace * 2, LARGEST_PACE) if is_quick else pace


def _looks(batch: list[Claim], crew: Crew, run_id: uuid.UUID | None) -> Iterator[Look]:
    """One look at all of them; where that fails, or a client is locked, one look each."""
    try:
        seen = _look(batch, crew, run_id)
    except Exception as error:  # noqa: BLE001  # each is tried alone next, and its own trouble is reported there
        logger.warning("look.failed_together", cause=error_text(error), clients=len(batch))
        alone = batch
    else:
        yield seen
        alone = list(seen.busy)
    for one in alone:
        try:
            yield _look([one], crew, run_id)
        except (DatabaseUnavailable, *OWN_TROUBLE) as error:
            logger.warning("look.postponed", client_id=one.client_id, cause=error_text(error))
            with crew.db.transaction() as session:
                release(session, [one], look_at=crew.now + A_MINUTE)
        except Exception as error:
            logger.exception("look.failed", client_id=one.client_id)
            with crew.db.transaction() as session:
                crew.report.hush(set_aside(session, one, error, now=crew.now))
            crew.report.count("poisoned")


def _look(batch: list[Claim], crew: Crew, run_id: uuid.UUID | None) -> Look:
    with crew.db.transaction() as session:
        seen = look(session, batch, terms=crew.terms, now=crew.now, run_id=run_id)
    crew.report.hush(seen.silences)
    crew.report.count("fenced", seen.fenced)
    crew.report.count("poisoned", seen.poisoned)
    crew.watch("looked")
    return seen


def _leave_the_rest(left: list[Claim], crew: Crew, client_ids: Collection[int] | None) -> None:
    """What was claimed and not looked at goes back; while the relay cannot be used, all that is due waits for it."""
    with crew.db.transaction() as session:
        release(session, left)
        resolve_repaired(session, actor=ACTOR)
        if crew.not_ready is not None:
            back = after_not_ready(crew.not_ready, crew.now)
            crew.report.hush(hold_what_is_due(session, now=crew.now, until=back.look_at, client_ids=client_ids))
            ledger.notice(session, "sender.not_ready", "sender.not_ready", {"cause": str(crew.not_ready)})
        elif crew.report.counts["accepted"]:
            ledger.resolve_notice(session, "sender.not_ready", actor=ACTOR)
