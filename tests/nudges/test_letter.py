"""What a letter says, to whom, in which language; and that nothing hostile gets out of its place."""

import uuid
from dataclasses import replace
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nudgepay.nudges.letter import Business, LetterInput, LetterLine, Recipient, write_letter
from nudgepay.nudges.letter_text import TemplateError, built_in, check_template, render_liquid
from nudgepay.nudges.mime import HeaderError, message_id
from nudges.builders import at

LETTER = uuid.UUID("12345678-1234-5678-1234-567812345678")
BUSINESS = Business(
    "Atelier Nord", "Hafenstraße 12, Hamburg", "billing@atelier.example", None, "DE89370400440532013000", None, "en"
)
LINE = LetterLine("A-1", "Website", 123_450, 0, 0, 123_450, date(2026, 2, 1), date(2026, 3, 10), 3, "firm", "overdue")


def letter(*lines: LetterLine, **changes: object) -> LetterInput:
    chosen = lines or (LINE,)
    made = LetterInput(
        message_id=message_id(LETTER, 1, BUSINESS.from_email),
        date=at("2026-03-13T09:00"),
        business=BUSINESS,
        recipient=Recipient("Jörg Müller", "jm@client.example", "de"),
        currency="EUR",
        lines=chosen,
        total=sum(line.claimed for line in chosen),
        pay_url="https://pay.atelier.example/p/token",
        unsubscribe_url="https://pay.atelier.example/u/token",
    )
    return replace(made, **changes)


def parsed(given: LetterInput) -> EmailMessage:
    return message_from_bytes(write_letter(given).mime, policy=policy.default)


def test_a_german_reader_gets_german_words_dates_and_amounts() -> None:
    written = write_letter(letter())
    assert written.subject == "Zahlungserinnerung: Rechnung A-1"
    for part in (written.text, written.html):
        assert "Guten Tag Jörg Müller" in part
        assert "10. März 2026" in part
        assert "1.234,50\xa0€" in part


def test_an_english_reader_gets_english_ones() -> None:
    written = write_letter(letter(recipient=Recipient("Amy", "amy@client.example", "en-GB"), currency="GBP"))
    assert "10 March 2026" in written.text
    assert "£1,234.50" in written.text


@pytest.mark.parametrize(
    ("locale", "business", "greeting"),
    [("de-AT", "en", "Guten Tag"), ("fr", "de", "Guten Tag"), ("fr", "en", "Hello"), ("fr", "sv", "Hello")],
)
def test_the_language_falls_back_from_region_to_language_to_business(
    locale: str, business: str, greeting: str
) -> None:
    given = letter(
        recipient=Recipient("Jo", "jo@client.example", locale), business=replace(BUSINESS, locale=business)
    )
    assert write_letter(given).text.startswith(greeting)


@pytest.mark.parametrize(
    ("currency", "amount", "shown"), [("JPY", 500, "¥500"), ("EUR", 500, "€5.00"), ("KWD", 12_345, "KWD\xa012.345")]
)
def test_an_amount_has_the_decimals_of_its_currency(currency: str, amount: int, shown: str) -> None:
    line = replace(LINE, amount_due=amount, claimed=amount)
    given = letter(line, currency=currency, recipient=Recipient("Jo", "jo@client.example", "en"))
    written = write_letter(given)
    assert shown in written.text.replace("KWD12", "KWD\xa012")
    assert shown in written.html.replace("KWD12", "KWD\xa012")


def test_two_invoices_are_two_lines_one_total_and_one_link() -> None:
    other = replace(LINE, number="A-2", due_on=date(2026, 3, 6), days_overdue=7, tone="final", template="final")
    written = write_letter(letter(other, LINE))
    assert written.subject == "Letzte Erinnerung: 2 Rechnungen von Atelier Nord"
    assert written.text.index("Rechnung A-2") < written.text.index("Rechnung A-1")
    assert "2.469,00" in written.text
    assert written.text.count("/p/token") == 1


