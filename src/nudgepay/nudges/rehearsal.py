"""What a pass would do, without any of it: no row is written and nothing leaves."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.facts import ClientFacts
from nudgepay.nudges.plan import plan
from nudgepay.nudges.queries import load_clients, rules_now
from nudgepay.nudges.terms import Terms

AT_ONCE = 500


def rehearse_pass(session: Session, *, terms: Terms, now: datetime) -> dict[str, Any]:
    """The document of `nudge run --dry-run`: the same shape as a real pass, with nobody written to."""
    rules, calendar = rules_now(session, terms.rules), calendar_now(session, terms.calendar)
    document: dict[str, Any] = {"run_id": None, "now": now.isoformat(), "planned": 0, "letters": 0, "reminders": 0}
    document |= {"accepted": 0, "failed": 0, "unknown": 0, "held": [], "skipped": []}
    for client in _concerned(session, now=now):
        answer = plan(client, rules=rules, calendar=calendar, now=now)
        numbers = {invoice.id: invoice.number for invoice in client.invoices}
        document["planned"] += sum(decision.reminder_id is None for decision in answer.due)
        document["letters"] += len(answer.letters)
        document["reminders"] += sum(len(letter.decisions) for letter in answer.letters)
        for decision in answer.due:
            said = {"invoice": numbers[decision.invoice_id], "step": decision.step, "reason": decision.reason}
            if decision.action == "hold":
                document["held"].append(said | {"until": decision.until})
            elif decision.action == "skip":
                document["skipped"].append(said)
    return document


def _concerned(session: Session, *, now: datetime) -> Iterator[ClientFacts]:
    ids = list(session.scalars(text(_CONCERNED), {"now": now}))
    for start in range(0, len(ids), AT_ONCE):
        yield from load_clients(session, ids[start : start + AT_ONCE], now=now).values()


_CONCERNED = """
SELECT client_id FROM invoices WHERE status = 'open' AND next_at <= :now
 UNION
SELECT client_id FROM reminders WHERE state = 'planned' AND look_at <= :now
 ORDER BY 1
"""
