"""A schedule as people write and read it: a JSON list of steps. Pure."""

import json
from dataclasses import asdict, fields
from typing import Any

from nudgepay.errors import UsageError
from nudgepay.nudges.facts import Step

DEFAULTS: dict[str, Any] = {
    "anchor": "due_on",
    "business_days": False,
    "template": "overdue",
    "tone": "friendly",
    "minimum_remaining": 0,
    "review": False,
}
CHOICES = {"anchor": ("due_on", "issued_on", "previous_step"), "tone": ("friendly", "firm", "final")}
TYPES: dict[str, type] = {
    "code": str,
    "anchor": str,
    "offset_days": int,
    "business_days": bool,
    "template": str,
    "tone": str,
    "minimum_remaining": int,
    "review": bool,
}
"""Fields of a step, in the order of its data class."""


class ScheduleError(UsageError):
    """The schedule cannot be read or saved; the message names the step and the cure."""


def parse_schedule(text: str) -> tuple[Step, ...]:
    """Steps from JSON: `[{"code": "+3", "offset_days": 3, "template": "overdue", "tone": "firm"}, ...]`.

    `code` and `offset_days` are needed, the rest has defaults. Raises ScheduleError.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ScheduleError(f"a schedule is a JSON list of steps; this is no JSON: {error}") from error
    if not isinstance(document, list):
        raise ScheduleError("a schedule is a JSON list of steps")
    return tuple(_parse_step(item, place) for place, item in enumerate(document, start=1))


def _parse_step(item: Any, place: int) -> Step:
    if not isinstance(item, dict) or not {"code", "offset_days"} <= item.keys():
        raise ScheduleError(f"step {place}: needs a code and offset_days")
    for key, value in item.items():
        if key not in TYPES:
            raise ScheduleError(f"step {place}: {key!r} is no field of a step; fields are {', '.join(TYPES)}")
        if type(value) is not TYPES[key]:
            raise ScheduleError(f"step {place}: {key} must be {TYPES[key].__name__}")
        if key in CHOICES and value not in CHOICES[key]:
            raise ScheduleError(f"step {place}: {key} must be one of {', '.join(CHOICES[key])}")
    return Step(**{**DEFAULTS, **item})


def schedule_document(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    """The steps as parse_schedule reads them, without what is at its default."""
    return [
        {
            field.name: value
            for field, value in zip(fields(step), asdict(step).values(), strict=True)
            if field.name not in DEFAULTS or value != DEFAULTS[field.name]
        }
        for step in steps
    ]
