"""What a letter says: in which language, in which tone, about which invoices, and how much it claims."""

from dataclasses import replace
from datetime import date

import pytest

from nudgepay.nudges.letter import LetterInput, LetterLine, Recipient, WrittenLetter, write_letter
from nudgepay.nudges.letter_text import NAMES, LetterTemplate
from nudgepay.nudges.mail_headers import LetterError
from nudgepay.nudges.schedules import TEMPLATES
from nudges.letter_builders import BUSINESS, ENGLISH, GERMAN, LINE, SOON, letter

PART_PAID = replace(LINE, amount_paid=23_450, claimed=100_000)
CONTESTED = replace(LINE, disputed=23_450, claimed=100_000)


def said(given: LetterInput) -> list[str]:
    """Both bodies, for what must stand in each."""
    written = write_letter(given)
    return [written.text, written.html]


def first_paragraph(written: WrittenLetter) -> str:
    return written.text.split("\n\n")[1]


def test_a_german_reader_gets_german_words_dates_and_amounts() -> None:
    written = write_letter(letter())
    assert written.subject == "Zahlungserinnerung: Rechnung A-1"
    for part in (written.text, written.html):
        assert "Guten Tag Jörg Müller," in part
        assert "10. März 2026" in part
        assert "1.234,50\xa0€" in part
        assert "Mit freundlichen Grüßen" in part
    assert '<html lang="de"' in written.html


def test_an_english_reader_gets_english_ones() -> None:
    for part in said(letter(recipient=ENGLISH, currency="GBP")):
        assert "Hello Amy Winter," in part
        assert "10 March 2026" in part
        assert "£1,234.50" in part


def test_an_american_reader_gets_the_month_first() -> None:
    given = letter(recipient=replace(ENGLISH, locale="en-US"), currency="USD")
    assert "$1,234.50 was due on March 10, 2026" in write_letter(given).text


def test_one_readers_language_does_not_leak_into_the_next_letter() -> None:
    for _ in range(2):
        assert write_letter(letter(recipient=GERMAN)).subject.startswith("Zahlungserinnerung")
        assert write_letter(letter(recipient=ENGLISH)).subject.startswith("Payment reminder")


def test_swiss_readers_are_spared_the_sharp_s_and_names_keep_theirs() -> None:
    for part in said(letter(recipient=Recipient("Urs Weiß", "urs@client.example", "de-CH"), currency="CHF")):
        assert "Mit freundlichen Grüssen" in part
        assert "Guten Tag Urs Weiß," in part
        assert "CHF\xa01’234.50" in part


