"""The editor of one text in one language: save, test, put back. Every act can be undone; versions are kept."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.nudges.mail_headers import LetterError
from nudgepay.nudges.mailings.trials import TooManyTests, request_trial
from nudgepay.nudges.terms import terms_of
from nudgepay.nudges.text_editing import TextChanged, TextRefused, reset_text, restore_text, save_text
from nudgepay.nudges.texts import TextVersion, current_text
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.texts.diff import compare
from nudgepay.web.ui.texts.previewing import DraftDep, ReadPage, is_part
from nudgepay.web.ui.texts.view import Draft, editor_values, number_of, preview_of

router = APIRouter()
WritePage = Annotated[Page, allowed(Permission.TEMPLATE_WRITE)]
EDITOR = "/templates/{template}/{language}"


@router.get(EDITOR, response_class=HTMLResponse)
def editor(
    page: ReadPage, session: ReadSessionDep, template: str, language: str, invoice: str = "", q: str = ""
) -> Response:
    """The text in force, open for editing."""
    current = current_text(session, template, language)
    draft = Draft(template, language, current.words, current.version, number_of(invoice), search=q)
    return page.show("texts/editor.html", **editor_values(page, session, draft))


@router.post(EDITOR, response_class=HTMLResponse)
def save(page: WritePage, session: SessionDep, draft: DraftDep) -> Response:
    """Put the text in force. What cannot be used is said beside its field; who was faster is shown."""
    before = current_text(session, draft.template, draft.language)
    try:
        with session.begin_nested():
            saved = save_text(
                session,
                draft.template,
                draft.language,
                draft.words,
                seen=draft.seen,
                now=page.now,
                actor=page.actor,
            )
    except TextRefused:
        return page.show("texts/editor.html", status=422, **editor_values(page, session, draft))
    except TextChanged:
        return _conflict(page, session, draft)
    if saved.version == before.version:
        return page.go(draft.path_back(), told=page.gettext("Nothing was changed."))
    told = page.gettext("Saved as version %(version)s. Letters written from now on use it.") % {
        "version": saved.version
    }
    return page.go(draft.path_back(), told=told, undo=_back_to(draft, before, saved))


@router.post(EDITOR + "/test", response_class=HTMLResponse)
def send_test(page: WritePage, session: SessionDep, draft: DraftDep) -> Response:
    """Send what is typed to the person who typed it, marked as a test. The page stays as it is."""
    trial = preview_of(page, session, draft).trial
    status, problem = 200, None
    try:
        request_trial(
            session,
            trial,
            draft.words,
            key=draft.key[:100],
            operator_id=page.signed.operator_id,
            to_address=page.signed.email,
            terms=terms_of(page.runtime.settings),
            now=page.now,
        )
    except LetterError:
        status, problem = 422, page.gettext("Correct the text first.")
    except TooManyTests:
        status, problem = 429, page.gettext("You sent many tests within the hour. Wait a while.")
    again = replace(draft, key="" if problem is None else draft.key)
    values = editor_values(page, session, again, is_sent=problem is None, test_problem=problem)
    if is_part(page):
        return page.show("texts/tested.html", **values)
    return page.show("texts/editor.html", status=status, **values)


@router.post(EDITOR + "/restore")
def restore(
    page: WritePage,
    session: SessionDep,
    template: str,
    language: str,
    version: Annotated[str, Form()] = "",
    seen: Annotated[str, Form()] = "",
) -> Response:
    """Put an earlier version in force again, as a new one."""
    before = current_text(session, template, language)
    draft = Draft(template, language, before.words, before.version, None)
    wanted = number_of(version)
    try:
        with session.begin_nested():
            saved = restore_text(
                session,
                template,
                language,
                -1 if wanted is None else wanted,
                seen=number_of(seen) or 0,
                now=page.now,
                actor=page.actor,
            )
    except TextRefused:
        told = page.gettext("Version %(version)s cannot be used any more.") % {"version": wanted}
        return page.go(draft.path + "/versions", told=told, bad=True)
    except TextChanged:
        return page.go(draft.path + "/versions", told=_somebody(page, before), bad=True)
    told = page.gettext("Version %(version)s is in force again, as version %(new)s.") % {
        "version": wanted,
        "new": saved.version,
    }
    return page.go(draft.path, told=told, undo=_back_to(draft, before, saved))


@router.post(EDITOR + "/standard")
def back_to_standard(
    page: WritePage, session: SessionDep, template: str, language: str, seen: Annotated[str, Form()] = ""
) -> Response:
    """The text that ships is in force again; the own ones are kept as versions."""
    before = current_text(session, template, language)
    draft = Draft(template, language, before.words, before.version, None)
    try:
        with session.begin_nested():
            saved = reset_text(session, template, language, seen=number_of(seen) or 0, now=page.now, actor=page.actor)
    except TextChanged:
        return page.go(draft.path + "/versions", told=_somebody(page, before), bad=True)
    if saved.version == before.version:
        return page.go(draft.path, told=page.gettext("Nothing was changed."))
    told = page.gettext("The standard text is back. Yours is kept among the versions.")
    return page.go(draft.path, told=told, undo=_back_to(draft, before, saved))


def _back_to(draft: Draft, before: TextVersion, saved: TextVersion) -> Undo:
    return Undo(f"{draft.path}/restore", {"version": str(before.version), "seen": str(saved.version)})


def _somebody(page: Page, current: TextVersion) -> str:
    told = page.gettext("%(author)s saved version %(version)s meanwhile. Nothing was changed.")
    return told % {"author": current.author, "version": current.version}


def _conflict(page: Page, session: Session, draft: Draft) -> Response:
    """The page with what was typed, what is in force by now, and the difference; saving again overrides knowingly."""
    current = current_text(session, draft.template, draft.language)
    theirs = {
        "version": current,
        "subject": compare(current.words.subject, draft.words.subject),
        "body": compare(current.words.body, draft.words.body),
    }
    kept = replace(draft, seen=current.version)
    return page.show("texts/editor.html", status=409, **editor_values(page, session, kept, theirs=theirs))
