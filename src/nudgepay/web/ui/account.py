"""`/account`: one's own language, time zone and colours."""

from typing import Annotated
from zoneinfo import available_timezones

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, Response

from nudgepay.access.operators import choose_taste
from nudgepay.access.permissions import Permission
from nudgepay.web.deps import SessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.words import LANGUAGES

router = APIRouter()
THEMES = ("light", "dark")
AccountPage = Annotated[Page, allowed(Permission.ACCOUNT_WRITE)]


@router.get("/account", response_class=HTMLResponse)
def account(page: AccountPage) -> Response:
    """Who I am here, and how I like the pages."""
    return page.show("account/account.html", zones=[(zone, zone) for zone in sorted(available_timezones())])


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
