"""Steps as a form has them: what was typed stays, and every problem stands beside its field. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nudgepay.money import MAX_MINOR_UNITS
from nudgepay.nudges.facts import MANUAL, Step
from nudgepay.nudges.schedule_text import CHOICES
from nudgepay.nudges.schedules import CODE, MAX_OFFSET, MAX_STEPS, TEMPLATES
from nudgepay.web.ui.words import N_

ANCHORS = {
    "due_on": N_("the due day"),
    "issued_on": N_("the day of issue"),
    "previous_step": N_("the step before"),
}
DIRECTIONS = {"after": N_("after"), "before": N_("before")}
UNITS = {"calendar": N_("days"), "business": N_("working days")}
TONES = {"friendly": N_("Friendly"), "firm": N_("Firm"), "final": N_("Final")}
TEXTS = {
    "before_due": N_("Before it is due"),
    "due": N_("On the due day"),
    "overdue": N_("Overdue"),
    "final": N_("Last reminder"),
    "manual": N_("By hand"),
}
NEXT_AFTER = 7
LONGEST = 40


@dataclass(frozen=True, slots=True)
class DraftStep:
    """One step as typed."""

    code: str = ""
    days: str = "0"
    unit: str = "calendar"
    direction: str = "after"
    anchor: str = "due_on"
    template: str = "overdue"
    tone: str = "friendly"
    minimum: str = "0"
    review: str = ""

    @classmethod
    def of(cls, step: Step) -> "DraftStep":
        """A step as the form shows it."""
        return cls(
            code=step.code,
            days=str(abs(step.offset_days)),
            unit="business" if step.business_days else "calendar",
            direction="before" if step.offset_days < 0 else "after",
            anchor=step.anchor,
            template=step.template,
            tone=step.tone,
            minimum=str(step.minimum_remaining),
            review="yes" if step.review else "",
        )


@dataclass(slots=True)
class Problems:
    """What is wrong: texts by (place, field), and one about the whole. Not translated yet."""

    fields: dict[tuple[int, str], str] = field(default_factory=dict)
    whole: str = ""

    def __bool__(self) -> bool:
        return bool(self.fields or self.whole)

    def of(self, place: int, name: str) -> str:
        """What is wrong with a field; empty when nothing is."""
        return self.fields.get((place, name), "")


def read_steps(form: Mapping[str, Any]) -> list[DraftStep]:
    """The steps of a form, in their order: fields `code-0`, `days-0` ... `code-1` ..."""
    found = []
    for place in range(MAX_STEPS + 1):
        if f"code-{place}" not in form:
            break
        typed = {name: str(form.get(f"{name}-{place}", "")).strip()[:LONGEST] for name in DraftStep.__slots__}
        found.append(DraftStep(**typed))
    return found


def edited(drafts: Sequence[DraftStep], act: str) -> list[DraftStep]:
    """The steps after one of the editor's buttons: `add`, `remove-2`, `up-2`, `down-2`; others change nothing."""
    found = list(drafts)
    verb, _, number = act.partition("-")
    place = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else -1
    if verb == "add" and len(found) < MAX_STEPS:
        found.append(_next(found))
    elif verb == "remove" and 0 <= place < len(found):
        del found[place]
    elif verb == "up" and 0 < place < len(found):
        found[place - 1 : place + 1] = [found[place], found[place - 1]]
    elif verb == "down" and 0 <= place < len(found) - 1:
        found[place : place + 2] = [found[place + 1], found[place]]
    return found


def _next(drafts: Sequence[DraftStep]) -> DraftStep:
    """A new step a week after the last one, named after its day."""
    last = drafts[-1] if drafts else DraftStep(days="-4")
    days = int(last.days) if last.days.isascii() and last.days.lstrip("-").isdigit() else 0
    after = (-days if last.direction == "before" else days) + NEXT_AFTER
    return replace(last, code=f"+{after}", days=str(abs(after)), direction="after", anchor="due_on", review="")


def check(drafts: Sequence[DraftStep]) -> tuple[tuple[Step, ...], Problems]:
    """The steps, or what keeps them from being a schedule."""
    problems = Problems()
    if not drafts:
        problems.whole = N_("A schedule needs a step. To write to nobody, switch reminders off instead.")
    elif len(drafts) > MAX_STEPS:
        problems.whole = N_("A schedule has at most 30 steps.")
    seen: set[str] = set()
    steps = []
    for place, draft in enumerate(drafts):
        found = _problems_of(draft, seen)
        problems.fields |= {(place, name): text for name, text in found.items()}
        seen.add(draft.code)
        if not found:
            steps.append(_step(draft))
    return (() if problems else tuple(steps)), problems


def _problems_of(draft: DraftStep, seen: set[str]) -> dict[str, str]:
    found = {}
    if not CODE.fullmatch(draft.code):
        found["code"] = N_("1 to 20 letters, digits, + - or _")
    elif draft.code == MANUAL:
        found["code"] = N_("This code belongs to nudges by hand")
    elif draft.code in seen:
        found["code"] = N_("Another step has this code")
    if _number(draft.days, MAX_OFFSET) is None:
        found["days"] = N_("A number from 0 to 365")
    if _number(draft.minimum, MAX_MINOR_UNITS) is None:
        found["minimum"] = N_("A whole number, 0 or more")
    choices = {
        "unit": UNITS,
        "direction": DIRECTIONS,
        "anchor": CHOICES["anchor"],
        "template": TEMPLATES,
        "tone": CHOICES["tone"],
    }
    for name, known in choices.items():
        if getattr(draft, name) not in known:
            found[name] = N_("Choose one of the list")
    return found


def _number(typed: str, most: int) -> int | None:
    if not typed.isascii() or not typed.isdigit() or int(typed) > most:
        return None
    return int(typed)


def _step(draft: DraftStep) -> Step:
    days = int(draft.days)
    return Step(
        code=draft.code,
        anchor=draft.anchor,  # type: ignore[arg-type]  # checked against the list of anchors
        offset_days=-days if draft.direction == "before" else days,
        business_days=draft.unit == "business",
        template=draft.template,
        tone=draft.tone,  # type: ignore[arg-type]  # checked against the list of tones
        minimum_remaining=int(draft.minimum),
        review=bool(draft.review),
    )
