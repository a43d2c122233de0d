"""The engine decides: what goes, what waits and until when, what ends."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from nudgepay.nudges.calendars import is_working_day
from nudgepay.nudges.facts import ClientFacts, Plan, Schedule, Step
from nudgepay.nudges.plan import plan
from nudgepay.nudges.reasons import FINAL_REASONS, HELD_REASONS
from nudges.builders import CALENDAR, DUE_ON, RULES, SCHEDULE, STEPS, at, client, contact, invoice, row

OFFICE = at("2026-03-13T09:00")  # Friday 10:00 in Berlin, three days after the due date


def ask(who: ClientFacts, now: str | object = OFFICE, **rules: object) -> Plan:
    instant = at(now) if isinstance(now, str) else now
    return plan(who, rules=replace(RULES, **rules), calendar=CALENDAR, now=instant)


def outcome(answer: Plan) -> dict[str, str | None]:
    return {item.step: item.reason or item.action for item in answer.due}


def test_it_sends_nothing_before_the_first_step_is_due() -> None:
    answer = ask(client(), "2026-03-09T07:59")
    assert [item.step for item in answer.due] == []
    assert answer.next_at == {1: at("2026-03-09T08:00")}


def test_a_step_on_a_weekend_goes_on_the_first_working_day_after_it() -> None:
    assert outcome(ask(client(), "2026-03-07T10:00")) == {}  # Saturday, T-3
    assert outcome(ask(client(), "2026-03-09T08:00")) == {"T-3": "send"}  # Monday 09:00


def test_a_step_on_a_public_holiday_waits_for_the_next_working_day() -> None:
    late = invoice(due_on=date(2026, 4, 3))  # Good Friday in Germany, then a weekend, then Easter Monday
    assert outcome(ask(client(late, contacts=(contact(),)), "2026-04-06T10:00")) == {"T-3": "holiday"}
    after = outcome(ask(client(late), "2026-04-07T07:00"))
    assert after == {"T-3": "superseded", "DUE": "superseded", "+3": "send"}  # both had waited for the Tuesday


def test_catch_up_collapses_to_the_one_latest_step_that_fits() -> None:
    assert outcome(ask(client())) == {"T-3": "superseded", "DUE": "superseded", "+3": "send"}


@pytest.mark.parametrize("days_down", range(1, 31))
def test_after_any_downtime_one_letter_goes_and_it_is_the_step_that_fits_today(days_down: int) -> None:
    up_again = at("2026-03-06T09:00") + timedelta(days=days_down)
    answer = ask(client(), up_again)
    due = [step.code for step in STEPS if DUE_ON + timedelta(days=step.offset_days) <= up_again.date()]
    going = [item.step for item in answer.due if item.action == "send"]
    if going:
        assert going == due[-1:]
    else:
        assert not due or not is_working_day(up_again.date(), "DE")


def test_a_step_that_left_is_never_sent_again_under_a_new_version() -> None:
    changed = Schedule("default", 2, (*STEPS[:3], Step("+9", "due_on", 9, False, "final", "final")))
    rows = (
        row("T-3", "accepted"),
        row("DUE", "accepted", id=2),
        row("+3", "accepted", id=3),
        row("+7", "planned", id=4),
    )
    answer = ask(client(invoice(schedule=changed, reminders=rows)), "2026-03-19T09:00")
    assert outcome(answer) == {"+7": "superseded", "+9": "send"}


def test_an_open_row_of_a_step_that_left_in_another_version_ends_as_already_sent() -> None:
    rows = (row("+3", "accepted"), row("+3", "planned", id=2, version=2))
    answer = ask(client(invoice(schedule=replace(SCHEDULE, version=2), reminders=rows)))
    assert outcome(answer)["+3"] == "already_sent"
    assert not answer.letters


def test_the_sequence_ends_after_its_last_step() -> None:
    done = invoice(reminders=(row("+7", "accepted"),))
    answer = ask(client(done), at("2026-03-10T09:00") + timedelta(days=400))
    assert not answer.letters
    assert answer.next_at == {1: None}


def test_an_open_row_after_the_last_step_is_past_the_end() -> None:
    done = invoice(reminders=(row("+7", "accepted"), row("DUE", "planned", id=2)))
    assert outcome(ask(client(done)))["DUE"] == "past_terminal_step"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "paid", "amount_paid": 10_000}, "paid"),
        ({"amount_paid": 10_000}, "paid"),
        ({"status": "void"}, "voided"),
        ({"status": "uncollectible"}, "uncollectible"),
        ({"credited": True}, "credited"),
    ],
)
def test_a_settled_invoice_ends_its_reminders(changes: dict[str, object], reason: str) -> None:
    settled = invoice(reminders=(row("+3", "planned"),), **changes)
    assert set(outcome(ask(client(settled))).values()) == {reason}
    assert reason in FINAL_REASONS


@pytest.mark.parametrize(
    ("changes", "reason", "until"),
    [
        ({"amnesty": True}, "amnesty", None),
        ({"needs_review": True}, "needs_review", None),
        ({"reminders_off": True}, "reminders_off", None),
        ({"disputed": 10_000}, "disputed", None),
        ({"in_payment": True}, "payment_in_flight", None),
        ({"claimed_paid_until": at("2026-03-16T09:00")}, "payment_claimed", at("2026-03-16T09:00")),
        ({"promised_until": date(2026, 3, 13)}, "promised_until", at("2026-03-16T08:00")),
        ({"paused_until": date(2026, 3, 17)}, "paused_until", at("2026-03-18T08:00")),
    ],
)
def test_an_invoice_is_held_with_its_reason_and_its_end(
    changes: dict[str, object], reason: str, until: object
) -> None:
    held = next(item for item in ask(client(invoice(**changes))).due if item.step == "+3")
    assert (held.action, held.reason, held.until) == ("hold", reason, until)
    assert reason in HELD_REASONS


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ({"reminders_off": True}, "reminders_off"),
        ({"paused_until": date(2026, 3, 13)}, "paused_until"),
        ({"autopay": True}, "autopay"),
        ({"tolerance": {"EUR": 10_000}}, "below_tolerance"),
        ({"letter_unknown": True}, "letter_unknown"),
        ({"contacts": ()}, "no_recipient"),
        ({"contacts": (contact(blocked="opted_out"),)}, "opted_out"),
        ({"contacts": (contact(blocked="contact_bounced"),)}, "contact_bounced"),
        ({"contacts": (contact(role="copy"),)}, "no_recipient"),
    ],
)
def test_a_client_is_held_with_its_reason(who: dict[str, object], reason: str) -> None:
    assert outcome(ask(client(**who)))["+3"] == reason


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"sending_paused": True}, "sending_paused"),
        ({"sender_ready": False}, "sender_not_ready"),
        ({"balance_stale": True}, "balance_stale"),
    ],
)
def test_the_installation_is_held_with_its_reason(rules: dict[str, object], reason: str) -> None:
    assert outcome(ask(client(), **rules))["+3"] == reason


def test_autopay_is_chased_once_the_debit_has_failed_for_good() -> None:
    assert outcome(ask(client(invoice(autopay_failed=True), autopay=True)))["+3"] == "send"


def test_an_amount_at_the_tolerance_is_left_alone_and_one_above_it_is_not() -> None:
    tolerant = {"EUR": 500}
    assert outcome(ask(client(invoice(amount_paid=9_500), tolerance=tolerant)))["+3"] == "below_tolerance"
    assert outcome(ask(client(invoice(amount_paid=9_499), tolerance=tolerant)))["+3"] == "send"


def test_only_the_uncontested_part_is_claimed() -> None:
    (letter,) = ask(client(invoice(amount_paid=2_000, disputed=3_000))).letters
    assert [item.amount for item in letter.decisions] == [5_000]


def test_another_contact_gets_the_letter_when_the_first_may_not() -> None:
    people = (contact(blocked="contact_bounced"), contact(id=2, role="approver", email="bo@client.example"))
    (letter,) = ask(client(contacts=people)).letters
    assert letter.contact_id == 2


def test_two_invoices_of_one_client_make_one_letter_oldest_first() -> None:
    older = invoice(id=2, due_on=DUE_ON - timedelta(days=4))
    (letter,) = ask(client(invoice(), older)).letters
    assert [(item.invoice_id, item.step) for item in letter.decisions] == [(2, "+7"), (1, "+3")]


def test_two_currencies_make_two_letters() -> None:
    letters = ask(client(invoice(), invoice(id=2, currency="USD"))).letters
    assert {letter.currency for letter in letters} == {"EUR", "USD"}


def test_the_contact_gap_counts_whole_days_over_all_invoices() -> None:
    nudged = contact(last_contact_at=at("2026-03-12T15:00"))  # Thursday 16:00 in Berlin
    held = ask(client(contacts=(nudged,))).due[-1]
    assert (held.reason, held.until) == ("contact_gap", at("2026-03-16T08:00"))  # Saturday, so Monday 09:00
    assert outcome(ask(client(contacts=(nudged,)), "2026-03-16T08:00"))["+3"] == "send"


def test_outside_the_sending_hours_it_waits_for_the_next_opening() -> None:
    held = ask(client(), "2026-03-13T17:30").due[-1]  # Friday 18:30 in Berlin
    assert (held.reason, held.until) == ("outside_window", at("2026-03-16T08:00"))


@pytest.mark.parametrize(
    ("zone", "country", "opens"),
    [
        ("Europe/Berlin", "DE", "2026-03-30T07:00"),  # the Monday after clocks went forward
        ("America/New_York", "US", "2026-03-30T13:00"),
        ("Asia/Tokyo", "JP", "2026-03-30T00:00"),
        ("Pacific/Kiritimati", "KI", "2026-03-29T19:00"),
    ],
)
def test_the_hour_is_the_clients_own(zone: str, country: str, opens: str) -> None:
    there = client(
        invoice(due_on=date(2026, 3, 30)), timezone=zone, country=country, contacts=(contact(timezone=zone),)
    )
    assert outcome(ask(there, opens))["DUE"] == "send"
    before = plan(there, rules=RULES, calendar=CALENDAR, now=at(opens) - timedelta(minutes=1))
    assert "DUE" not in outcome(before)


def test_on_the_day_clocks_go_back_the_hour_is_still_nine() -> None:
    sunday_shop = client(invoice(due_on=date(2026, 10, 26)))
    assert outcome(ask(sunday_shop, "2026-10-26T08:00"))["DUE"] == "send"
    assert "DUE" not in outcome(ask(sunday_shop, "2026-10-26T07:59"))


def test_a_step_with_review_waits_for_a_person() -> None:
    careful = Schedule("default", 1, tuple(replace(step, review=step.code == "+3") for step in STEPS))
    assert outcome(ask(client(invoice(schedule=careful))))["+3"] == "review"
    read = invoice(schedule=careful, reminders=(row("+3", "planned", reviewed=True),))
    assert outcome(ask(client(read)))["+3"] == "send"


def test_a_manual_nudge_ignores_hours_but_not_payment_or_gap() -> None:
    nudge = row("manual", "planned", version=0, nudge_key="k")
    night = "2026-03-08T22:00"
    assert outcome(ask(client(invoice(reminders=(nudge,))), night)) == {"manual": "send"}
    paid = invoice(reminders=(nudge,), status="paid", amount_paid=10_000)
    assert outcome(ask(client(paid), night)) == {"manual": "paid"}
    recent = (contact(last_contact_at=at("2026-03-08T12:00")),)
    assert outcome(ask(client(invoice(reminders=(nudge,)), contacts=recent), night)) == {"manual": "contact_gap"}
    forced = invoice(reminders=(replace(nudge, gap_overridden=True),))
    assert outcome(ask(client(forced, contacts=recent), night)) == {"manual": "send"}


def test_next_at_is_the_end_of_the_hold_or_the_next_step() -> None:
    promised = invoice(promised_until=date(2026, 3, 13))
    assert ask(client(promised)).next_at == {1: at("2026-03-16T08:00")}
    disputed = invoice(disputed=10_000)
    assert ask(client(disputed)).next_at == {1: at("2026-03-17T08:00")}
