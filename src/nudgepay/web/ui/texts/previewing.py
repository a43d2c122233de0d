"""The live preview: text and remarks for the page, the HTML part for a frame that may do nothing. Changes nothing."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.nudges.texts import current_text, ensure_known, shipped
from nudgepay.nudges.trial_invoices import find_trial_invoices
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.rendering import environment_for
from nudgepay.web.ui.texts.view import Draft, draft_of, editor_values, number_of, preview_of

router = APIRouter()
LETTER_CSP = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"
"""A mail carries inline styles; in the frame it may do nothing else, and it loads nothing."""
ReadPage = Annotated[Page, allowed(Permission.TEMPLATE_READ)]
DraftDep = Annotated[Draft, Depends(draft_of)]


def is_part(page: Page) -> bool:
    """True when a script asks for a part of the page."""
    return "hx-request" in page.request.headers


@router.post("/templates/{template}/{language}/preview", response_class=HTMLResponse)
def preview(page: ReadPage, session: ReadSessionDep, draft: DraftDep) -> Response:
    """What is typed, as a letter: the part that changes, or the whole page where there is no script."""
    ensure_known(draft.template, draft.language)
    template = "texts/part.html" if is_part(page) else "texts/editor.html"
    return page.show(template, **editor_values(page, session, draft))


@router.post("/templates/{template}/{language}/preview/letter", response_class=HTMLResponse)
def typed_letter(page: ReadPage, session: ReadSessionDep, draft: DraftDep) -> Response:
    """The HTML part of what is typed, for the frame."""
    ensure_known(draft.template, draft.language)
    return _framed(page, session, draft)


@router.get("/templates/{template}/{language}/letter", response_class=HTMLResponse)
def saved_letter(
    page: ReadPage, session: ReadSessionDep, template: str, language: str, invoice: str = ""
) -> Response:
    """The HTML part with the text in force, for the frame."""
    words = current_text(session, template, language).words
    return _framed(page, session, Draft(template, language, words, 0, number_of(invoice)))


@router.get("/templates/{template}/{language}/invoices", response_class=HTMLResponse)
def invoices(page: ReadPage, session: ReadSessionDep, template: str, language: str, q: str = "") -> Response:
    """Invoices to try the text on, while a number or a client's name is typed."""
    ensure_known(template, language)
    draft = Draft(template, language, shipped(template, language).words, 0, None, search=q)
    found = find_trial_invoices(session, q, language=language)
    return page.show("texts/invoices.html", draft=draft, found=found)


def _framed(page: Page, session: Session, draft: Draft) -> Response:
    found = preview_of(page, session, draft)
    if found.letter is not None:
        content = found.letter.html
    else:
        content = environment_for(page.language).get_template("texts/unusable.html").render(language=page.language)
    return HTMLResponse(content, headers={"Content-Security-Policy": LETTER_CSP})