@pytest.mark.parametrize(
    ("locale", "business", "greeting", "day"),
    [
        ("de-AT", "en", "Guten Tag", "10. März 2026"),
        ("fi", "de-DE", "Guten Tag", "10. März 2026"),
        ("fi", "en-GB", "Hello", "10 March 2026"),
        ("fi", "en-US", "Hello", "March 10, 2026"),
        ("fi", "da", "Hello", "10 March 2026"),
        ("EN_gb", "de", "Hello", "10 March 2026"),
        ("", "da", "Hello", "10 March 2026"),
    ],
)
def test_the_language_falls_back_from_region_to_language_to_business_to_english(
    locale: str, business: str, greeting: str, day: str
) -> None:
    given = letter(
        recipient=Recipient("Jo", "jo@client.example", locale), business=replace(BUSINESS, locale=business)
    )
    written = write_letter(given)
    assert written.text.startswith(greeting)
    assert day in written.text


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [
        ("JPY", 1_500_000, "¥1,500,000"),
        ("EUR", 123_450, "€1,234.50"),
        ("KWD", 1_234_567, "KWD\xa01,234.567"),
        ("ISK", 9_900, "ISK\xa09,900"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(currency: str, amount: int, shown: str) -> None:
    line = replace(LINE, amount_due=amount, claimed=amount)
    given = letter(line, currency=currency, recipient=Recipient("Jo", "jo@client.example", "en"))
    for part in said(given):
        assert shown in part


def test_two_invoices_due_together_are_two_lines_one_total_and_one_link() -> None:
    other = replace(LINE, number="A-2", amount_due=10_000, claimed=10_000)
    written = write_letter(letter(LINE, other))
    assert written.subject == "Zahlungserinnerung: 2 Rechnungen von Atelier Nord"
    assert "zu 2 unserer Rechnungen" in first_paragraph(written)
    assert written.text.index("Rechnung A-1, Website\n") < written.text.index("Rechnung A-2, Website\n")
    assert written.html.count('<th scope="row" align="left" valign="top" class="np-ink') == 2
    for part in (written.text, written.html):
        assert "100,00" in part
        assert part.count("1.334,50") >= 2
        assert part.count("/p/token") == 1


def test_an_invoice_is_only_called_what_it_is() -> None:
    written = write_letter(letter(LINE, SOON))
    assert written.subject == "Zahlungserinnerung: Rechnung A-1"
    assert "Eine weitere Rechnung ist unten aufgeführt." in written.text
    assert "Offen sind 1.234,50\xa0€." in first_paragraph(written)
    assert "Fällig am 16. März 2026 (in 3 Tagen)" in written.text
    assert "Insgesamt zu zahlen: 2.469,00\xa0€" in written.text


def test_the_strongest_tone_leads_and_speaks_only_for_its_own() -> None:
    final = replace(LINE, number="A-2", days_overdue=7, due_on=date(2026, 3, 6), tone="final", template="final")
    friendly = replace(LINE, number="A-3", tone="friendly", template="due", days_overdue=30)
    written = write_letter(letter(friendly, LINE, final))
    assert written.subject == "Letzte Zahlungserinnerung: Rechnung A-2"
    assert "2 weitere Rechnungen sind unten aufgeführt." in written.text


def test_a_part_payment_is_named_and_the_rest_is_claimed() -> None:
    for part in said(letter(PART_PAID)):
        assert "vielen Dank für die bereits gezahlten 234,50\xa0€" in part
        assert "Der Restbetrag von 1.000,00\xa0€" in part
        assert "Bereits erhalten" in part
        assert "Rechnungsbetrag" in part
    written = write_letter(letter(PART_PAID))
    assert "Zu zahlen: 1.000,00\xa0€" in written.text
    assert "Bereits erhalten: 234,50\xa0€" in written.text
    assert "−234,50\xa0€" in written.html


def test_an_invoice_without_part_payments_is_not_taken_apart() -> None:
    for part in said(letter()):
        assert "Bereits erhalten" not in part
        assert "Rechnungsbetrag" not in part


def test_a_contested_part_is_named_and_not_claimed() -> None:
    for part in said(letter(CONTESTED)):
        assert "In Klärung" in part
        assert "234,50" in part
        assert "Was in Klärung ist, ist im zu zahlenden Betrag nicht enthalten." in part
    assert "Zu zahlen: 1.000,00" in write_letter(letter(CONTESTED)).text


def test_the_total_claims_what_each_line_claims() -> None:
    written = write_letter(letter(PART_PAID, replace(CONTESTED, number="A-2")))
    assert "Insgesamt zu zahlen: 2.000,00\xa0€" in written.text


@pytest.mark.parametrize("template", NAMES)
@pytest.mark.parametrize(("days", "when"), [(-3, "future"), (0, "today"), (5, "past")])
@pytest.mark.parametrize("tone", ["friendly", "firm", "final"])
def test_no_text_says_that_an_invoice_is_overdue_which_is_not(template: str, days: int, when: str, tone: str) -> None:
    for recipient in (ENGLISH, GERMAN):
        for line in (LINE, PART_PAID, CONTESTED):
            given = replace(line, template=template, days_overdue=days, tone=tone)
            two = write_letter(letter(given, replace(given, number="A-2"), recipient=recipient))
            one = write_letter(letter(given, recipient=recipient))
            for written in (one, two):
                body = written.subject + first_paragraph(written)
                if days <= 0:
                    assert not any(word in body for word in ("overdue", "überfällig", " was due", " war am"))
                if days != 0:
                    assert not any(word in body for word in ("today", "heute"))
                if days > 0:
                    assert not any(word in body for word in (" is due", " wird am", "soon", "bald"))
                assert "  " not in written.subject + body.replace("\xa0", "")


@pytest.mark.parametrize(
    ("days", "age"), [(1, "1 day overdue"), (2, "2 days overdue"), (0, "(today)"), (-1, "tomorrow")]
)
def test_one_day_is_one_day(days: int, age: str) -> None:
    assert age in write_letter(letter(replace(LINE, days_overdue=days), recipient=ENGLISH)).text


def test_bank_details_stand_beside_the_link_when_there_is_an_account() -> None:
    for part in said(letter(LINE, replace(LINE, number="A-2"))):
        assert "DE89 3704 0044 0532 0130 00" in part
        assert "Verwendungszweck" in part
    for part in said(letter(business=replace(BUSINESS, iban=None))):
        assert "IBAN" not in part


def test_without_cards_the_button_does_not_promise_to_take_one() -> None:
    for part in said(letter(has_card=False)):
        assert "Rechnung ansehen" in part
        assert "bezahlen</a>" not in part
        assert "/p/token" in part


def test_every_letter_says_why_it_came_and_how_to_stop_it() -> None:
    for part in said(letter()):
        assert "weil Atelier Nord Ihnen diese Rechnung gestellt hat" in part
        assert "https://pay.atelier.example/u/token" in part
        assert "Hafenstraße 12, 20457 Hamburg" in part


def test_a_nameless_reader_is_greeted_all_the_same() -> None:
    assert write_letter(letter(recipient=replace(ENGLISH, name=" "))).text.startswith("Hello,\n")


def test_the_letter_loads_nothing_from_elsewhere() -> None:
    html = write_letter(letter()).html
    assert "<img" not in html
    assert "url(" not in html
    assert "<script" not in html
    assert html.count("http") == html.count("https://pay.atelier.example/")


def test_operators_text_stands_inside_the_frame_and_cannot_remove_the_link() -> None:
    own = LetterTemplate(
        "Kleine Erinnerung an {{ number }}", "Nur so.\nZweite Zeile.\n\nEnde <b>hier</b>. {{ name }}"
    )
    written = write_letter(letter(texts={("overdue", "de"): own}))
    assert written.subject == "Kleine Erinnerung an A-1"
    for part in (written.text, written.html):
        assert "/p/token" in part
        assert "1.234,50\xa0€" in part
        assert "/u/token" in part
    assert "Nur so.<br>Zweite Zeile.</p>" in written.html
    assert "Ende &lt;b&gt;hier&lt;/b&gt;. Jörg Müller" in written.html
    assert "Ende <b>hier</b>. Jörg Müller" in written.text


def test_operators_text_of_another_language_is_not_used() -> None:
    own = LetterTemplate("English", "English")
    assert write_letter(letter(texts={("overdue", "en"): own})).subject.startswith("Zahlungserinnerung")


def test_the_texts_that_ship_are_the_ones_a_schedule_may_name() -> None:
    assert set(NAMES) == TEMPLATES


UNSOUND: list[tuple[LetterLine | None, dict[str, object]]] = [
    (replace(LINE, claimed=100_000), {}),
    (replace(PART_PAID, claimed=123_450), {}),
    (replace(LINE, amount_due=0, claimed=0), {}),
    (replace(LINE, amount_due=-5, claimed=-5), {}),
    (replace(LINE, tone="furious"), {}),
    (LINE, {"total": 123_451}),
    (LINE, {"lines": (), "total": 0}),
    (LINE, {"pay_url": "javascript:alert(1)"}),
    (LINE, {"pay_url": 'https://pay.example/p/x"onclick="'}),
    (LINE, {"unsubscribe_url": "https://pay.example/u/x>,<mailto:a@b.example"}),
]


@pytest.mark.parametrize(("line", "changes"), UNSOUND)
def test_a_letter_that_is_not_true_is_not_written(line: LetterLine, changes: dict[str, object]) -> None:
    with pytest.raises(LetterError):
        write_letter(letter(line, **changes))
