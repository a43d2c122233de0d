"""Amounts: exact or refused, in every locale and currency, and never beyond what the books can hold."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from nudgepay.errors import UsageError
from nudgepay.money import (
    MAX_MINOR_UNITS,
    AmountError,
    babel_locale,
    ensure_currency,
    exponent,
    format_money,
    parse_major,
    to_major,
    to_minor,
)

CURRENCIES = {"JPY": 0, "EUR": 2, "USD": 2, "KWD": 3, "CLF": 4}


@pytest.mark.parametrize(("currency", "digits"), CURRENCIES.items())
def test_a_currency_has_its_own_number_of_decimals(currency: str, digits: int) -> None:
    assert exponent(currency) == digits
    assert to_major(10**digits, currency) == 1
    assert to_minor(Decimal(1), currency) == 10**digits


@examples(60)
@given(st.integers(-MAX_MINOR_UNITS, MAX_MINOR_UNITS), st.sampled_from(sorted(CURRENCIES)))
def test_minor_and_major_units_are_two_names_of_one_amount(minor: int, currency: str) -> None:
    assert to_minor(to_major(minor, currency), currency) == minor
    assert parse_major(f"{to_major(minor, currency):f}", currency) == minor


@examples(60)
@given(
    st.integers(0, 10**9),
    st.integers(1, 9),
    st.integers(0, 120),
    st.sampled_from([None, "en", "de"]),
)
def test_whatever_is_finer_than_the_currency_is_refused_however_fine(
    whole: int, last: int, zeros: int, locale: str | None
) -> None:
    sign = "," if locale == "de" else "."
    with pytest.raises(AmountError):
        parse_major(f"{whole}{sign}00{'0' * zeros}{last}", "EUR", locale)
    assert parse_major(f"{whole}{sign}00{'0' * zeros}", "EUR", locale) == whole * 100


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("9223372036854775807", "EUR"),
        ("9223372036854775808", "JPY"),
        ("10000000000000.01", "EUR"),
        ("1000000000000001", "JPY"),
        ("1000000000000.001", "KWD"),
        ("9" * 5_000, "EUR"),
        ("-10000000000000.01", "EUR"),
        ("0." + "9" * 5_000, "EUR"),
    ],
)
def test_an_amount_beyond_the_books_is_refused(text: str, currency: str) -> None:
    with pytest.raises(AmountError):
        parse_major(text, currency)


def test_the_largest_amount_is_an_amount() -> None:
    assert parse_major("10000000000000.00", "EUR") == parse_major("1000000000000000", "JPY") == MAX_MINOR_UNITS
    assert to_minor(Decimal("-10000000000000.00"), "EUR") == -MAX_MINOR_UNITS


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "1E-999999"])
def test_what_is_no_number_of_units_is_refused(value: str) -> None:
    with pytest.raises(AmountError):
        to_minor(Decimal(value), "EUR")


@pytest.mark.parametrize("code", ["", "EU", "EURO", "XXY", "E\0R", "EUR;DROP", "\u202eEUR", "€"])
def test_a_code_of_no_currency_is_refused_by_name(code: str) -> None:
    with pytest.raises(AmountError, match="is no ISO 4217 currency code"):
        ensure_currency(code)


def test_a_code_may_be_written_small() -> None:
    assert ensure_currency(" eur ") == "EUR"


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("1.234,56", None),
        ("1.234,56", "en"),
        ("1,234.56", "de"),
        ("12,34,567.00", "en"),
        ("1e9", None),
        ("+5", None),
        ("5.", None),
        (".5", None),
        ("1 000.00", "en"),
        ("1'000.00", "en"),
        ("(5.00)", "en"),
        ("$5.00", "en"),
        ("", "en"),
        ("", None),
        ("--5", None),
        ("5-", "en"),
        ("１２", "en"),
    ],
)
def test_what_a_convention_does_not_write_is_not_guessed_at(text: str, locale: str | None) -> None:
    with pytest.raises(AmountError):
        parse_major(text, "EUR", locale)


def test_an_amount_may_use_every_sign_there_is() -> None:
    assert parse_major("-1,023,456,789.50", "EUR", "en") == -102_345_678_950


def test_a_refusal_names_what_was_written_and_whose_convention_it_breaks() -> None:
    with pytest.raises(AmountError, match=r"^'1\.2\.3' is not an amount in the conventions of de$"):
        parse_major("1.2.3", "EUR", "de")
    with pytest.raises(AmountError, match=r"^'x' is not a plain amount such as 1234\.56$"):
        parse_major("x", "EUR")
    with pytest.raises(AmountError, match=r"^JPY has 0 decimals; 1\.5 has more$"):
        parse_major("1.5", "JPY")
    with pytest.raises(AmountError, match=r"^the amount is too large$"):
        parse_major("9" * 30, "EUR")
    with pytest.raises(AmountError, match=r"^the amount is too large$"):
        parse_major("10000000000000.01", "EUR")
    with pytest.raises(AmountError, match=r"^'\$5' is not an amount in the conventions of de$"):
        parse_major("$5", "EUR", "de")
    with pytest.raises(AmountError, match=r"^'X' is not an amount in the conventions of de$"):
        parse_major("X", "EUR", "de")
    with pytest.raises(AmountError, match=r"^the amount must be a finite number$"):
        to_minor(Decimal("NaN"), "EUR")


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u202f"])
def test_where_thousands_are_set_off_by_a_space_any_such_space_will_do(space: str) -> None:
    assert parse_major(f"1{space}234,50", "EUR", "fr") == 123_450
    assert parse_major(f" 1{space}234,50 ", "EUR", "fr-FR") == 123_450


@pytest.mark.parametrize("apostrophe", ["'", "\u2019"])
def test_swiss_thousands_are_set_off_by_either_apostrophe(apostrophe: str) -> None:
    assert parse_major(f"1{apostrophe}234.50", "CHF", "de-CH") == 123_450


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "shown"),
    [
        (123_450, "EUR", "de", "1.234,50\xa0€"),
        (123_450, "EUR", "en", "€1,234.50"),
        (123_450, "JPY", "ja", "￥123,450"),
        (1_500, "KWD", "en", "KWD\xa01.500"),
        (1_500, "CHF", "de-CH", "CHF\xa015.00"),
        (5, "EUR", "xx-nowhere", "€0.05"),
    ],
)
def test_an_amount_is_shown_with_its_own_decimals_and_a_currency_of_letters_set_off(
    minor: int, currency: str, locale: str, shown: str
) -> None:
    assert format_money(minor, currency, locale) == shown


@pytest.mark.parametrize(
    ("tag", "found"),
    [("de-AT", "de_AT"), ("de_AT", "de_AT"), ("de-XX", "de"), ("xx", "en"), ("", "en"), ("a_b_c", "en")],
)
def test_a_locale_falls_back_from_region_to_language_to_english(tag: str, found: str) -> None:
    assert str(babel_locale(tag)) == found


@examples(60)
@given(st.text(max_size=40), st.sampled_from([None, "de", "en", "fr", "ar", "hi"]))
def test_any_text_is_an_amount_within_bounds_or_a_refusal(text: str, locale: str | None) -> None:
    try:
        minor = parse_major(text, "EUR", locale)
    except UsageError:
        return
    assert abs(minor) <= MAX_MINOR_UNITS
