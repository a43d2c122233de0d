"""Operators' own texts: kept in versions, raced for, used by every way a letter is written, and never in others' way."""

import hashlib
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.errors import NotFound
from nudgepay.invoices.queries import invoice_by_number
from nudgepay.nudges.dossier import dossier
from nudgepay.nudges.languages import LANGUAGES
from nudgepay.nudges.letter import Recipient, write_letter
from nudgepay.nudges.letter_text import NAMES, LetterTemplate, built_in
from nudgepay.nudges.manual import preview_nudge
from nudgepay.nudges.operators_text import OwnTextFailed
from nudgepay.nudges.terms import terms_of
from nudgepay.nudges.text_editing import TextChanged, TextRefused, reset_text, restore_text, save_text, tidied
from nudgepay.nudges.text_findings import judge_text
from nudgepay.nudges.text_policy import frauds_in
from nudgepay.nudges.texts import current_text, text_versions, texts_in_force
from nudgepay.readiness.evidence import gather_evidence
from nudges.books import MONDAY, due_clients, make_client, make_invoice, nudge, rows, send, value
from nudges.letter_builders import LINE, SOON, letter, parsed, part

OWN = LetterTemplate("Still open: {{ number }}", "please look at {{ number }}, {{ total }} is due.")
SLY = LetterTemplate(
    "About {{ number }}",
    '{% if number == "A-3" %}{{ "evil." | append: "example/pay" }} {% endif %}{{ total }} is due.',
)
"""Its link is neither in the source nor in any sample."""
AS_BEFORE = {
    "en": "646a86ddc354516f",
    "de": "838df084d1c1057b",
    "fr": "b64b4f19f03635dd",
    "es": "c4873f9be959b582",
    "it": "9956645e2f8e1a9a",
    "nl": "f04d3fd39ed0dab0",
    "pl": "3a841b684dac9dbe",
    "pt": "6ab7a24c4e035f69",
    "sv": "81f07c43630ad69b",
    "ja": "0eb3e9e05781e010",
    "de-CH": "2a26076ce66b23a3",
}
"""Letters of each language as they were written before own texts were kept. A change of the texts that ship changes them."""


def save(db: Database, words: LetterTemplate = OWN, *, seen: int = 0, name: str = "due", language: str = "en") -> int:
    with db.transaction() as session:
        return save_text(session, name, language, words, seen=seen, now=MONDAY, actor="test").version


def test_every_change_is_a_version_with_its_author_and_none_is_lost(db: Database) -> None:
    assert (save(db), save(db, seen=1)) == (1, 1), "the same again changes nothing"
    assert save(db, replace(OWN, subject="Now: {{ number }}"), seen=1) == 2
    with db.transaction() as session:
        assert reset_text(session, "due", "en", seen=2, now=MONDAY, actor="boss").version == 3
        assert restore_text(session, "due", "en", 1, seen=3, now=MONDAY, actor="boss").version == 4
    with db.transaction() as session:
        found = text_versions(session, "due", "en")
        assert [(one.version, one.author, one.restored_from, one.is_own) for one in found] == [
            (4, "boss", 1, True),
            (3, "boss", None, False),
            (2, "test", None, True),
            (1, "test", None, True),
            (0, "", None, False),
        ]
        assert all(one.at is not None for one in found[:-1])
        assert texts_in_force(session) == {("due", "en"): replace(OWN, version=4)}
        assert current_text(session, "due", "de").version == 0
    acts = rows(
        db, "SELECT action, after->>'version' FROM audit_events WHERE subject = 'letter_texts:due/en' ORDER BY id"
    )
    assert [tuple(row) for row in acts] == [
        ("text.save", "1"),
        ("text.save", "2"),
        ("text.reset", "3"),
        ("text.restore", "4"),
    ]


def test_who_was_slower_is_told_and_overwrites_nothing(db: Database) -> None:
    save(db)
    with pytest.raises(TextChanged, match="test saved version 1"):
        save(db, replace(OWN, body="{{ total }}"), seen=0)
    with pytest.raises(TextChanged), db.transaction() as session:
        reset_text(session, "due", "en", seen=7, now=MONDAY, actor="test")
    assert value(db, "SELECT count(*) FROM letter_text_versions") == 1


