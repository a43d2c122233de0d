"""What there is to say about operators' text while it is written: what forbids it, what deserves a look. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from nudgepay.nudges.letter_text import LetterTemplate
from nudgepay.nudges.letter_words import words
from nudgepay.nudges.mail_headers import LONGEST_TEXT
from nudgepay.nudges.operators_text import SAMPLES, VARIABLES, TemplateError, render_text, variables_of
from nudgepay.nudges.text_policy import frauds_in

Field = Literal["subject", "body"]
SHOWN_OF_SUBJECT = 75
"""Characters of a subject that a mail program on a desktop shows; on a phone it is about half of them."""
SHOUTED_SHARE = 0.7
SHORTEST_SHOUT = 12
LONGEST_GREETING = 60
AMOUNTS = frozenset({"total", "amount"})
NUMBERS = frozenset({"number", "numbers"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark. A grave one forbids the text. `about`: the variable, or what the renderer says."""

    code: str
    field: Field
    is_grave: bool
    about: str = ""


def judge_text(text: LetterTemplate, language: str) -> tuple[Finding, ...]:
    """Everything about one text: the grave first, and where there is something grave, only that."""
    grave = [*_grave("subject", text.subject), *_grave("body", text.body)]
    return tuple(grave or _remarks(text, language))


def is_usable(findings: Sequence[Finding]) -> bool:
    """True when nothing forbids the text."""
    return not any(finding.is_grave for finding in findings)


def _grave(field: Field, source: str) -> Iterator[Finding]:
    frauds = frauds_in(source)
    yield from (Finding(fraud, field, True) for fraud in frauds)
    if not source.strip():
        yield Finding("empty", field, True)
        return
    try:
        unknown = sorted(variables_of(source) - VARIABLES)
        rendered = [] if unknown else [render_text(source, sample).strip() for sample in SAMPLES]
    except TemplateError as error:
        yield Finding("liquid", field, True, str(error))
        return
    yield from (Finding("variable", field, True, name) for name in unknown)
    if not all(rendered):
        yield Finding("sometimes_empty", field, True)
    if field == "subject" and any(len(one) > LONGEST_TEXT for one in rendered):
        yield Finding("subject_endless", field, True)
    hidden = dict.fromkeys(fraud for one in rendered for fraud in frauds_in(one) if fraud not in frauds)
    yield from (Finding(fraud, field, True) for fraud in hidden)


def _remarks(text: LetterTemplate, language: str) -> Iterator[Finding]:
    named = variables_of(text.body)
    if not named & AMOUNTS:
        yield Finding("no_amount", "body", False)
    if not (named | variables_of(text.subject)) & NUMBERS:
        yield Finding("no_number", "body", False)
    subjects = [render_text(text.subject, sample) for sample in SAMPLES]
    bodies = [render_text(text.body, sample).strip() for sample in SAMPLES]
    if any(len(subject) > SHOWN_OF_SUBJECT for subject in subjects):
        yield Finding("subject_long", "subject", False, str(SHOWN_OF_SUBJECT))
    if any(_shouts(subject) for subject in subjects):
        yield Finding("shouts", "subject", False)
    if any(_shouts(body) for body in bodies):
        yield Finding("shouts", "body", False)
    if any(_greets(body, str(SAMPLES[0]["name"]), language) for body in bodies):
        yield Finding("greets_twice", "body", False)


def _shouts(rendered: str) -> bool:
    letters = [sign for sign in rendered if sign.isupper() or sign.islower()]
    loud = sum(sign.isupper() for sign in letters)
    return "!!" in rendered or (len(letters) >= SHORTEST_SHOUT and loud > SHOUTED_SHARE * len(letters))


def _greets(body: str, name: str, language: str) -> bool:
    """True when the text begins with a greeting of its own: the frame has one already."""
    first = body.partition("\n")[0]
    ours = words(language)["greeting"].partition("{name}")[0].strip().casefold()
    is_short = len(first) <= LONGEST_GREETING
    return is_short and (name in first or (bool(ours) and first.casefold().startswith(ours)))
