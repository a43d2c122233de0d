"""The editor's page as values: the text, what there is to say about it, and the letter that it would make."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Form
from sqlalchemy.orm import Session

from nudgepay.invoices.models import new_token
from nudgepay.nudges.languages import LANGUAGES
from nudgepay.nudges.letter import WrittenLetter
from nudgepay.nudges.letter_text import LetterTemplate, built_in
from nudgepay.nudges.terms import terms_of
from nudgepay.nudges.text_editing import tidied
from nudgepay.nudges.text_findings import Finding, judge_text
from nudgepay.nudges.texts import current_text, current_texts, shipped
from nudgepay.nudges.trial_invoices import find_trial_invoices, suggested_invoices
from nudgepay.nudges.trying import UNUSABLE, Trial, stage_trial
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.texts.matrix import language_names
from nudgepay.web.ui.texts.words import FINDINGS, TEXTS, VARIABLES

LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form holds. `seen`: the version that was edited; `key`: one test, however often it is asked for."""

    template: str
    language: str
    words: LetterTemplate
    seen: int
    invoice_id: int | None
    search: str = ""
    key: str = ""

    @property
    def path(self) -> str:
        """The editor's address."""
        return f"/templates/{self.template}/{self.language}"

    def path_back(self) -> str:
        """The editor with the same invoice."""
        return self.path + (f"?invoice={self.invoice_id}" if self.invoice_id else "")


def number_of(given: str) -> int | None:
    """An id from a form or an address; None for anything else."""
    is_number = given.isascii() and given.isdigit() and len(given) <= LONGEST_NUMBER
    return int(given) if is_number else None


def draft_of(
    template: str,
    language: str,
    subject: Annotated[str, Form()] = "",
    body: Annotated[str, Form()] = "",
    seen: Annotated[str, Form()] = "",
    invoice: Annotated[str, Form()] = "",
    choose: Annotated[str, Form()] = "",
    q: Annotated[str, Form()] = "",
    key: Annotated[str, Form()] = "",
) -> Draft:
    """The form as it was sent. Nothing is refused here: what is wrong with the text is said beside its field."""
    return Draft(
        template=template,
        language=language,
        words=tidied(subject, body),
        seen=number_of(seen) or 0,
        invoice_id=number_of(choose) or number_of(invoice),
        search=q,
        key=key,
    )


@dataclass(frozen=True, slots=True)
class Preview:
    """A draft's letter. `letter` is None while the text cannot be used; `is_missing`: the invoice asked for could not
    be taken."""

    trial: Trial
    letter: WrittenLetter | None
    findings: tuple[Finding, ...]
    is_missing: bool


def preview_of(page: Page, session: Session, draft: Draft) -> Preview:
    """The letter that the draft would make of its invoice. Changes nothing. Raises NotFound for an unknown text."""
    terms = terms_of(page.runtime.settings)
    wanted = [draft.invoice_id] if draft.invoice_id else []
    wanted += [one.id for one in suggested_invoices(session, language=draft.language)[:1]]
    trial = None
    for invoice_id in dict.fromkeys(wanted):
        try:
            trial = stage_trial(
                session, draft.template, draft.language, invoice_id=invoice_id, terms=terms, now=page.now
            )
            break
        except UNUSABLE:
            continue
    is_missing = draft.invoice_id is not None and (trial is None or trial.invoice_id != draft.invoice_id)
    if trial is None:
        trial = stage_trial(session, draft.template, draft.language, invoice_id=None, terms=terms, now=page.now)
    try:
        letter = trial.write(None if _is_shipped(draft) else draft.words, terms=terms)
    except UNUSABLE:
        letter = None
    return Preview(trial, letter, judge_text(draft.words, draft.language), is_missing)


def _is_shipped(draft: Draft) -> bool:
    return draft.words == built_in(draft.template, draft.language)


def editor_values(page: Page, session: Session, draft: Draft, **more: Any) -> dict[str, Any]:
    """Everything that the editor's page and its parts show."""
    current = current_text(session, draft.template, draft.language)
    shown = preview_of(page, session, draft)
    everywhere = current_texts(session)
    siblings = [everywhere.get((draft.template, one)) or shipped(draft.template, one) for one in LANGUAGES]
    values = shown.trial.values()
    return {
        "draft": replace(draft, invoice_id=shown.trial.invoice_id, key=draft.key or new_token()),
        "current": current,
        "preview": shown,
        "siblings": siblings,
        "left_standard": [one for one in siblings if not one.is_own and one.language != draft.language],
        "found": find_trial_invoices(session, draft.search, language=draft.language),
        "variables": [(name, meaning, values[name]) for name, meaning in VARIABLES.items()],
        "texts": TEXTS,
        "sentences": FINDINGS,
        "language_names": language_names(page),
        "is_sent": False,
        "test_problem": None,
        "theirs": None,
        **more,
    }
