"""`/settings` and `/settings/all`: what is configured, and where each value came from. Never a secret's value."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.config import SECRETS, Settings
from nudgepay.config.provenance import INTERNAL, source_of
from nudgepay.config.provenance import shown_value as value_of
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.settings.words import GROUPS, MAIN, OTHERS, SOURCES, TABS

router = APIRouter()
SettingsPage = Annotated[Page, allowed(Permission.SETTING_READ)]


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as a person may see it: `value` is None for a secret, of which only `is_set` is told."""

    variable: str
    value: str | None
    is_secret: bool
    is_set: bool
    source: str
    label: str = ""
    hint: str = ""


@router.get("/settings", response_class=HTMLResponse)
def business(page: SettingsPage) -> Response:
    """The settings that an owner asks for, in words."""
    settings = page.runtime.settings
    sections = [
        (title, lead, [show_setting(settings, name, label, hint) for name, label, hint in rows])
        for title, lead, rows in MAIN
    ]
    return page.show("settings/business.html", sections=sections, tabs=TABS)


@router.get("/settings/all", response_class=HTMLResponse)
def everything(page: SettingsPage) -> Response:
    """Every setting by its name."""
    settings = page.runtime.settings
    grouped = {name for _, names in GROUPS for name in names}
    rest = tuple(name for name in Settings.model_fields if name not in grouped | INTERNAL)
    groups = [
        (title, [show_setting(settings, name) for name in names])
        for title, names in (*GROUPS, (OTHERS, rest))
        if names
    ]
    return page.show("settings/everything.html", groups=groups, tabs=TABS)


def show_setting(settings: Settings, name: str, label: str = "", hint: str = "") -> Shown:
    """One setting, by attribute name."""
    source = source_of(settings, name)
    return Shown(
        variable=name.upper(),
        value=value_of(settings, name),
        is_secret=name in SECRETS,
        is_set=source != "unset",
        source=SOURCES[source],
        label=label,
        hint=hint,
    )
