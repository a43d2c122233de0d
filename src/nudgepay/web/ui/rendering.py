"""Templates of the operators' pages: one environment for each language, autoescaped, strict about unknown names.

Filters take a `Page` first where an answer depends on the person: `amount | money(currency, page)`.
"""

import json
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from nudgepay.money import babel_locale, format_money
from nudgepay.web.assets import asset_url
from nudgepay.web.ui.reasons import meaning, remedy
from nudgepay.web.ui.words import LANGUAGES, translations

if TYPE_CHECKING:
    from nudgepay.web.ui.page import Page

HERE = Path(__file__).parent
NEAR = timedelta(days=7)
ICONS: dict[str, str] = json.loads((HERE / "icons.json").read_text(encoding="utf-8"))
"""The inside of each 24-unit line icon."""


@lru_cache(maxsize=len(LANGUAGES))
def environment_for(language: str) -> Environment:
    """The environment of one of LANGUAGES."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        auto_reload=False,
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.globals |= {"asset": asset_url, "icon": icon, "languages": LANGUAGES}
    made.filters |= {
        "money": money,
        "number": number,
        "day": day,
        "when": when,
        "ago": ago,
        "meaning": meaning,
        "remedy": remedy,
    }
    return made


def icon(name: str, *, size: str = "") -> Markup:
    """A line icon beside text that says the same. `size` is a class: `icon-sm`, `icon-lg`."""
    inside = Markup(ICONS[name])  # noqa: S704  # our own file, not a person's text
    return Markup('<svg class="icon {}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>').format(
        size, inside
    )


def money(minor: int, currency: str, page: "Page") -> str:
    """An amount of minor units as the person writes it."""
    return _money(int(minor), currency, page.locale)


@lru_cache(maxsize=65_536)
def _money(minor: int, currency: str, locale: str) -> str:
    return format_money(minor, currency, locale)


def number(value: float, page: "Page") -> str:
    """A count or a ratio with the person's signs."""
    return format_decimal(value, locale=babel_locale(page.locale))


def day(value: date, page: "Page") -> Markup:
    """A calendar day, without a time zone: 24 Nov 2026."""
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), _day(value, page.locale))


@lru_cache(maxsize=8192)
def _day(value: date, locale: str) -> str:
    return format_date(value, format="medium", locale=babel_locale(locale))


def when(value: datetime, page: "Page") -> Markup:
    """An instant in the person's zone; the exact one, with its zone, on hover."""
    local = value.astimezone(page.zone)
    locale = babel_locale(page.locale)
    is_this_year = local.year == page.now.astimezone(page.zone).year
    short = format_datetime(local, "d MMM, HH:mm" if is_this_year else "d MMM y, HH:mm", locale=locale)
    return _time(value, escape(short), page)


def ago(value: datetime, page: "Page") -> Markup:
    """How far away an instant is (`3 hours ago`, `in 2 days`); beyond a week the instant itself."""
    distance = value - page.now
    if abs(distance) > NEAR:
        return when(value, page)
    words = format_timedelta(distance, add_direction=True, locale=babel_locale(page.locale))
    return _time(value, escape(words), page)


def _time(value: datetime, shown: Markup, page: "Page") -> Markup:
    exact = value.astimezone(page.zone).isoformat(sep=" ", timespec="seconds")
    return Markup('<time datetime="{}" title="{} {}">{}</time>').format(
        value.isoformat(), exact, page.zone.key, shown
    )
