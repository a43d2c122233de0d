"""Handing one letter over and writing down what became of it: the outside call first, then its own transaction."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from sqlalchemy.orm import Session

from nudgepay import clock, log, metrics
from nudgepay.db import Database, DatabaseUnavailable
from nudgepay.gateways.mail import (
    MailError,
    MailTransport,
    OutcomeUnknown,
    PermanentRefusal,
    Receipt,
    SenderNotReady,
    TemporaryRefusal,
    TooLate,
)
from nudgepay.nudges.looking import Outgoing
from nudgepay.nudges.recording import Silence
from nudgepay.nudges.report import SendingReport
from nudgepay.nudges.setting_aside import error_text
from nudgepay.nudges.settling import (
    Outcome,
    PutBack,
    settle_accepted,
    settle_put_back,
    settle_refused,
    settle_refused_for_now,
    settle_unknown,
)
from nudgepay.nudges.terms import Terms

Settlement = Callable[[Session], Outcome]
Moment = Literal["claimed", "looked", "may_begin", "delivered", "settled"]
TIMES_TOO_LATE = 3
"""A letter that misses its moment this often in one pass is left alone for a minute."""
SETTLING_PAUSES = (0.1, 0.5, 2.0, 5.0)
"""Seconds between tries to write down what is already a fact outside."""

logger = log.get("nudges")


@dataclass(slots=True)
class Crew:
    """What the hands of one pass share. `watch` is told of each moment in a letter's life."""

    db: Database
    transport: MailTransport
    terms: Terms
    now: datetime
    report: SendingReport
    watch: Callable[[Moment], None] = lambda _: None
    not_ready: SenderNotReady | None = None
    too_late: Counter[object] = field(default_factory=Counter)


def hand_over(sent: Outgoing, crew: Crew) -> Outcome:
    """Deliver one letter and settle it; raises only when the database stays away."""
    settle = _deliver(sent, crew)
    outcome = _surely(crew.db, settle)
    if outcome == "fenced":
        logger.warning("letter.fenced", letter_id=str(sent.letter_id))
    crew.report.count(outcome)
    metrics.letters.labels(state=outcome).inc()
    for line in sent.lines:
        metrics.reminders.labels(stage=line.step, status=outcome).inc()
    crew.watch("settled")
    return outcome


def _deliver(sent: Outgoing, crew: Crew) -> Settlement:
    """Speak to the transport; returns how the outcome is to be written down."""
    try:
        receipt = _speak(sent, crew)
    except MailError as error:
        metrics.emails.labels(status=type(error).__name__).inc()
        return _settlement_after(error, sent, crew)
    except Exception as error:  # the transport broke its word: nobody knows, and a bug is never a lost letter
        logger.exception("letter.transport_broke", letter_id=str(sent.letter_id))
        metrics.emails.labels(status="broken").inc()
        return partial(settle_unknown, sent=sent, reply=error_text(error))
    metrics.emails.labels(status="accepted").inc()
    crew.watch("delivered")
    return partial(settle_accepted, sent=sent, reply=receipt.reply, now=crew.now)


def _speak(sent: Outgoing, crew: Crew) -> Receipt:
    def may_begin() -> bool:
        crew.watch("may_begin")
        at = clock.monotonic()
        return at - sent.looked <= crew.terms.longest_look_seconds and at < sent.lease_ends

    if crew.not_ready is not None:
        raise crew.not_ready
    return crew.transport.deliver(sent.envelope, may_begin=may_begin)


def _settlement_after(error: MailError, sent: Outgoing, crew: Crew) -> Settlement:
    if isinstance(error, OutcomeUnknown):
        return partial(settle_unknown, sent=sent, reply=error.reply or str(error))
    if isinstance(error, PermanentRefusal):
        return partial(settle_refused, sent=sent, refusal=error, now=crew.now)
    if isinstance(error, TooLate):
        return partial(settle_put_back, sent=sent, back=_after_too_late(sent, crew))
    crew.report.hush([Silence(*line, "sender_not_ready") for line in sent.lines])
    if isinstance(error, TemporaryRefusal):
        return partial(settle_refused_for_now, sent=sent, refusal=error, now=crew.now)
    if isinstance(error, SenderNotReady):
        crew.not_ready = error
        return partial(settle_put_back, sent=sent, back=after_not_ready(error, crew.now))
    return partial(settle_unknown, sent=sent, reply=str(error))


def _after_too_late(sent: Outgoing, crew: Crew) -> PutBack:
    crew.report.count("too_late")
    crew.too_late[sent.letter_id] += 1
    if crew.too_late[sent.letter_id] < TIMES_TOO_LATE:
        return PutBack(look_at=crew.now)
    return PutBack(look_at=crew.now + timedelta(minutes=1), held_reason="sender_not_ready")


def after_not_ready(error: SenderNotReady, now: datetime) -> PutBack:
    """Nothing was wrong with the letter: it waits until the relay may be asked again, however often."""
    wait = timedelta(seconds=max(error.retry_after, 60))
    return PutBack(look_at=now + wait, held_reason="sender_not_ready", error=str(error), reply=error.reply or None)


def _surely(db: Database, settle: Settlement) -> Outcome:
    """Write it down, and insist for some seconds: unwritten, it would be in doubt when its lease ends."""
    for pause in SETTLING_PAUSES:
        try:
            with db.transaction() as session:
                return settle(session)
        except DatabaseUnavailable as error:
            logger.warning("letter.settling_again", cause=str(error))
            threading.Event().wait(pause)
    with db.transaction() as session:
        return settle(session)
