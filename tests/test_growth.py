"""Text of a stranger's choosing takes time that grows with its length, not with its square (A49)."""

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from nudgepay.errors import NudgePayError
from nudgepay.gateways.mail import ensure_address
from nudgepay.gateways.report_parsing import read_message
from nudgepay.gateways.smtp_dialogue import on_the_wire
from nudgepay.invoices.importing.conventions import parse_day
from nudgepay.invoices.importing.reading import Unreadable, decode, read_rows
from nudgepay.invoices.validation import clean_email, clean_line
from nudgepay.log import redact
from nudgepay.money import parse_major
from nudgepay.nudges.mail_headers import LetterError, ensure_text, ensure_url
from nudgepay.nudges.operators_text import check_template
from nudgepay.payments.inbox import BadEvent, parse
from nudgepay.payments.signatures import BadSignature, ensure_signed
from nudges.builders import at

NOW = at("2026-03-13T09:00")
SHORT, LONG = 4_000, 40_000
EVIL: dict[str, tuple[Callable[[str], object], Callable[[int], str]]] = {
    "address": (clean_email, lambda n: "a" * n + "@"),
    "address with dots": (ensure_address, lambda n: "a." * (n // 2) + "@x"),
    "line": (lambda text: clean_line(text, "name"), lambda n: " " * n + "x" + " " * n),
    "amount": (lambda text: parse_major(text, "EUR", "de"), lambda n: "1." * (n // 2)),
    "plain amount": (lambda text: parse_major(text, "EUR"), lambda n: "1" * n + "."),
    "fine amount": (lambda text: parse_major(text, "EUR"), lambda n: "0." + "1" * n),
    "day": (lambda text: parse_day(text, "de"), lambda n: "1" + " " * n + "."),
    "log line": (redact, lambda n: "a@" * (n // 2)),
    "log line of signs": (redact, lambda n: "x" * n),
    "log line of databases": (redact, lambda n: "postgres://" + "a:" * (n // 2)),
    "log line of links": (redact, lambda n: "/p/" * (n // 3)),
    "header of a signature": (
        lambda text: ensure_signed(b"{}", text[:2_000], ["s"], now=NOW),
        lambda n: "t=1," + "v1=a," * (n // 5),
    ),
    "event": (
        lambda text: parse(text.encode()),
        lambda n: '{"id":"evt_1","type":"x","x":"' + "\\u0000" * (n // 6) + '"}',
    ),
    "encoded word": (lambda text: ensure_text("To", text), lambda n: "=?" * (n // 2)),
    "encoded word with marks": (lambda text: ensure_text("To", text), lambda n: "=?a?b?" * (n // 6)),
    "link": (lambda text: ensure_url("pay link", text), lambda n: "https://a/" + "%" * n + " "),
    "letter": (lambda text: on_the_wire(text.encode()), lambda n: "\r.\n" * (n // 3)),
    "returned mail": (
        lambda text: read_message(text.encode(), source="x"),
        lambda n: 'Content-Type: multipart/report; boundary="b"\n\n' + "--b\n\n" * (n // 5),
    ),
    "returned headers": (lambda text: read_message(text.encode(), source="x"), lambda n: "X: " + "(" * n + "\n\n"),
    "date of returned mail": (
        lambda text: read_message(text.encode(), source="x"),
        lambda n: "Date: " + "(" * n + "\nSubject: x\n\n",
    ),
    "table": (lambda text: list(read_rows(decode(text.encode())[0])), lambda n: '"' * n),
    "table of one line": (
        lambda text: list(read_rows(decode(text.encode())[0])),
        lambda n: "a," * 100 + "\n" + "b" * n,
    ),
}
TEMPLATES: dict[str, Callable[[int], str]] = {
    "open tags": lambda n: "{%" * (n // 2),
    "open outputs": lambda n: "{{" * (n // 2),
    "filters": lambda n: "{{ name" + " | upcase" * (n // 9) + " }}",
    "words": lambda n: "a." * (n // 2),
    "account numbers": lambda n: "DE12 " + "ABCD " * (n // 5),
    "markup": lambda n: "<a" * (n // 2),
    "schemes": lambda n: "a+" * (n // 2),
}


def fastest(task: Callable[[str], object], given: str) -> float:
    """The shortest of five runs, in the processor time of this thread: the machine may be busy."""
    best = float("inf")
    for _ in range(5):
        began = time.thread_time()
        with suppress(NudgePayError, LetterError, BadEvent, BadSignature, Unreadable):
            task(given)
        best = min(best, time.thread_time() - began)
    return best


@pytest.mark.parametrize("what", EVIL)
def test_ten_times_the_text_takes_about_ten_times_as_long(what: str, figures: Callable[..., None]) -> None:
    task, evil = EVIL[what]
    fastest(task, evil(100))
    short, long = fastest(task, evil(SHORT)), fastest(task, evil(LONG))
    figures(f"growth of {what}", ratio=round(long / short, 1), longest_ms=round(long * 1000, 2))
    assert long < 35 * short + 0.005
    assert long < 1


@pytest.mark.parametrize("what", TEMPLATES)
def test_operators_text_of_full_length_is_judged_at_once(what: str, figures: Callable[..., None]) -> None:
    evil = TEMPLATES[what]
    short, long = fastest(check_template, evil(900)), fastest(check_template, evil(9_000))
    figures(f"growth of a template of {what}", ratio=round(long / short, 1), longest_ms=round(long * 1000, 2))
    assert long < 35 * short + 0.005
    assert long < 1
