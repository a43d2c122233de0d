"""What happens next to one invoice, and where it stands in its schedule: the one engine, run forward."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.facts import MANUAL, ClientFacts, Decision, InvoiceFacts, LetterPlan, Rules
from nudgepay.nudges.plan import OPEN_STATES, timeline_of
from nudgepay.nudges.sequence import Sequence, sequence, why_settled
from nudgepay.nudges.simulate import looks

MOST_LOOKS = 300
"""A client with very many invoices is not looked at for ever: then the day is told as the schedule has it."""
BEYOND = timedelta(days=60)
"""How long after the last step's day a letter may still be waiting."""

Stage = Literal["sent", "passed", "next", "ahead"]
End = Literal["settled", "over", "unclear"]


@dataclass(frozen=True, slots=True)
class StepStanding:
    """One step of the schedule: when it comes due (UTC), and whether it has left, was passed over, or waits."""

    code: str
    due_at: datetime
    stage: Stage


@dataclass(frozen=True, slots=True)
class Coming:
    """The next letter about an invoice, and what holds it until then.

    `decision` is its line in `letter`; both are None when nothing goes unless something changes. `holds`: why it
    waits, each reason once, in order of time; one without an end stands last. `end`: why nothing is to come at all.
    """

    decision: Decision | None
    letter: LetterPlan | None
    holds: tuple[Decision, ...]
    end: End | None
    steps: tuple[StepStanding, ...] = ()


def coming_letter(
    client: ClientFacts, invoice_id: int, *, rules: Rules, calendar: WorkCalendar, now: datetime
) -> Coming:
    """What the engine will do about this invoice from `now` (UTC) on, if no new fact comes."""
    invoice = next((one for one in client.invoices if one.id == invoice_id), None)
    if invoice is None or invoice.status != "open":
        return Coming(None, None, (), "settled")
    place = sequence(invoice, timeline_of(client, invoice, calendar), now)
    steps = tuple(_standings(place))
    if why_settled(invoice) is not None:
        return Coming(None, None, (), "settled", steps)
    if place.is_over and not _has_nudge(invoice):
        return Coming(None, None, (), "over", steps)
    end = max(now, max(item.due_at for item in place.steps)) + BEYOND
    holds: list[Decision] = []
    for _, answer in islice(looks(client, rules=rules, calendar=calendar, start=now, end=end), MOST_LOOKS):
        ours = [one for one in answer.due if one.invoice_id == invoice_id]
        going = next((one for one in ours if one.action == "send"), None)
        if going is not None:
            letter = next(one for one in answer.letters if going in one.decisions)
            return Coming(going, letter, tuple(holds), None, steps)
        held = [one for one in ours if one.action == "hold"]
        holds += [one for one in held if one.reason not in {known.reason for known in holds}]
        if held and all(one.until is None for one in held):
            return Coming(None, None, tuple(holds), None, steps)
    return Coming(None, None, tuple(holds), None if holds else "unclear", steps)


def _has_nudge(invoice: InvoiceFacts) -> bool:
    return any(row.step == MANUAL and row.state in OPEN_STATES for row in invoice.reminders)


def _standings(place: Sequence) -> list[StepStanding]:
    behind = max(place.reached, -1 if place.fitting is None else place.fitting - 1)
    upcoming = [index for index in range(len(place.steps)) if index > behind]
    following = upcoming[0] if upcoming else None
    found = []
    for index, item in enumerate(place.steps):
        stage: Stage = "next" if index == following else "ahead"
        if index <= behind:
            stage = "sent" if item.step.code in place.left else "passed"
        found.append(StepStanding(item.step.code, item.due_at, stage))
    return found
