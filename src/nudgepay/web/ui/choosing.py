"""What forms offer: languages with their regions, countries, time zones; each as the person names it."""

from functools import lru_cache
from zoneinfo import available_timezones

from babel import Locale
from babel.localedata import locale_identifiers

from nudgepay.money import babel_locale
from nudgepay.nudges.languages import LANGUAGES

Options = tuple[tuple[str, str], ...]
_NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"})


@lru_cache(maxsize=64)
def locales(reader: str) -> Options:
    """Every language in which letters are complete, and its regions, by name."""
    found = []
    for identifier in locale_identifiers():
        one = Locale.parse(identifier)
        if one.language in LANGUAGES and one.script is None and one.variant is None:
            found.append((identifier.replace("_", "-"), one.get_display_name(babel_locale(reader)) or identifier))
    return tuple(sorted(found, key=lambda pair: pair[1].casefold()))


@lru_cache(maxsize=64)
def countries(reader: str) -> Options:
    """Every country of ISO 3166, by name."""
    names = babel_locale(reader).territories
    found = [(code, name) for code, name in names.items() if len(code) == 2 and code not in _NO_COUNTRIES]
    return tuple(sorted(found, key=lambda pair: pair[1].casefold()))


@lru_cache(maxsize=1)
def zones() -> Options:
    """Every IANA time zone."""
    return tuple(
        (zone, zone.replace("_", " ")) for zone in sorted(available_timezones()) if "/" in zone or zone == "UTC"
    )


@lru_cache(maxsize=64)
def currencies(reader: str) -> Options:
    """Every currency of CLDR, by its code."""
    return tuple((code, f"{code} · {name}") for code, name in sorted(babel_locale(reader).currencies.items()))


def with_present(options: Options, present: str) -> Options:
    """The options, and the present value where it is none of them: a form must not change what nobody touched."""
    return options if not present or any(key == present for key, _ in options) else ((present, present), *options)
