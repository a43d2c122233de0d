"""The preview is the engine run forward; no future of it breaks the promise."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from nudgepay.nudges.calendars import is_working_day, local_instant
from nudgepay.nudges.facts import ClientFacts
from nudgepay.nudges.plan import plan
from nudgepay.nudges.simulate import simulate
from nudges.builders import CALENDAR, RULES, at, client, contact, invoice

ZONES = ("Europe/Berlin", "America/New_York", "Pacific/Apia", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu")
START = at("2026-01-02T00:00")


def test_it_tells_the_whole_sequence_of_one_invoice() -> None:
    log = simulate(client(), rules=RULES, calendar=CALENDAR, start=at("2026-03-01T00:00"), end=at("2026-05-01T00:00"))
    assert [(item.step, item.action, item.at) for item in log] == [
        ("T-3", "send", at("2026-03-09T08:00")),
        ("DUE", "hold", at("2026-03-10T08:00")),
        ("DUE", "send", at("2026-03-11T08:00")),
        ("+3", "send", at("2026-03-13T08:00")),
        ("+7", "send", at("2026-03-17T08:00")),
    ]


def test_a_promise_for_friday_is_silent_until_friday_plus_grace() -> None:
    promised = client(invoice(promised_until=date(2026, 3, 17)))
    log = simulate(promised, rules=RULES, calendar=CALENDAR, start=at("2026-03-01T00:00"), end=at("2026-05-01T00:00"))
    assert [item.at for item in log if item.action == "send"] == [at("2026-03-18T08:00")]


@st.composite
def clients(draw: st.DrawFn) -> ClientFacts:
    zone = draw(st.sampled_from(ZONES))
    invoices = []
    for index in range(draw(st.integers(1, 4))):
        due_on = date(2026, 1, 1) + timedelta(days=draw(st.integers(0, 90)))
        amount_paid = draw(st.sampled_from([0, 4_000, 10_000]))
        invoices.append(
            invoice(
                id=index + 1,
                due_on=due_on,
                currency=draw(st.sampled_from(["EUR", "JPY"])),
                amount_paid=amount_paid,
                disputed=draw(st.sampled_from([0, 0, 3_000, 10_000])),
                promised_until=draw(st.none() | st.just(due_on + timedelta(days=5))),
                paused_until=draw(st.none() | st.just(due_on + timedelta(days=2))),
            )
        )
    country = draw(st.sampled_from(["DE", "US", "JP", "WS"]))
    return client(*invoices, timezone=zone, country=country, contacts=(contact(timezone=zone),))


@settings(max_examples=120, deadline=None)
@given(clients())
def test_no_future_repeats_a_step_or_claims_what_is_paid(who: ClientFacts) -> None:
    log = simulate(who, rules=RULES, calendar=CALENDAR, start=START, end=START + timedelta(days=400))
    sends = [item for item in log if item.action == "send"]
    occurrences = [(item.invoice_id, item.step) for item in sends]
    assert len(occurrences) == len(set(occurrences))
    claimable = {item.id: item.claimable for item in who.invoices}
    assert all(0 < item.amount <= claimable[item.invoice_id] for item in sends)
    contact_days = sorted({item.at.astimezone(ZoneInfo(who.timezone)).date() for item in sends})
    assert all(later - earlier >= timedelta(days=2) for earlier, later in pairwise(contact_days))
    for item in sends:
        local = item.at.astimezone(ZoneInfo(who.timezone))
        assert is_working_day(local.date(), who.country)
        assert 9 <= local.hour < 17


@settings(max_examples=60, deadline=None)
@given(clients(), st.integers(0, 120))
def test_every_due_step_has_exactly_one_decision(who: ClientFacts, days: int) -> None:
    answer = plan(who, rules=RULES, calendar=CALENDAR, now=START + timedelta(days=days, hours=10))
    keys = [(item.invoice_id, item.step) for item in answer.due]
    assert len(keys) == len(set(keys))


@settings(max_examples=60, deadline=None)
@given(clients(), st.integers(0, 100))
def test_a_clock_set_back_an_hour_sends_nothing_twice(who: ClientFacts, days: int) -> None:
    turn = START + timedelta(days=days, hours=9)
    forward = simulate(who, rules=RULES, calendar=CALENDAR, start=START, end=turn)
    rows = {item.invoice_id: [] for item in forward}
    for item in forward:
        if item.action == "send":
            rows[item.invoice_id].append(item)
    from nudges.builders import row

    been = replace(
        who,
        invoices=tuple(
            replace(
                each,
                reminders=tuple(
                    row(item.step, "accepted", id=number) for number, item in enumerate(rows.get(each.id, []))
                ),
            )
            for each in who.invoices
        ),
    )
    again = simulate(been, rules=RULES, calendar=CALENDAR, start=turn - timedelta(hours=1), end=turn)
    first = {(item.invoice_id, item.step) for item in forward if item.action == "send"}
    assert not first & {(item.invoice_id, item.step) for item in again if item.action == "send"}


@given(st.dates(date(2011, 1, 1), date(2030, 12, 31)), st.times(), st.sampled_from(ZONES))
def test_a_local_time_becomes_one_instant_that_reads_back_or_moves_forward(
    day: date, moment: time, zone: str
) -> None:
    instant = local_instant(day, moment, zone)
    back = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    wanted = datetime.combine(day, moment)
    assert back == wanted or back > wanted
    assert instant.tzinfo is UTC
