"""The way from an empty installation to letters that bring money, step by step, with how far one has come.

The steps are those of `docs/first-month.md`. Their state is read from the books and the settings, never ticked off
by hand, and nothing outside is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.config import Settings
from nudgepay.nudges.mailings.terms import mailing_terms
from nudgepay.readiness.checking import LastCheck, last_check
from nudgepay.readiness.doctor import SILENT_SECONDS

State = Literal["done", "todo", "trouble"]
CAP = 1_000
"""Rows that are counted at most."""


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One step. `trouble`: tried, and something is wrong. `count`: how many things it is about, where it counts."""

    key: str
    state: State
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Situation:
    books: Row[Any]
    check: LastCheck
    settings: Settings


_BOOKS = """
SELECT (SELECT count(*) FROM (SELECT FROM operators WHERE disabled_at IS NULL LIMIT :cap) AS o) AS operators,
       (SELECT count(*) FROM (SELECT FROM invoices LIMIT :cap) AS i) AS invoices,
       (SELECT count(*) FROM (SELECT FROM invoices WHERE amnesty_at IS NOT NULL AND status = 'open' LIMIT :cap) AS a)
         AS waiting,
       EXISTS (SELECT FROM ledger_entries
                WHERE kind = 'drill' AND name = 'cutover' AND outcome = 'done') AS rehearsed,
       EXISTS (SELECT FROM letters) AS wrote,
       (SELECT paused_at IS NULL FROM sending_switch WHERE id = 1) AS sending,
       (SELECT count(*) FROM procrastinate.procrastinate_workers
         WHERE last_heartbeat > clock_timestamp() - make_interval(secs => :silent)) AS workers
"""


def first_steps(session: Session, settings: Settings, *, now: datetime) -> list[FirstStep]:
    """Every step in the order in which a careful person takes them."""
    books = session.execute(text(_BOOKS), {"cap": CAP, "silent": SILENT_SECONDS}).one()
    situation = _Situation(books, last_check(session, now=now), settings)
    return [FirstStep(key, *judge(situation)) for key, judge in _STEPS.items()]


def _operator(case: _Situation) -> tuple[State, int]:
    return _when(case.books.operators > 0), case.books.operators


def _business(case: _Situation) -> tuple[State, int]:
    given = case.settings.model_fields_set
    return _when("business_name" in given and bool(case.settings.business_address.strip())), 0


def _payment(case: _Situation) -> tuple[State, int]:
    settings = case.settings
    takes_cards = settings.secret("stripe_secret_key") is not None
    if takes_cards and settings.secret("stripe_webhook_secret") is None:
        return "trouble", 0
    return _when(takes_cards or bool(settings.business_iban)), 0


def _sender(case: _Situation) -> tuple[State, int]:
    """What could not be looked up is neither done nor trouble: it is still to do."""
    verdicts = {one["name"]: one["verdict"] for one in case.check.about("sender.")}
    failed = sum(verdict == "failed" for verdict in verdicts.values())
    if failed:
        return "trouble", failed
    is_known = all(verdicts.get(name) in {"ok", "warning"} for name in _MUST_BE_KNOWN)
    return _when(case.check.progress == "done" and is_known), 0


_MUST_BE_KNOWN = ("sender.relay", "sender.spf", "sender.dmarc", "sender.way_back")
"""The relay may sign by itself, so that a signature that cannot be judged holds nobody up."""


def _books(case: _Situation) -> tuple[State, int]:
    return _when(case.books.invoices > 0), case.books.invoices


def _rehearsal(case: _Situation) -> tuple[State, int]:
    """Who has written letters has gone past the rehearsal."""
    return _when(case.books.rehearsed or case.books.wrote), 0


def _digest(case: _Situation) -> tuple[State, int]:
    wanted = mailing_terms(case.settings)
    return _when(bool(wanted.digest_to)), len(wanted.digest_to)


def _worker(case: _Situation) -> tuple[State, int]:
    return _when(case.books.workers > 0), case.books.workers


def _sending(case: _Situation) -> tuple[State, int]:
    return _when(bool(case.books.sending)), 0


def _amnesty(case: _Situation) -> tuple[State, int]:
    return _when(case.books.invoices > 0 and case.books.waiting == 0), case.books.waiting


def _when(is_done: bool) -> State:
    return "done" if is_done else "todo"


_STEPS: dict[str, Callable[[_Situation], tuple[State, int]]] = {
    "operator": _operator,
    "business": _business,
    "payment": _payment,
    "sender": _sender,
    "books": _books,
    "rehearsal": _rehearsal,
    "digest": _digest,
    "worker": _worker,
    "sending": _sending,
    "amnesty": _amnesty,
}
FIRST_STEPS = tuple(_STEPS)
"""The key of every step, in order."""
