"""Operators' text: what it may do, what it may not, and what is told before it is used."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nudgepay.nudges.languages import LANGUAGES
from nudgepay.nudges.letter_text import NAMES, built_in, parse_template
from nudgepay.nudges.letter_values import Reading, operators_values
from nudgepay.nudges.letter_words import words
from nudgepay.nudges.operators_text import SAMPLES, VARIABLES, TemplateError, check_template, render_text
from nudges.catalogues import assert_complete
from nudges.letter_builders import letter


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_that_ships_is_sound(name: str, language: str) -> None:
    found = built_in(name, language)
    assert check_template(found.subject) == []
    assert check_template(found.body) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word_in_every_plural_form(language: str) -> None:
    assert_complete(words("en"), words(language), language)


def test_the_variables_that_are_promised_are_the_ones_that_are_given() -> None:
    assert operators_values(Reading(letter())).keys() == VARIABLES
    assert all(sample.keys() == VARIABLES for sample in SAMPLES)


def test_every_variable_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "letters.md").read_text()
    assert [name for name in sorted(VARIABLES) if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{% if %}", "not valid Liquid"),
        ("{{ number", "not valid Liquid"),
        ("{{ nobody }}", "no variable 'nobody'"),
        ("{% if count > 99 %}{{ iban }}{% endif %}x", "no variable 'iban'"),
        ("{{ name.__class__ }}", "rendered"),
        ("{{ name | truncate: 'x' }}", "rendered"),
        ("{% include 'secrets' %}", "not valid Liquid"),
        ("{% render 'secrets' %}", "not valid Liquid"),
        ("{{ 'now' | date: '%Y' }}", "rendered"),
        ("{{ name | base64_decode }}", "rendered"),
        ("{% if count > 1 %}Hello{% endif %}", "comes out empty"),
        ("  \n ", "comes out empty"),
        ("pay at https://evil.example", "link"),
        ("pay at www.evil.example", "link"),
        ("pay at evil-bank.com please", "link"),
        ("write to mailto:x", "link"),
        ("javascript:alert(1)", "link"),
        ("[pay](//evil)", "link"),
        ("<a href=x>pay</a>", "HTML"),
        ("New account: DE89 3704 0044 0532 0130 00", "account number"),
        ("New account: GB82WEST12345698765432", "account number"),
        ("x" * 10_001, "shorten"),
    ],
)
def test_trouble_is_told_before_the_text_is_used(source: str, problem: str) -> None:
    assert any(problem in told for told in check_template(source)), check_template(source)


@pytest.mark.parametrize(
    "source", ["Thanks, {{ name }}. {{ total }} by {{ due_on }}.", "Nr. 5.2 of A.B. & Co, 3.5 %"]
)
def test_plain_words_are_no_trouble(source: str) -> None:
    assert check_template(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in (1..100000) %}{% for b in (1..100000) %}x{% endfor %}{% endfor %}",
        "{% for a in (1..999) %}" + "x" * 100 + "{% endfor %}",
        "{% assign a = 'xxxxxxxxxx' %}" + "{% assign a = a | append: a %}" * 40,
        "{% if true %}" * 500 + "{% endif %}" * 500,
    ],
)
def test_text_cannot_run_away(source: str) -> None:
    with pytest.raises(TemplateError):
        render_text(source, {})


def test_values_are_data_and_never_templates() -> None:
    assert (
        render_text("Dear {{ name }}", {"name": "{{ total }}{% include 'x' %}"})
        == "Dear {{ total }}{% include 'x' %}"
    )


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(["{{", "}}", "{%", "%}", "if", "|", "for", "name", " ", "end"])).map("".join)
)
def test_any_text_is_either_rendered_or_refused(source: str) -> None:
    try:
        render_text(source, SAMPLES[0])
    except TemplateError:
        assert check_template(source) != []


@pytest.mark.parametrize("source", ["no subject\n\nbody", "Subject: a\nb\n\nbody", "Subject: a\n\n  ", "Subject: a"])
def test_a_file_without_subject_and_body_is_refused(source: str) -> None:
    with pytest.raises(TemplateError, match="Subject"):
        parse_template(source)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TemplateError, match="before_due"):
        built_in("words", "en")