def test_an_invoice_that_is_not_overdue_is_not_called_so() -> None:
    soon = replace(
        LINE, number="A-2", due_on=date(2026, 3, 16), days_overdue=-3, tone="friendly", template="before_due"
    )
    written = write_letter(letter(LINE, soon))
    assert written.subject == "Zahlungserinnerung: Rechnung A-1"
    assert "noch nicht fällig" in written.text


def test_a_part_payment_is_named_and_the_rest_is_claimed() -> None:
    written = write_letter(letter(replace(LINE, amount_paid=23_450, claimed=100_000)))
    for part in (written.text, written.html):
        assert "Erhalten" in part
        assert "234,50" in part
        assert "1.000,00" in part


def test_a_contested_part_is_named() -> None:
    written = write_letter(letter(replace(LINE, disputed=23_450, claimed=100_000)))
    assert "Bestritten: 234,50" in written.text


def test_the_strongest_tone_leads() -> None:
    friendly = replace(LINE, number="A-2", tone="friendly", template="due", days_overdue=30)
    assert write_letter(letter(friendly, LINE)).subject.startswith("Zahlungserinnerung")


def test_the_headers_say_what_mail_programs_need() -> None:
    message = parsed(letter(references=("<np.a.1@x.example>", "<np.b.1@x.example>")))
    assert message["Message-ID"] == f"<np.{LETTER}.1@atelier.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] == "<https://pay.atelier.example/u/token>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["In-Reply-To"] == "<np.b.1@x.example>"
    assert message["References"] == "<np.a.1@x.example> <np.b.1@x.example>"
    assert message["Content-Language"] == "de"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_every_line_is_short_and_ends_as_smtp_wants() -> None:
    raw = write_letter(letter(replace(LINE, description="x" * 500))).mime
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


@pytest.mark.parametrize("name", ["A\r\nBcc: x@y.example", "A\nB", "A\x00", "A\u2028B", "=?utf-8?q?=0aBcc?="])
def test_a_name_cannot_write_headers(name: str) -> None:
    with pytest.raises(HeaderError):
        write_letter(letter(recipient=Recipient(name, "jm@client.example", "de")))


@pytest.mark.parametrize(
    "email", ["a@x.example,b@y.example", "<a@x.example>", "a b@x.example", "a@x.example\r\nBcc: c@d"]
)
def test_an_address_is_one_address(email: str) -> None:
    with pytest.raises(HeaderError):
        write_letter(letter(recipient=Recipient("Jo", email, "de")))


HOSTILE = [
    "{{7*7}}",
    "{% for x in (1..9) %}",
    "{{ ''.__class__ }}",
    "${7*7}",
    "{0.__init__}",
    "<img src=x onerror=1>",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_only_text(name: str) -> None:
    message = parsed(letter(recipient=Recipient(name, "jm@client.example", "de")))
    text = message.get_body(("plain",)).get_content()
    markup = message.get_body(("html",)).get_content()
    assert name in text
    assert "49" not in text.split("\n", 1)[0]
    assert "<img" not in markup


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=60))
def test_any_name_leaves_one_recipient_and_reads_back(name: str) -> None:
    try:
        message = parsed(letter(recipient=Recipient(name, "jm@client.example", "de")))
    except HeaderError:
        return
    assert [address.addr_spec for address in message["To"].addresses] == ["jm@client.example"]
    assert message["Bcc"] is None


@pytest.mark.parametrize("template", ["before_due", "due", "overdue", "final", "manual"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_built_in_template_is_sound(template: str, language: str) -> None:
    found = built_in(template, language)
    assert check_template(found.subject, found.body) == []


def test_operators_text_is_checked_before_it_is_used() -> None:
    assert any("Liquid" in problem for problem in check_template("{% if %}", "x"))
    assert any("rendered" in problem for problem in check_template("x", "{{ nobody }}"))
    assert any("link" in problem for problem in check_template("x", "pay at https://evil.example"))


def test_operators_loops_are_bounded() -> None:
    with pytest.raises(TemplateError):
        render_liquid("{% for a in (1..100000) %}{% for b in (1..100000) %}x{% endfor %}{% endfor %}", {})
