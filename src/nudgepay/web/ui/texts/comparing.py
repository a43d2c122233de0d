"""The versions of one text: who wrote them and when, two of them side by side, and the way back."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.nudges.texts import text_versions
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.texts.diff import compare
from nudgepay.web.ui.texts.matrix import language_names
from nudgepay.web.ui.texts.view import number_of
from nudgepay.web.ui.texts.words import TEXTS

router = APIRouter()


@router.get("/templates/{template}/{language}/versions", response_class=HTMLResponse)
def versions(
    page: Annotated[Page, allowed(Permission.TEMPLATE_READ)],
    session: ReadSessionDep,
    template: str,
    language: str,
    old: str = "",
    new: str = "",
) -> Response:
    """Every version, and how `old` became `new`; without a choice, the last change."""
    found = text_versions(session, template, language)
    by_number = {one.version: one for one in found}
    current = found[0]
    after = by_number.get(_chosen(new, current.version), current)
    earlier = next((one for one in found if one.version < after.version), after)
    before = by_number.get(_chosen(old, earlier.version), earlier)
    return page.show(
        "texts/versions.html",
        name=template,
        spoken=language,
        texts=TEXTS,
        language_names=language_names(page),
        versions=found,
        current=current,
        before=before,
        after=after,
        subject=compare(before.words.subject, after.words.subject),
        body=compare(before.words.body, after.words.body),
    )


def _chosen(given: str, otherwise: int) -> int:
    number = number_of(given)
    return otherwise if number is None else number
