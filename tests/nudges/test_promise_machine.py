"""The product's promise, checked after every step of lives that nobody has thought of."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from examples import examples
from nudgepay.nudges.calendars import is_working_day
from nudgepay.nudges.facts import LEFT_STATES, MANUAL, Decision, InvoiceFacts, Plan, ReminderFacts, Schedule, Step
from nudgepay.nudges.plan import plan, timeline_of
from nudgepay.nudges.reasons import FINAL_REASONS, HELD_REASONS
from nudgepay.nudges.simulate import as_if_done
from nudges.builders import CALENDAR, RULES, SCHEDULE, at, client, contact, invoice

START = at("2026-02-16T06:00")
DAYS = st.integers(-5, 40).map(lambda ahead: START.date() + timedelta(days=ahead))
CODES = ("T-3", "DUE", "+3", "+7", "+10", "A", "B")
PLACES = (("Europe/Berlin", "DE"), ("America/New_York", "US"), ("Pacific/Kiritimati", "KI"), ("Asia/Kathmandu", "XX"))
WHICH = st.integers(0, 3)


@st.composite
def steps(draw: st.DrawFn) -> tuple[Step, ...]:
    codes = draw(st.lists(st.sampled_from(CODES), min_size=1, max_size=5, unique=True))
    return tuple(
        Step(
            code,
            draw(st.sampled_from(["due_on", "issued_on", "previous_step"])),
            draw(st.integers(-5, 15)),
            draw(st.booleans()),
            "overdue",
            "firm",
            minimum_remaining=draw(st.sampled_from([0, 0, 5_000])),
            review=draw(st.sampled_from([False, False, True])),
        )
        for code in codes
    )


class Life(RuleBasedStateMachine):
    """One client. Facts change at random, passes run, letters leave or fall into doubt, processes are restarted."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.rules = RULES
        self.sent: list[tuple[datetime, Decision]] = []
        self.keys = 0

    @initialize(
        place=st.sampled_from(PLACES),
        due=st.lists(DAYS, min_size=1, max_size=4),
        currencies=st.lists(st.sampled_from(["EUR", "JPY"]), min_size=4, max_size=4),
    )
    def begin(self, place: tuple[str, str], due: list[date], currencies: list[str]) -> None:
        zone, country = place
        invoices = [
            invoice(id=n + 1, due_on=day, issued_on=day - timedelta(days=20), currency=currencies[n])
            for n, day in enumerate(due)
        ]
        self.client = client(*invoices, timezone=zone, country=country, contacts=(contact(timezone=zone),))

    def change(self, which: int, **facts: Any) -> InvoiceFacts:
        chosen = self.client.invoices[which % len(self.client.invoices)]
        changed = replace(chosen, **facts)
        kept = tuple(changed if each.id == chosen.id else each for each in self.client.invoices)
        self.client = replace(self.client, invoices=kept)
        return changed

    def invoice_at(self, which: int) -> InvoiceFacts:
        return self.client.invoices[which % len(self.client.invoices)]

    @rule(hours=st.integers(1, 24 * 9))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(days=st.integers(1, 8))
    def days_pass_with_a_pass_each_morning_and_evening(self, days: int) -> None:
        zone = ZoneInfo(self.client.timezone)
        for _ in range(days):
            tomorrow = self.now.astimezone(zone).date() + timedelta(days=1)
            for hour in (9, 16):
                self.now = datetime.combine(tomorrow, time(hour, 30), zone).astimezone(UTC)
                self.a_pass_runs(lost=False)

    @rule()
    def until_something_may_happen(self) -> None:
        self.now = min([when for when in self.ask().next_at.values() if when], default=self.now)

    @rule(hours=st.integers(1, 3))
    def the_clock_is_set_back(self, hours: int) -> None:
        self.now -= timedelta(hours=hours)

    @rule(which=WHICH, amount=st.sampled_from([1, 2_500, 6_000, 10_000]))
    def pay(self, which: int, amount: int) -> None:
        found = self.invoice_at(which)
        if found.status == "open":
            paid = min(found.amount_due, found.amount_paid + amount)
            self.change(which, amount_paid=paid, status="paid" if paid == found.amount_due else "open")

    @rule(which=WHICH)
    def refund(self, which: int) -> None:
        self.change(which, amount_paid=0, status="open", credited=False)

    @rule(which=WHICH, status=st.sampled_from(["void", "uncollectible", "open"]))
    def close(self, which: int, status: str) -> None:
        self.change(which, status=status)

    @rule(
        which=WHICH,
        facts=st.sampled_from(
            [
                {"disputed": 4_000},
                {"disputed": 10_000},
                {"in_payment": True},
                {"needs_review": True},
                {"reminders_off": True},
                {"amnesty": True},
                {"currency_mismatch": True},
                {"credited": True},
            ]
        ),
    )
    def something_holds_it(self, which: int, facts: dict[str, Any]) -> None:
        self.change(which, **facts)

    @rule(which=WHICH)
    def everything_is_cleared(self, which: int) -> None:
        self.change(
            which,
            disputed=0,
            in_payment=False,
            needs_review=False,
            reminders_off=False,
            amnesty=False,
            currency_mismatch=False,
            promised_until=None,
            paused_until=None,
            claimed_paid_until=None,
        )

    @rule(which=WHICH, days=st.integers(0, 12), what=st.sampled_from(["promised_until", "paused_until"]))
    def silence_until(self, which: int, days: int, what: str) -> None:
        self.change(which, **{what: self.now.date() + timedelta(days=days)})

    @rule(which=WHICH, hours=st.integers(1, 100))
    def the_payer_says_it_is_paid(self, which: int, hours: int) -> None:
        self.change(which, claimed_paid_until=self.now + timedelta(hours=hours))

    @rule(which=WHICH, days=st.integers(-3, 20))
    def the_due_date_moves(self, which: int, days: int) -> None:
        self.change(which, due_on=self.invoice_at(which).due_on + timedelta(days=days))

    @rule(which=WHICH, chosen=steps() | st.just(SCHEDULE.steps))
    def the_schedule_changes(self, which: int, chosen: tuple[Step, ...]) -> None:
        version = max(each.schedule.version for each in self.client.invoices) + 1
        self.change(which, schedule=Schedule("default", version, chosen))

    @rule(blocked=st.sampled_from([None, None, "opted_out", "contact_bounced"]))
    def the_address_is_blocked_or_freed(self, blocked: Any) -> None:
        kept = tuple(replace(one, blocked=blocked) for one in self.client.contacts)
        self.client = replace(self.client, contacts=kept)

    @rule(which=WHICH)
    def a_person_has_read_it(self, which: int) -> None:
        kept = tuple(replace(row, reviewed=True) for row in self.invoice_at(which).reminders)
        self.change(which, reminders=kept)

    @rule(which=WHICH, override=st.booleans())
    def a_person_orders_a_letter(self, which: int, override: bool) -> None:
        self.keys += 1
        row = ReminderFacts(
            1_000 + self.keys, MANUAL, 0, "planned", self.now, nudge_key=str(self.keys), gap_overridden=override
        )
        self.change(which, reminders=(*self.invoice_at(which).reminders, row))

    @rule(facts=st.sampled_from([{}, {}, {"sending_paused": True}, {"sender_ready": False}, {"balance_stale": True}]))
    def the_installation_changes(self, facts: dict[str, bool]) -> None:
        self.rules = replace(RULES, **facts)

    @rule(lost=st.booleans())
    def a_pass_runs(self, lost: bool) -> None:
        """Carried out whole; where the answer of the relay is lost, the letter is in doubt until a person settles it."""
        answer = self.ask()
        self.check(answer)
        self.sent += [(self.now, one) for letter in answer.letters for one in letter.decisions]
        self.client = as_if_done(self.client, answer, self.now)
        if lost and answer.letters:
            self.client = replace(self.client, letter_unknown=True)
        assert not self.ask().letters, "the same pass again sends nothing"

    @rule()
    def doubt_is_settled(self) -> None:
        self.client = replace(self.client, letter_unknown=False)

    @rule()
    def a_pass_dies_before_it_sends(self) -> None:
        """What was planned is written, nothing was sent: the next pass must find it again."""
        answer = self.ask()
        self.check(answer)
        kept = tuple(replace(one, action="hold") if one.action == "send" else one for one in answer.due)
        self.client = as_if_done(self.client, Plan(kept, (), answer.next_at), self.now)

    def ask(self, when: datetime | None = None) -> Plan:
        return plan(self.client, rules=self.rules, calendar=CALENDAR, now=when or self.now)

    def check(self, answer: Plan) -> None:
        by_id = {each.id: each for each in self.client.invoices}
        going = [one for letter in answer.letters for one in letter.decisions]
        assert going == [one for one in answer.due if one.action == "send"] or len(answer.letters) > 1
        assert len({one.invoice_id for one in going}) == len(going), "one letter says one thing about an invoice"
        assert len({letter.currency for letter in answer.letters}) == len(answer.letters)
        for one in going:
            about = by_id[one.invoice_id]
            assert about.status == "open"
            assert 0 < one.amount == about.claimable
            assert not (about.in_payment or about.needs_review or about.credited or about.currency_mismatch)
            assert not self.client.letter_unknown
            assert self.client.contacts[0].blocked is None
            assert not self.rules.sending_paused
            if one.step != MANUAL:
                self.check_step(one, about)

    def check_step(self, one: Decision, about: InvoiceFacts) -> None:
        local = self.now.astimezone(ZoneInfo(self.client.timezone))
        assert is_working_day(local.date(), self.client.country)
        assert 9 <= local.hour < 17
        before = [was for _, was in self.sent if was.invoice_id == one.invoice_id]
        assert one.step not in {was.step for was in before}, "each occurrence at most once, under any version"
        places = {item.step.code: n for n, item in enumerate(timeline_of(self.client, about, CALENDAR))}
        assert all(places.get(was.step, -1) < places[one.step] for was in before), "the sequence never goes back"
        assert about.promised_until is None or local.date() > about.promised_until
        assert about.paused_until is None or local.date() > about.paused_until
        last = max((when for when, _ in self.sent), default=None)
        if last is not None and last <= self.now:
            assert local.date() - last.astimezone(local.tzinfo).date() >= timedelta(days=2), "the contact gap"

    @invariant()
    def every_silence_is_explained(self) -> None:
        if not hasattr(self, "client"):
            return
        answer = self.ask()
        assert answer == self.ask(), "the same facts, the same answer"
        self.check(answer)
        for one in answer.due:
            reasons = {"send": {None}, "hold": HELD_REASONS, "skip": FINAL_REASONS}[one.action]
            assert one.reason in reasons
        decided = {(one.invoice_id, one.step) for one in answer.due}
        for each in self.client.invoices:
            rows = {row.step for row in each.reminders if row.schedule_version == each.schedule.version}
            left = {row.step for row in each.reminders if row.state in LEFT_STATES}
            for item in timeline_of(self.client, each, CALENDAR):
                if each.status == "open" and item.due_at <= self.now:
                    known = (each.id, item.step.code) in decided or item.step.code in rows | left
                    assert known, "no due step is lost"

    @invariant()
    def nothing_happens_before_it_is_looked_for(self) -> None:
        """Between now and `next_at` no letter becomes possible; at every look the next one lies ahead."""
        if not hasattr(self, "client"):
            return
        answer = self.ask()
        assert all(when is None or when > self.now for when in answer.next_at.values())
        quiet = as_if_done(self.client, answer, self.now)
        for invoice_id, when in answer.next_at.items():
            end = when or self.now + timedelta(days=60)
            for part in (1, 2, 3):
                between = self.now + (end - self.now) * part / 4
                later = plan(quiet, rules=self.rules, calendar=CALENDAR, now=between)
                going = [one for one in later.due if one.invoice_id == invoice_id and one.action == "send"]
                assert not going or between == self.now, (invoice_id, between, going)


def test_no_life_breaks_the_promise() -> None:
    run_state_machine_as_test(Life, settings=examples(60, steps=40))
