"""The engine at its edges: equal amounts, equal instants, the last unit, the row that another version left behind."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.facts import ClientFacts, Decision, Plan, Schedule, Step
from nudgepay.nudges.plan import plan
from nudges.builders import CALENDAR, DUE_ON, RULES, SCHEDULE, STEPS, at, client, contact, invoice, row

OFFICE = at("2026-03-13T09:00")  # Friday 10:00 in Berlin, three days after the due date
OF_THREE = at("2026-03-13T08:00")  # when "+3" is due


def ask(who: ClientFacts, **rules: Any) -> Plan:
    return plan(who, rules=replace(RULES, **rules), calendar=CALENDAR, now=OFFICE)


def decision(who: ClientFacts, step: str = "+3", **rules: Any) -> Decision:
    (found,) = [item for item in ask(who, **rules).due if item.step == step]
    return found


def test_a_claim_of_payment_is_over_at_its_very_end() -> None:
    assert decision(client(invoice(claimed_paid_until=OFFICE))).action == "send"
    assert decision(client(invoice(claimed_paid_until=OFFICE + timedelta(seconds=1)))).reason == "payment_claimed"


def test_the_last_unit_of_a_currency_is_still_claimed() -> None:
    found = decision(client(invoice(amount_paid=9_999)))
    assert (found.action, found.amount) == ("send", 1)


@pytest.mark.parametrize(("days", "action"), [(0, "send"), (1, "hold")])
def test_without_a_gap_two_letters_may_go_on_one_day_and_with_one_day_they_may_not(days: int, action: str) -> None:
    nudged = contact(last_contact_at=at("2026-03-13T08:00"))
    found = decision(client(contacts=(nudged,)), contact_gap_days=days)
    assert found.action == action
    assert found.until == (at("2026-03-16T08:00") if days else None)


def test_the_billing_contact_is_written_to_before_an_older_approver() -> None:
    people = (contact(role="approver", email="bo@client.example"), contact(id=2))
    (letter,) = ask(client(contacts=people)).letters
    assert letter.contact_id == 2
    blocked = (replace(people[0], blocked="opted_out"), replace(people[1], blocked="contact_bounced"))
    assert decision(client(contacts=blocked)).reason == "contact_bounced"


def test_a_step_whose_minimum_is_exactly_what_is_claimed_fits() -> None:
    picky = Schedule("default", 1, tuple(replace(step, minimum_remaining=10_000) for step in STEPS))
    assert decision(client(invoice(schedule=picky))).action == "send"
    assert decision(client(invoice(schedule=picky, amount_paid=1))).reason == "below_tolerance"


def test_a_later_step_whose_minimum_is_just_reached_goes_before_an_earlier_one_without() -> None:
    minimums = {"+3": 10_000}
    picky = Schedule(
        "default", 1, tuple(replace(step, minimum_remaining=minimums.get(step.code, 0)) for step in STEPS)
    )
    for paid, step in ((0, "+3"), (1, "DUE")):
        due = ask(client(invoice(schedule=picky, amount_paid=paid))).due
        assert [item.step for item in due if item.action == "send"] == [step]


def test_money_in_another_currency_ends_the_reminders() -> None:
    found = decision(client(invoice(currency_mismatch=True)))
    assert (found.action, found.reason) == ("skip", "currency_mismatch")


def test_a_step_that_left_and_is_gone_counts_by_its_instant_up_to_the_very_same() -> None:
    gone = row("GONE", "accepted", due_at=OF_THREE)
    rows = (gone, row("+3", "planned", id=2, due_at=OF_THREE))
    assert decision(client(invoice(reminders=rows))).reason == "superseded"


def test_a_waiting_row_of_another_version_gives_way_to_the_one_in_force() -> None:
    old = row("+3", "planned", due_at=at("2026-03-12T08:00"))
    answer = ask(client(invoice(schedule=replace(SCHEDULE, version=2), reminders=(old,))))
    found = [(item.schedule_version, item.action, item.at) for item in answer.due if item.step == "+3"]
    assert found == [(1, "skip", old.due_at), (2, "send", OFFICE)]


def test_a_waiting_row_of_a_step_that_the_schedule_lacks_ends_at_its_own_instant() -> None:
    stray = row("GONE", "planned", due_at=OF_THREE)
    found = decision(client(invoice(reminders=(stray,))), "GONE")
    assert (found.action, found.reason, found.at) == ("skip", "superseded", OF_THREE)


def test_a_step_may_count_from_the_issue() -> None:
    early = Schedule("default", 1, (Step("A", "issued_on", 5, False, "due", "firm"),))
    assert decision(client(invoice(schedule=early)), "A").action == "send"


def test_a_decision_to_send_carries_the_words_of_its_step() -> None:
    found = decision(client())
    assert (found.template, found.tone, found.at, found.amount) == ("overdue", "firm", OFFICE, 10_000)


def test_a_nudge_by_hand_has_its_own_words_and_the_first_ordered_goes() -> None:
    ordered = [row("manual", "planned", id=n, version=0, nudge_key=str(n), due_at=OF_THREE) for n in (5, 4)]
    answer = ask(client(invoice(reminders=tuple(ordered))))
    by_hand = {item.reminder_id: item for item in answer.due if item.step == "manual"}
    assert (by_hand[4].action, by_hand[4].template, by_hand[4].tone) == ("send", "manual", "friendly")
    assert (by_hand[5].action, by_hand[5].reason, by_hand[5].at) == ("skip", "superseded", OF_THREE)
    waiting = next(item for item in answer.due if item.step == "+3")
    assert (waiting.action, waiting.reason, waiting.until) == ("hold", "contact_gap", at("2026-03-16T08:00"))


def test_a_failed_step_does_not_return_because_its_day_has_moved() -> None:
    failed = row("+3", "failed", due_at=at("2026-03-12T08:00"))
    assert [item.step for item in ask(client(invoice(reminders=(failed,)))).due] == ["T-3", "DUE"]


@pytest.mark.parametrize(
    ("reason", "moved", "returns"),
    [("paid", False, True), ("paid", True, True), ("superseded", True, True), ("superseded", False, False)],
)
def test_a_skipped_step_returns_with_its_invoice_or_with_its_day(reason: str, moved: bool, returns: bool) -> None:
    due_at = OF_THREE - timedelta(days=1 if moved else 0)
    skipped = row("+3", "skipped", reason=reason, due_at=due_at)
    steps = [item.step for item in ask(client(invoice(reminders=(skipped,)))).due if item.action == "send"]
    assert steps == (["+3"] if returns else [])


def test_a_skipped_step_of_another_version_does_not_return_beside_the_one_in_force() -> None:
    old = row("+3", "skipped", reason="paid", due_at=OF_THREE)
    answer = ask(client(invoice(schedule=replace(SCHEDULE, version=2), reminders=(old,))))
    assert [item.schedule_version for item in answer.due if item.step == "+3"] == [2]


def test_after_closing_on_a_working_day_the_next_day_opens() -> None:
    window = WorkCalendar().window(at("2026-03-10T17:00"), "DE", "Europe/Berlin")
    assert (window.is_open, window.reason, window.opens_at) == (False, "outside_window", at("2026-03-11T08:00"))


def test_an_open_window_says_since_when() -> None:
    window = WorkCalendar().window(OFFICE, "DE", "Europe/Berlin")
    assert (window.is_open, window.reason, window.opens_at) == (True, None, OF_THREE)


@pytest.mark.parametrize(("offset", "day"), [(3, date(2026, 3, 13)), (-2, date(2026, 3, 6)), (0, DUE_ON)])
def test_business_days_are_counted_from_the_invoices_own_day_in_the_clients_country(offset: int, day: date) -> None:
    counted = Schedule("default", 1, (Step("A", "due_on", offset, True, "due", "firm"),))
    found = decision(client(invoice(schedule=counted, disputed=10_000)), "A")
    assert found.at.date() == day
