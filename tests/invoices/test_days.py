"""A day is read as its locale writes it, or refused; never as another day."""

import re
from contextlib import suppress
from datetime import date

from babel import Locale
from babel.dates import format_date
from babel.localedata import locale_identifiers
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from nudgepay.invoices.importing.conventions import DateError, parse_day

LOCALES = sorted(locale_identifiers())
DAYS = st.dates(date(1000, 1, 1), date(9999, 12, 31))


def written(day: date, locale: str) -> str:
    """The locale's short form, with all four digits of the year."""
    pattern = Locale.parse(locale).date_formats["short"].pattern
    return format_date(day, re.sub("y+", "yyyy", pattern), locale=locale)


@examples(400)
@given(DAYS, st.sampled_from(LOCALES))
def test_a_day_reads_back_as_every_locale_writes_it_or_not_at_all(day: date, locale: str) -> None:
    text = written(day, locale)
    try:
        assert parse_day(text, locale) == day
    except DateError:
        assert not re.fullmatch(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\.?", text), text


@examples(200)
@given(DAYS, st.sampled_from([None, *LOCALES]))
def test_an_iso_day_is_the_same_day_everywhere(day: date, locale: str | None) -> None:
    assert parse_day(f" {day.isoformat()} ", locale) == day


@examples(200)
@given(
    st.text(max_size=60) | st.text("0123456789./- ", max_size=14),
    st.sampled_from([None, "de", "en-US", "ja", "ar", "xx"]),
)
def test_any_text_is_a_day_or_a_refusal(text: str, locale: str | None) -> None:
    with suppress(DateError):
        assert isinstance(parse_day(text, locale), date)