def test_of_many_first_saves_at_once_one_wins(db: Database) -> None:
    together, outcomes = threading.Barrier(4), []

    def race(turn: int) -> None:
        together.wait()
        try:
            outcomes.append(save(db, replace(OWN, subject=f"Turn {turn}: {{{{ number }}}}")))
        except TextChanged:
            outcomes.append(0)

    threads = [threading.Thread(target=race, args=(turn,)) for turn in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(outcomes) == [0, 0, 0, 1]
    assert value(db, "SELECT count(*) FROM letter_text_versions") == 1


@pytest.mark.parametrize(
    "words",
    [
        LetterTemplate("{{ nobody }}", "x {{ total }}"),
        LetterTemplate("{% include 'x' %}", "x"),
        LetterTemplate("", "x"),
        LetterTemplate("x", "pay at evil-bank.ru"),
        LetterTemplate("x", "pay at EVIL-BANK.COM"),
        LetterTemplate("x", "pay at ｅｖｉｌ．ｒｕ"),
        LetterTemplate("x", '{{ "evil." | append: "example/pay" }}'),
        LetterTemplate("x", "a\x00b"),
        LetterTemplate("x", "a\u202eb"),
        LetterTemplate("x" * 500, "y"),
        LetterTemplate("x", "y" * 10_001),
    ],
)
def test_what_cannot_be_used_is_not_kept(db: Database, words: LetterTemplate) -> None:
    with pytest.raises(TextRefused):
        save(db, words)
    assert value(db, "SELECT count(*) FROM letter_texts") == 0


def test_texts_that_do_not_exist_are_not_found(db: Database) -> None:
    for name, language in (("words", "en"), ("due", "xx"), ("../due", "de")):
        with pytest.raises(NotFound):
            save(db, name=name, language=language)
    with pytest.raises(NotFound), db.transaction() as session:
        restore_text(session, "due", "en", 5, seen=0, now=MONDAY, actor="test")


@pytest.mark.parametrize(
    "words",
    ["Danke, z.B. m.in. EE.UU. a.u.b. S.r.l., GmbH & Co.KG", "24.12.2026, 3.5 %, 1.000,00 €", "bl.a. p.ex. usw."],
)
def test_abbreviations_are_no_links(words: str) -> None:
    assert frauds_in(words) == ()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (LetterTemplate("{{ number }}", "pay now"), "no_amount"),
        (LetterTemplate("Reminder", "{{ total }}"), "no_number"),
        (LetterTemplate("PAY {{ business | upcase }} NOW", "{{ number }} {{ total }}"), "shouts"),
        (LetterTemplate("{{ number }}", "{{ total }} at last!!"), "shouts"),
        (LetterTemplate("A subject of many words " * 4, "{{ number }} {{ total }}"), "subject_long"),
        (LetterTemplate("{{ number }}", "Dear {{ name }},\n\n{{ total }}"), "greets_twice"),
        (LetterTemplate("{{ number }}", "Hello there,\n\n{{ total }}"), "greets_twice"),
    ],
)
def test_what_deserves_a_look_is_said_and_forbids_nothing(db: Database, words: LetterTemplate, code: str) -> None:
    assert [one.code for one in judge_text(words, "en")] == [code]
    assert save(db, words) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_that_ship_leave_nothing_to_say(language: str) -> None:
    assert [judge_text(built_in(name, language), language) for name in NAMES] == [()] * len(NAMES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_own_text_speaks_in_every_language_inside_the_same_frame(language: str) -> None:
    own = LetterTemplate("§ {{ number }}", "§§ {{ total }} / {{ due_on }}.", version=7)
    for name in NAMES:
        given = letter(
            replace(LINE, template=name),
            recipient=Recipient("Jo", "jo@x.example", language),
            texts={(name, language): own},
        )
        written = write_letter(given)
        assert (written.subject, written.template, written.language, written.text_version) == (
            "§ A-1",
            name,
            language,
            7,
        )
        for kind in ("plain", "html"):
            shown = part(parsed(given), kind)
            assert "§§ " in shown
            assert "https://pay.atelier.example/p/token" in shown
            assert "https://pay.atelier.example/u/token" in shown


def test_swiss_readers_get_an_own_german_text_without_sharp_s() -> None:
    own = LetterTemplate("Grüße", "Grüße, {{ name }}: {{ total }}")
    written = write_letter(
        letter(recipient=Recipient("Weiß", "w@x.example", "de-CH"), texts={("overdue", "de"): own})
    )
    assert (written.subject, "Grüsse, Weiß:" in written.text) == ("Grüsse", True)


@pytest.mark.parametrize("locale", AS_BEFORE)
def test_without_own_texts_letters_are_what_they_were_to_the_byte(locale: str) -> None:
    found = hashlib.sha256()
    reader = Recipient("Jörg Müller", "jm@client.example", locale)
    for name in NAMES:
        for tone in ("friendly", "firm", "final"):
            plain = replace(LINE, template=name, tone=tone)
            part_paid = replace(plain, amount_paid=3450, claimed=120_000)
            for lines in ((plain,), (part_paid,), (part_paid, SOON), (part_paid, replace(part_paid, number="A-2"))):
                found.update(write_letter(letter(*lines, recipient=reader)).mime)
    assert found.hexdigest()[:16] == AS_BEFORE[locale]


def test_preview_and_letter_say_the_same_and_the_letter_knows_its_version(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1", due_on=MONDAY.date() - timedelta(days=2))
    save(db, LetterTemplate("By hand: {{ number }}", "my own words about {{ number }}: {{ total }}."), name="manual")
    with db.transaction() as session:
        invoice = invoice_by_number(session, "A-1")
        shown = preview_nudge(session, invoice, override_gap=False, terms=terms_of(settings), now=MONDAY)
    nudge(db, "A-1", key="k")
    assert send(db, settings).counts["accepted"] == 1
    (sent,) = rows(
        db, "SELECT subject, template, language, text_version, convert_from(mime, 'UTF8') AS mime FROM letters"
    )
    assert sent.subject == shown.subject == "By hand: A-1"
    assert "my own words about A-1" in sent.mime
    assert "my own words about A-1" in (shown.text or "")
    assert (sent.template, sent.language, sent.text_version) == ("manual", "en", 1)
    save(db, LetterTemplate("Later", "{{ total }}"), seen=1, name="manual")
    with db.transaction() as session:
        document = gather_evidence(session, "A-1", now=MONDAY).document
        assert (document["letters"][0]["text_version"], document["texts"][0]["version"]) == (1, 1)
        assert document["texts"][0]["body"].startswith("my own words")
        assert dossier(session, "A-1")["letters"][0]["text_version"] == 1


def test_a_reader_of_another_language_gets_the_standard_text_of_their_own(db: Database, settings: Settings) -> None:
    make_invoice(db, make_client(db, "karl", locale="de"), "A-1")
    due_clients(db, 1, first=5)
    save(db)
    assert send(db, settings).counts["accepted"] == 2
    told = rows(db, "SELECT subject, language, text_version FROM letters ORDER BY language")
    assert [(row.language, row.text_version) for row in told] == [("de", None), ("en", 1)]
    assert told[0].subject == "Rechnung A-1 ist heute fällig"


def test_a_text_that_fails_holds_its_letter_alone_until_it_is_corrected(db: Database, settings: Settings) -> None:
    due_clients(db, 8)
    save(db, SLY)
    report = send(db, settings)
    assert (report.counts["accepted"], report.counts["poisoned"]) == (7, 1)
    assert [(held["invoice"], held["reason"]) for held in report.held()] == [("A-3", "template_error")]
    (notice,) = rows(db, "SELECT kind, dedup_key, details FROM notices WHERE resolved_at IS NULL")
    assert (notice.kind, notice.dedup_key) == ("text.failing", "text.failing:due/en")
    assert notice.details == {"template": "due", "language": "en", "version": 1}
    assert value(db, "SELECT count(*) FROM letters WHERE convert_from(mime, 'UTF8') LIKE '%evil%'") == 0
    assert send(db, settings).counts["accepted"] == 0
    save(db, seen=1)
    assert value(db, "SELECT count(*) FROM notices WHERE resolved_at IS NULL") == 0
    assert send(db, settings).counts["accepted"] == 1, "it is tried at once, not tomorrow"


def test_a_text_that_fails_for_everybody_is_told_once(db: Database, settings: Settings) -> None:
    due_clients(db, 6)
    save(db, SLY)
    with db.transaction() as session:
        session.execute(text("UPDATE letter_text_versions SET body = '{{ nobody }}'"))
    assert send(db, settings).counts["poisoned"] == 6
    assert value(db, "SELECT count(*) FROM notices") == 1


@pytest.mark.parametrize("name", ["www.shop.example", "Jo"])
def test_a_link_that_comes_from_the_books_is_no_fraud_of_the_text(name: str) -> None:
    sly = LetterTemplate("{{ number }}", '{{ name }} {{ "evil." | append: "example" }} {{ total }}')
    plain = LetterTemplate("{{ number }}", "{{ name }}: {{ total }}")
    reader = Recipient(name, "jo@x.example", "de")
    assert name in write_letter(letter(recipient=reader, texts={("overdue", "de"): plain})).text
    with pytest.raises(OwnTextFailed, match="overdue/de version None: it holds a link"):
        write_letter(letter(recipient=reader, texts={("overdue", "de"): sly}))


def test_a_text_is_kept_tidy() -> None:
    assert tidied("  a \n b\t", "\r\n x \r\n\r\ny\rz  \n") == LetterTemplate("a b", " x\n\ny\nz")


def test_texts_are_loaded_once_for_a_batch(db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from nudgepay.nudges import drafting

    due_clients(db, 20)
    asked: list[Any] = []
    real = drafting.texts_in_force
    monkeypatch.setattr(drafting, "texts_in_force", lambda session: asked.append(1) or real(session))
    assert send(db, settings).counts["accepted"] == 20
    assert 1 <= len(asked) <= 5, "once for each look, and a look takes more clients each time"
