"""Amounts cross Stripe's door exactly, or not at all; languages to the nearest that its page speaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nudgepay.gateways.stripe_amounts import AmountNotPayable, from_stripe, stripe_exponent, to_stripe
from nudgepay.gateways.stripe_locales import LOCALES, checkout_locale

# From docs.stripe.com/currencies: what Stripe is sent for 5 major units.
FIVE = {"USD": 500, "EUR": 500, "JPY": 5, "KRW": 5, "CLP": 5, "ISK": 500, "UGX": 500, "KWD": 5_000, "TND": 5_000}
OURS = {"USD": 500, "EUR": 500, "JPY": 5, "KRW": 5, "CLP": 5, "ISK": 5, "UGX": 5, "KWD": 5_000, "TND": 5_000}


@pytest.mark.parametrize("currency", FIVE)
def test_five_major_units_are_what_stripe_documents(currency: str) -> None:
    assert to_stripe(OURS[currency], currency) == FIVE[currency]
    assert from_stripe(FIVE[currency], currency) == OURS[currency]


@given(st.integers(1, 10**12), st.sampled_from([*FIVE, "HUF", "TWD", "VND", "XAF", "MGA", "BHD", "RSD", "LBP"]))
def test_what_goes_out_comes_back_the_same(amount: int, currency: str) -> None:
    if stripe_exponent(currency) == 3:
        amount *= 10
    assert from_stripe(to_stripe(amount, currency), currency) == amount


def test_a_third_decimal_that_stripe_does_not_take_is_refused() -> None:
    with pytest.raises(AmountNotPayable):
        to_stripe(5_124, "KWD")
    assert to_stripe(5_120, "KWD") == 5_120


def test_a_fraction_that_the_currency_does_not_know_is_refused() -> None:
    with pytest.raises(AmountNotPayable):
        from_stripe(12_345, "ISK")


@pytest.mark.parametrize(
    ("tag", "locale"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("en-US", "en"),
        ("en-gb", "en-GB"),
        ("en_IE", "en-GB"),
        ("es-MX", "es-419"),
        ("es-ES", "es"),
        ("fr-CA", "fr-CA"),
        ("nn-NO", "nb"),
        ("pt-BR", "pt-BR"),
        ("zh-Hant-TW", "zh-TW"),
        ("zh-Hans-CN", "zh"),
        ("ar", "auto"),
        ("", "auto"),
    ],
)
def test_a_locale_becomes_the_nearest_that_the_hosted_page_speaks(tag: str, locale: str) -> None:
    assert checkout_locale(tag) == locale


@given(st.text(alphabet="adefnrstzhAT-_019 é", max_size=12))
def test_no_tag_becomes_a_locale_that_stripe_refuses(tag: str) -> None:
    assert checkout_locale(tag) in LOCALES
