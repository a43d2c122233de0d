"""What a person wants to see of the plan, from the query string; whatever is not known counts as not asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode

from nudgepay.nudges.facts import MANUAL, Schedule
from nudgepay.nudges.outlook import REACHES
from nudgepay.nudges.preview import Foreseen
from nudgepay.nudges.reasons import FINAL_REASONS, HELD_REASONS

VIEWS = ("calendar", "list", "silence")
ACTIONS = ("send", "hold", "skip", "all")
LONGEST = 200
LAST_SHEET = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One way to look at the plan. Empty strings: everything."""

    view: str = "calendar"
    client: str = ""
    schedule: str = ""
    step: str = ""
    action: str = "send"
    reason: str = ""
    day: date | None = None
    reach: int = 1
    sheet: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str], schedules: Mapping[str, Schedule]) -> "Wanted":
        """The query string with everything unknown left out."""
        reason = _one_of(query.get("reason"), FINAL_REASONS | HELD_REASONS, "")
        by_reason = "" if not reason else ("skip" if reason in FINAL_REASONS else "hold")
        return cls(
            view=_one_of(query.get("view"), VIEWS, "calendar"),
            client="".join(sign for sign in query.get("client", "")[:LONGEST] if sign.isprintable()).strip(),
            schedule=_one_of(query.get("schedule"), schedules, ""),
            step=_one_of(query.get("step"), step_codes(schedules.values()), ""),
            action=by_reason or _one_of(query.get("action"), ACTIONS, "send"),
            reason=reason,
            day=_day(query.get("day", "")),
            reach=_number(query.get("reach"), max(REACHES)) if _number(query.get("reach"), 99) in REACHES else 1,
            sheet=_number(query.get("sheet"), LAST_SHEET),
        )

    @property
    def is_narrow(self) -> bool:
        """True when something of the plan is filtered away."""
        return bool(self.client or self.schedule or self.step or self.reason or self.action != "send")

    def takes(self, one: Foreseen) -> bool:
        """True for a line that this way of looking shows, whatever its action."""
        return (
            (not self.schedule or one.follows == self.schedule)
            and (not self.step or one.decision.step == self.step)
            and (not self.reason or one.decision.reason == self.reason)
        )

    def url(self, **changes: object) -> str:
        """The address of another way to look, from this one."""
        other = replace(self, **{"sheet": 1, **changes})  # type: ignore[arg-type]
        shown = {name: getattr(other, name) for name in other.__slots__}
        plain = Wanted()
        query = {name: value for name, value in shown.items() if value != getattr(plain, name)}
        return f"/plan?{urlencode(query)}" if query else "/plan"


def step_codes(schedules: Iterable[Schedule]) -> list[str]:
    """Every code of the schedules in force in the order of its first appearance, and that of nudges by hand."""
    return [*dict.fromkeys(step.code for one in schedules for step in one.steps), MANUAL]


def _one_of(given: str | None, known: Iterable[str], otherwise: str) -> str:
    return given if given is not None and given in set(known) else otherwise


def _day(given: str) -> date | None:
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None


def _number(given: str | None, most: int) -> int:
    if given is None or not given.isascii() or not given.isdigit() or len(given) > 6:
        return 1
    return max(1, min(int(given), most))
