"""`/settings/first-steps`: the way to letters that bring money, and how far one has come."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.readiness.getting_started import first_steps as steps_of
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.settings.step_words import STEPS
from nudgepay.web.ui.settings.words import TABS

router = APIRouter()


@router.get("/settings/first-steps", response_class=HTMLResponse)
def first_steps(page: Annotated[Page, allowed(Permission.SETTING_READ)], session: ReadSessionDep) -> Response:
    """Each step with why it matters; the first that is not done is open."""
    steps = steps_of(session, page.runtime.settings, now=page.now)
    return page.show(
        "settings/first_steps.html",
        tabs=TABS,
        steps=steps,
        words=STEPS,
        done=sum(step.state == "done" for step in steps),
        next_key=next((step.key for step in steps if step.state != "done"), ""),
    )
