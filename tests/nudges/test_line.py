"""Whose turn comes next: a bounded number of clients, and exactly how far they tell everything."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.differences import diff_hold, diff_schedule, with_pause, with_reminders
from nudgepay.nudges.facts import Rules
from nudgepay.nudges.line import Line, stand_in_line
from nudgepay.nudges.preview import Foreseen, Span, foresee, foresee_some
from nudgepay.nudges.queries import load_clients
from nudges.books import make_client, make_invoice, plan_all
from nudges.builders import STEPS

NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
SPAN = Span(Rules(), WorkCalendar(), NOW, NOW + timedelta(days=60))


def books(db: Database, clients: int, *, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(clients):
        client_id = make_client(db, f"c{number}", timezone=chance.choice(["Europe/Berlin", "Asia/Tokyo"]))
        for one in range(chance.randrange(1, 4)):
            due_on = date(2026, 2, 20) + timedelta(days=chance.randrange(70))
            make_invoice(db, client_id, f"{number}-{one}", due_on=due_on, now=NOW)
    plan_all(db, now=NOW)
    with db.transaction() as session:
        for statement in (
            "UPDATE invoices SET paused_until = due_on + 9, next_at = :now WHERE id % 5 = 0",
            "UPDATE invoices SET amnesty_at = now(), next_at = :now WHERE id % 7 = 0",
            "UPDATE invoices SET status = 'void', closed_at = now(), next_at = NULL WHERE id % 11 = 0",
        ):
            session.execute(text(statement), {"now": NOW})


def both(db: Database, **limits: int) -> tuple[Line, list[Foreseen], list[Foreseen]]:
    with db.transaction() as session:
        line = stand_in_line(session, end=SPAN.end, **limits)
        return line, list(foresee_some(session, SPAN, line.client_ids)), list(foresee(session, SPAN))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limits", [{"clients": 1}, {"clients": 4}, {"invoices": 5}, {}])
def test_up_to_its_end_the_line_tells_all_that_the_engine_foresees(
    db: Database, seed: int, limits: dict[str, int]
) -> None:
    books(db, 12, seed=seed)
    line, some, everything = both(db, **limits)
    if not limits:
        assert line.until is None
    end = line.until or SPAN.end + timedelta(seconds=1)

    def told(lines: list[Foreseen]) -> list[str]:
        return sorted(repr(one) for one in lines if one.decision.action == "send" and one.decision.at < end)

    assert told(some) == told(everything)
    if line.until is None:
        assert sorted(map(repr, some)) == sorted(map(repr, everything))


def test_nobody_stands_in_line_where_nothing_is_open(db: Database) -> None:
    with db.transaction() as session:
        assert stand_in_line(session, end=SPAN.end) == Line((), None)


def test_a_crowd_at_one_instant_is_told_as_incomplete_from_that_instant_on(db: Database) -> None:
    for number in range(3):
        make_invoice(db, make_client(db, f"c{number}"), f"{number}", due_on=NOW.date(), now=NOW)
    with db.transaction() as session:
        line = stand_in_line(session, end=SPAN.end, clients=2)
    assert (len(line.client_ids), line.until) == (2, NOW)


def test_the_difference_of_a_pause_is_told_for_the_invoice_or_for_all_of_the_client(db: Database) -> None:
    client_id = make_client(db)
    for number in ("A-1", "A-2"):
        make_invoice(db, client_id, number, due_on=date(2026, 3, 10), now=NOW)
    plan_all(db, now=NOW)
    with db.transaction() as session:
        first = load_clients(session, [client_id], now=NOW)[client_id].invoices[0].id
        one = diff_hold(
            session, client_id, lambda client: with_reminders(client, on=False, invoice_id=first), span=SPAN
        )
        forever = diff_hold(session, client_id, lambda client: with_pause(client, until=date.max), span=SPAN)
        while_paused = diff_hold(
            session, client_id, lambda client: with_pause(client, until=date(2026, 3, 11)), span=SPAN
        )
        nothing = diff_hold(session, client_id, lambda client: with_pause(client, until=None), span=SPAN)
    assert [(change.invoice, len(change.gone), change.new) for change in one] == [("A-1", 4, ())]
    assert [(change.invoice, len(change.gone), change.new) for change in forever] == [("A-1", 4, ()), ("A-2", 4, ())]
    assert nothing == ()
    late = datetime(2026, 3, 12, 8, 0, tzinfo=UTC)
    assert [change.new[0] for change in while_paused] == [("DUE", late), ("DUE", late)]


def test_a_difference_for_many_stops_at_its_limit_and_says_so(db: Database) -> None:
    for number in range(4):
        make_invoice(db, make_client(db, f"c{number}"), f"{number}", due_on=date(2026, 3, 10), now=NOW)
    with db.transaction() as session:
        some = diff_schedule(session, "default", STEPS[:1], version=2, span=SPAN, most_clients=3)
        few = diff_schedule(session, "default", STEPS[:1], version=2, span=SPAN, most_invoices=1)
        everybody = diff_schedule(session, "default", STEPS[:1], version=2, span=SPAN, most_clients=4)
    assert (some.clients, some.is_complete, len(some.changes)) == (3, False, 3)
    assert (few.clients, few.is_complete) == (1, False)
    assert (everybody.clients, everybody.is_complete, everybody.followers) == (4, True, 4)
