"""Where an invoice stands in its schedule: anchors, turns that come back, steps that are gone."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from nudgepay.nudges.facts import ClientFacts, Plan, Schedule, Step
from nudgepay.nudges.plan import plan
from nudgepay.nudges.simulate import simulate
from nudgepay.nudges.timeline import timeline
from nudges.builders import CALENDAR, DUE_ON, RULES, SCHEDULE, STEPS, at, client, contact, invoice, row

OFFICE = "2026-03-13T09:00"  # Friday 10:00 in Berlin, three days after the due date


def ask(who: ClientFacts, now: str = OFFICE, **rules: object) -> Plan:
    return plan(who, rules=replace(RULES, **rules), calendar=CALENDAR, now=at(now))


def outcome(answer: Plan) -> dict[str, str | None]:
    return {item.step: item.reason or item.action for item in answer.due}


def days(*steps: Step, country: str = "DE") -> list[str]:
    found = timeline(
        Schedule("default", 1, steps),
        issued_on=date(2026, 2, 10),
        due_on=DUE_ON,
        country=country,
        zone_name="Europe/Berlin",
        calendar=CALENDAR,
    )
    return [item.due_at.date().isoformat() for item in found]


def test_a_step_may_count_from_the_issue_or_from_the_step_before_it() -> None:
    first = Step("A", "issued_on", 5, False, "due", "friendly")
    assert days(first, Step("B", "previous_step", 10, False, "due", "firm")) == ["2026-02-16", "2026-02-25"]


def test_the_step_before_counts_from_its_nominal_day_not_from_the_working_day_it_moved_to() -> None:
    saturday = Step("A", "due_on", 4, False, "due", "friendly")
    assert days(saturday, Step("B", "previous_step", 1, False, "due", "firm")) == ["2026-03-16", "2026-03-16"]
    assert days(saturday, Step("B", "previous_step", 3, False, "due", "firm")) == ["2026-03-16", "2026-03-17"]


def test_business_days_skip_weekends_and_the_countrys_own_holidays() -> None:
    assert days(Step("A", "due_on", 19, True, "due", "firm")) == ["2026-04-08"]  # Good Friday, Easter Monday
    assert days(Step("A", "due_on", 19, True, "due", "firm"), country="US") == ["2026-04-06"]
    assert days(Step("A", "due_on", -2, True, "due", "firm")) == ["2026-03-06"]


def test_the_latest_step_fits_whose_minimum_the_claim_reaches() -> None:
    steep = Schedule("default", 1, (*STEPS[:3], replace(STEPS[3], minimum_remaining=5_000)))
    small = invoice(schedule=steep, amount_due=1_000)
    assert outcome(ask(client(small), "2026-03-17T09:00")) == {
        "T-3": "superseded",
        "DUE": "superseded",
        "+3": "send",
        "+7": "below_tolerance",
    }
    sent = replace(small, reminders=(row("+3", "accepted"),))
    assert outcome(ask(client(sent), "2026-03-17T09:00"))["+7"] == "below_tolerance"


@pytest.mark.parametrize("reason", ["paid", "voided", "uncollectible", "credited", "currency_mismatch"])
def test_a_step_that_ended_with_its_invoice_returns_when_the_invoice_is_open_again(reason: str) -> None:
    rows = (row("DUE", "skipped", reason=reason), row("+3", "skipped", id=2, reason=reason))
    answer = ask(client(invoice(reminders=rows)))
    assert outcome(answer) == {"T-3": "superseded", "+3": "send"}
    assert [item.reminder_id for item in answer.letters[0].decisions] == [2]


def test_a_step_that_was_superseded_does_not_return() -> None:
    (rows,) = [invoice(reminders=(row("+3", "skipped", reason="superseded", due_at=at("2026-03-13T08:00")),))]
    assert "+3" not in outcome(ask(client(rows)))


def test_a_waiting_step_whose_day_has_moved_waits_for_its_new_day() -> None:
    moved = invoice(due_on=date(2026, 4, 15), reminders=(row("DUE", "planned", due_at=at("2026-03-10T08:00")),))
    (held,) = ask(client(moved)).due
    assert (held.step, held.action, held.reason, held.until) == (
        "DUE",
        "hold",
        "outside_window",
        at("2026-04-15T07:00"),
    )
    assert outcome(ask(client(moved), "2026-04-15T07:00"))["DUE"] == "send"


def test_after_a_postponement_only_steps_that_have_not_left_go_on_their_new_days() -> None:
    sent = row("DUE", "accepted", due_at=at("2026-03-10T08:00"))
    skipped = row("T-3", "skipped", id=2, reason="superseded", due_at=at("2026-03-09T08:00"))
    moved = client(invoice(due_on=date(2026, 4, 15), reminders=(sent, skipped)))
    log = simulate(moved, rules=RULES, calendar=CALENDAR, start=at(OFFICE), end=at("2026-08-01T00:00"))
    assert [(item.step, item.at) for item in log if item.action == "send"] == [
        ("+3", at("2026-04-20T07:00")),  # the 18th is a Saturday
        ("+7", at("2026-04-22T07:00")),
    ]


def test_a_step_that_left_and_was_taken_out_of_the_schedule_ends_those_before_it() -> None:
    shorter = Schedule("default", 2, STEPS[:3])
    gone = row("+7", "accepted", due_at=at("2026-03-17T08:00"))
    answer = ask(client(invoice(schedule=shorter, reminders=(gone,))), "2026-03-20T09:00")
    assert set(outcome(answer).values()) == {"past_terminal_step"}
    assert answer.next_at == {1: None}


def test_a_nudge_by_hand_does_not_count_as_a_step() -> None:
    nudged = row("manual", "accepted", nudge_key="k", version=0, due_at=at("2026-03-12T15:00"))
    assert outcome(ask(client(invoice(reminders=(nudged,)))))["+3"] == "send"


def test_of_two_nudges_by_hand_before_either_went_one_goes() -> None:
    twice = (
        row("manual", "planned", id=1, version=0, nudge_key="a"),
        row("manual", "planned", id=2, version=0, nudge_key="b", gap_overridden=True),
    )
    answer = ask(client(invoice(reminders=twice)), "2026-03-01T10:00")
    assert [(item.reminder_id, item.reason or item.action) for item in answer.due] == [(2, "send"), (1, "superseded")]


@pytest.mark.parametrize("gap_days", [0, 2])
def test_a_due_step_waits_for_the_gap_after_the_nudge_by_hand_that_goes_now(gap_days: int) -> None:
    nudge = row("manual", "planned", version=0, nudge_key="a")
    answer = ask(client(invoice(reminders=(nudge,))), "2026-03-10T09:00", contact_gap_days=gap_days)
    assert outcome(answer) == {"manual": "send", "T-3": "superseded", "DUE": "contact_gap"}
    assert answer.due[-1].until == at(f"2026-03-{10 + max(1, gap_days)}T08:00")
    (letter,) = answer.letters
    assert [(item.step, item.amount) for item in letter.decisions] == [("manual", 10_000)]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"in_payment": True}, "payment_in_flight"),
        ({"disputed": 10_000}, "disputed"),
        ({"needs_review": True}, "needs_review"),
    ],
)
def test_a_nudge_by_hand_waits_for_money_in_doubt(facts: dict[str, object], reason: str) -> None:
    nudge = row("manual", "planned", version=0, nudge_key="a")
    held = ask(client(invoice(reminders=(nudge,), **facts)))
    assert outcome(held)["manual"] == reason


@pytest.mark.parametrize(
    ("who", "rules", "reason"),
    [
        ({"letter_unknown": True}, {}, "letter_unknown"),
        ({"contacts": (contact(blocked="wrong_person"),)}, {}, "wrong_person"),
        ({}, {"sending_paused": True}, "sending_paused"),
        ({"reminders_off": True, "paused_until": date(2026, 12, 1), "autopay": True}, {}, "send"),
    ],
)
def test_a_nudge_by_hand_waits_for_the_reader_and_the_sender_but_not_for_the_schedules_switches(
    who: dict[str, object], rules: dict[str, object], reason: str
) -> None:
    nudge = row("manual", "planned", version=0, nudge_key="a")
    assert outcome(ask(client(invoice(reminders=(nudge,)), **who), **rules))["manual"] == reason


def test_a_nudge_at_four_holds_the_automatic_step_of_the_next_morning_until_the_gap_is_over() -> None:
    nudge = row("manual", "planned", version=0, nudge_key="k", due_at=at("2026-03-09T15:00"))
    sent = (row("T-3", "accepted", id=2), nudge)
    log = simulate(
        client(invoice(reminders=sent)),
        rules=RULES,
        calendar=CALENDAR,
        start=at("2026-03-09T15:00"),  # Monday 16:00 in Berlin
        end=at("2026-03-12T00:00"),
    )
    assert [(item.step, item.action, item.reason, item.until) for item in log] == [
        ("manual", "send", None, None),
        ("DUE", "hold", "contact_gap", at("2026-03-11T08:00")),
        ("DUE", "send", None, None),
    ]
    assert log[-1].at == at("2026-03-11T08:00")


def test_a_clock_set_back_an_hour_does_not_forget_the_letter_of_the_hour_before() -> None:
    written = (contact(last_contact_at=at("2026-03-13T10:00")),)
    held = ask(client(contacts=written), "2026-03-13T09:15").due[-1]
    assert (held.step, held.reason, held.until) == ("+3", "contact_gap", at("2026-03-16T08:00"))


def test_letters_in_two_currencies_go_together_and_then_both_wait_for_the_gap() -> None:
    two = client(invoice(), invoice(id=2, currency="USD"))
    log = simulate(two, rules=RULES, calendar=CALENDAR, start=at("2026-03-09T08:00"), end=at("2026-03-12T00:00"))
    assert [(item.invoice_id, item.step, item.at) for item in log if item.action == "send"] == [
        (1, "T-3", at("2026-03-09T08:00")),
        (2, "T-3", at("2026-03-09T08:00")),
        (1, "DUE", at("2026-03-11T08:00")),
        (2, "DUE", at("2026-03-11T08:00")),
    ]


def test_a_later_due_step_supersedes_one_that_was_held() -> None:
    paused = client(invoice(paused_until=date(2026, 3, 12)))
    log = simulate(paused, rules=RULES, calendar=CALENDAR, start=at("2026-03-01T00:00"), end=at("2026-03-14T00:00"))
    assert [(item.step, item.reason or item.action) for item in log] == [
        ("T-3", "paused_until"),
        ("T-3", "superseded"),
        ("DUE", "paused_until"),
        ("DUE", "superseded"),
        ("+3", "send"),
    ]


def test_a_pause_without_an_end_has_no_clock() -> None:
    held = ask(client(invoice(paused_until=date.max))).due[-1]
    assert (held.reason, held.until) == ("paused_until", None)


def test_an_imported_overdue_invoice_waits_for_its_release_and_then_gets_one_letter() -> None:
    imported = client(invoice(amnesty=True))
    waiting = simulate(imported, rules=RULES, calendar=CALENDAR, start=at(OFFICE), end=at("2026-06-01T00:00"))
    assert {item.action for item in waiting} == {"hold", "skip"}
    assert ask(imported).next_at == {1: at("2026-03-17T08:00")}
    released = ask(client(invoice()), "2026-05-29T09:00")
    assert [item.step for item in released.due if item.action == "send"] == ["+7"]


def test_the_readers_own_zone_opens_the_window_where_it_differs_from_the_clients() -> None:
    abroad = client(contacts=(contact(timezone="America/New_York"),))
    held = ask(abroad, "2026-03-13T09:00").due[-1]  # five in the morning in New York
    assert (held.reason, held.until) == ("outside_window", at("2026-03-13T13:00"))


def test_the_schedule_in_force_is_the_one_that_is_asked() -> None:
    assert outcome(ask(client(invoice(schedule=replace(SCHEDULE, steps=STEPS[:1]))))) == {"T-3": "send"}


def test_a_payment_in_part_leaves_the_remainder_to_be_claimed() -> None:
    (letter,) = ask(client(invoice(amount_paid=4_000, money_state="partially_paid"))).letters
    assert [item.amount for item in letter.decisions] == [6_000]


@pytest.mark.parametrize(
    ("facts", "sends"),
    [
        ({"amount_paid": 10_000, "status": "paid"}, []),  # kept
        ({"amount_paid": 4_000}, [("+7", 6_000)]),  # kept in part
        ({}, [("+7", 10_000)]),  # broken
    ],
)
def test_a_promise_that_ended_leads_to_its_own_next_step(
    facts: dict[str, object], sends: list[tuple[str, int]]
) -> None:
    friday = date(2026, 3, 13)
    silent = client(invoice(promised_until=friday + timedelta(days=4)))
    during = simulate(
        silent, rules=RULES, calendar=CALENDAR, start=at("2026-03-11T08:00"), end=at("2026-03-17T22:00")
    )
    assert not [item for item in during if item.action == "send"]
    ended = client(invoice(**facts))
    after = simulate(ended, rules=RULES, calendar=CALENDAR, start=at("2026-03-18T08:00"), end=at("2026-05-01T00:00"))
    assert [(item.step, item.amount) for item in after if item.action == "send"] == sends
