"""Operators' text is Liquid of a small kind: no way out of it, and no way to wear the machine out (A40)."""

import resource
import time
from collections.abc import Callable

import pytest

from nudgepay.nudges.operators_text import LONGEST_SOURCE, SAMPLES, TemplateError, check_template, render_text

SECONDS = 6.0
"""For a text that is checked once, when it is saved; on a busy machine."""
ESCAPES = [
    "{{ name.__class__.__mro__ }}",
    "{{ name['__class__'] }}",
    "{{ ''.__class__ }}",
    "{{ name | attr: '__class__' }}",
    "{{ name | map: '__class__' }}",
    "{{ self }}",
    "{{ request }}",
    "{{ config.items }}",
    "{{ settings.database_url }}",
    "{{ name | eval: '1' }}",
    "{% include '../../etc/passwd' %}",
    "{% render 'x' %}",
    "{% layout 'x' %}",
    "{% tablerow a in (1..3) %}{% endtablerow %}",
    "{% increment n %}",
    "{% liquid echo name %}",
    "{% macro x %}{% endmacro %}",
    "{% call x %}",
    "{% extends 'x' %}",
    "{% import os %}",
]
BURDENS = {
    "loops in loops": "{% for a in (1..1000) %}{% for b in (1..1000) %}{% for c in (1..1000) %}x{% endfor %}{% endfor %}{% endfor %}",
    "a loop over everything": "{% for a in (1..999999999999) %}x{% endfor %}",
    "doubling": "{% assign a = 'xxxxxxxxxx' %}" + "{% assign a = a | append: a %}" * 200 + "{{ a }}",
    "capturing": "{% capture a %}x{% endcapture %}"
    + "{% capture a %}{{ a }}{{ a }}{% endcapture %}" * 60
    + "{{ a }}",
    "prepending": "{% assign a = 'x' %}" + "{% assign a = a | prepend: a | append: a %}" * 60 + "{{ a }}",
    "great numbers": "{{ 9 | plus: " + "9" * 9_000 + " }}",
    "great powers": "{% assign a = 10 %}" + "{% assign a = a | plus: a %}" * 300 + "{{ a }}",
    "nested ifs": "{% if true %}" * 240 + "x" + "{% endif %}" * 240,
    "nested cases": "{% case 1 %}{% when 1 %}" * 120 + "x" + "{% endcase %}" * 120,
    "a long condition": "{% if " + " or ".join(["count > 1"] * 800) + " %}x{% endif %}",
    "many filters": "{{ name" + " | upcase | downcase" * 450 + " }}",
    "many outputs": "{{ name }}" * 990,
    "brackets": "{{ " + "(" * 4_000 + "1" + ")" * 4_000 + " }}",
    "indices": "{{ name" + "[0]" * 3_000 + " }}",
    "a string without end": "{{ '" + "x" * 9_000,
    "a comment without end": "{% comment %}" * 500,
    "truncating": "{{ name | truncate: 999999999999, 'x' }}",
}


@pytest.mark.parametrize("source", ESCAPES)
def test_there_is_no_way_out_of_the_text(source: str) -> None:
    assert check_template(source) != []
    try:
        shown = render_text(source, SAMPLES[0])
    except TemplateError:
        return
    assert not any(word in shown for word in ("class", "object", "root:", "postgres"))


@pytest.mark.parametrize("what", BURDENS)
def test_no_text_wears_the_machine_out(what: str, figures: Callable[..., None]) -> None:
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    problems = check_template(BURDENS[what])
    seconds = time.perf_counter() - began
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    figures(f"template of {what}", milliseconds=round(seconds * 1000), refused=bool(problems), rss_growth_kb=growth)
    assert seconds < SECONDS
    assert growth < 50 * 1024
    if not problems:
        assert len(render_text(BURDENS[what], SAMPLES[0])) <= 20_000


def test_a_text_beyond_the_limit_is_not_even_read() -> None:
    began = time.perf_counter()
    assert "shorten" in check_template("{" * 10_000_000)[0]
    assert "shorten" in check_template("{{ name }}" * 501)[0]
    assert time.perf_counter() - began < SECONDS
    assert len("{{ name }}" * 501) < LONGEST_SOURCE
