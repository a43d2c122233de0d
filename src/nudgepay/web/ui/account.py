"""`/account`: how one likes the pages, how one signs in, and where one is signed in."""

from typing import Annotated
from zoneinfo import available_timezones

from fastapi import APIRouter, Form
from sqlalchemy import select
from starlette.responses import HTMLResponse, Response

from nudgepay.access.factors import factors_of
from nudgepay.access.models import TotpFactor
from nudgepay.access.operators import choose_taste
from nudgepay.access.permissions import Permission
from nudgepay.access.recovery_codes import count_left
from nudgepay.access.sessions import live_sessions
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.devices import device_words
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.words import LANGUAGES

router = APIRouter()
THEMES = ("light", "dark")
AccountPage = Annotated[Page, allowed(Permission.ACCOUNT_WRITE)]


@router.get("/account", response_class=HTMLResponse)
def account(page: AccountPage, session: ReadSessionDep) -> Response:
    """Who I am here, and how I like the pages."""
    signed = page.signed
    sessions = live_sessions(session, signed.operator_id, idle_minutes=page.runtime.settings.session_idle_minutes)
    return page.show(
        "account/account.html",
        zones=[(zone, zone) for zone in sorted(available_timezones())],
        factors=factors_of(session, signed.operator_id),
        factor_since=session.scalar(select(TotpFactor.since).where(TotpFactor.operator_id == signed.operator_id)),
        codes_left=count_left(session, signed.operator_id),
        sessions=[(one, device_words(page, one.user_agent)) for one in sessions],
    )


@router.post("/account")
def change(
    page: AccountPage,
    session: SessionDep,
    locale: Annotated[str, Form(max_length=20)] = "",
    timezone: Annotated[str, Form(max_length=60)] = "",
    theme: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Keep the taste; what is not known counts as no choice."""
    choose_taste(
        session,
        page.signed.operator_id,
        locale=locale if locale in LANGUAGES else None,
        timezone=timezone if timezone in available_timezones() else None,
        theme=theme if theme in THEMES else None,
    )
    return page.go("/account", told=page.gettext("Saved."))


@router.post("/account/theme")
def change_theme(page: AccountPage, session: SessionDep, theme: Annotated[str, Form(max_length=10)] = "") -> Response:
    """Light, dark, or as the device has it; back to where one was."""
    chosen = theme if theme in THEMES else None
    signed = page.signed
    choose_taste(session, signed.operator_id, locale=signed.locale, timezone=signed.timezone, theme=chosen)
    return page.go("/account")
