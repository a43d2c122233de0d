"""Amounts read back as each of the world's locales writes them."""

from babel import Locale
from babel.localedata import locale_identifiers
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from nudgepay.money import MAX_MINOR_UNITS, exponent, parse_major, to_major

LOCALES = sorted(locale_identifiers())


def written(minor: int, currency: str, locale: str) -> str:
    """The amount with the locale's own grouping and signs, and all decimals of the currency."""
    found = Locale.parse(locale)
    whole = found.decimal_formats[None].pattern.split(";")[0].split(".")[0]
    decimals = "0" * exponent(currency)
    pattern = f"{whole}.{decimals}" if decimals else whole
    return format_decimal(to_major(minor, currency), format=pattern, locale=found)


@examples(400)
@given(
    st.integers(0, MAX_MINOR_UNITS), st.sampled_from(["CLF", "EUR", "JPY", "KWD", "USD"]), st.sampled_from(LOCALES)
)
def test_an_amount_reads_back_as_every_locale_writes_it(minor: int, currency: str, locale: str) -> None:
    assert parse_major(written(minor, currency, locale), currency, locale) == minor


def test_every_locale_reads_back_what_it_wrote_at_the_edges() -> None:
    assert len(LOCALES) > 1_000
    for locale in LOCALES:
        for minor in (0, 1, 99_999, 100_000, 123_456_789, MAX_MINOR_UNITS):
            assert parse_major(written(minor, "EUR", locale), "EUR", locale) == minor, locale
