"""The message on the wire: what mail programs need, and nothing hostile out of its place."""

import re
import uuid
from dataclasses import replace
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nudgepay.gateways.mail import ensure_message_id
from nudgepay.nudges.letter import Recipient, write_letter
from nudgepay.nudges.mail_headers import LetterError, folded, mailbox_field, text_field
from nudgepay.nudges.mime import MailHeaders, build_mime, message_id
from nudges.builders import at
from nudges.letter_builders import BUSINESS, ENGLISH, LETTER, LINE, letter, parsed, part

HEADERS = MailHeaders(
    message_id=f"<np.{LETTER}.1@atelier.example>",
    date=at("2026-03-13T09:00"),
    from_name="Atelier Nord",
    from_email="billing@atelier.example",
    to_name="Jo",
    to_email="jo@client.example",
    reply_to=None,
    subject="Hello",
    language="en",
    unsubscribe_url="https://pay.atelier.example/u/token",
)
ANYTHING = st.text(st.characters(exclude_categories=("Cs",)), max_size=120)
ONE_LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=120)


def test_the_headers_say_what_mail_programs_need() -> None:
    message = parsed(letter(references=("<np.a.1@x.example>", "<np.b.1@x.example>")))
    assert message["Message-ID"] == f"<np.{LETTER}.1@atelier.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["List-Unsubscribe"] == "<https://pay.atelier.example/u/token>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["In-Reply-To"] == "<np.b.1@x.example>"
    assert message["References"] == "<np.a.1@x.example> <np.b.1@x.example>"
    assert message["Content-Language"] == "de"
    assert message["MIME-Version"] == "1.0"
    assert parsedate_to_datetime(message["Date"]) == at("2026-03-13T09:00")
    assert message["From"].addresses[0].display_name == "Atelier Nord"
    assert message["From"].addresses[0].addr_spec == "billing@atelier.example"
    assert message["Reply-To"] is None
    assert [one.get_content_type() for one in message.iter_parts()] == ["text/plain", "text/html"]


def test_no_header_stands_twice_and_the_parser_finds_no_fault() -> None:
    message = parsed(letter(references=("<np.a.1@x.example>",), business=replace(BUSINESS, reply_to="me@a.example")))
    names = [name.lower() for name in message]
    assert len(names) == len(set(names))
    assert [one.defects for one in message.walk()] == [[], [], []]
    assert message["Reply-To"].addresses[0].addr_spec == "me@a.example"


def test_a_first_letter_answers_nothing() -> None:
    message = parsed(letter())
    assert message["In-Reply-To"] is None
    assert message["References"] is None


def test_both_parts_read_back_as_they_were_written() -> None:
    written = write_letter(letter())
    message = parsed(letter())
    assert part(message, "plain") == written.text
    assert part(message, "html") == written.html


def test_long_threads_are_folded_and_read_back() -> None:
    thread = tuple(f"<np.{uuid.UUID(int=n)}.1@atelier.example>" for n in range(5))
    raw = write_letter(letter(references=thread)).mime
    assert message_from_bytes(raw, policy=policy.default)["References"].split() == list(thread)
    assert max(map(len, raw.split(b"\r\n"))) <= 78


@pytest.mark.parametrize("description", ["x" * 500, "ü" * 500, ". " * 100, "\u00a0" * 300])
def test_every_line_is_short_and_ends_as_smtp_wants(description: str) -> None:
    raw = write_letter(letter(replace(LINE, description=description))).mime
    body = raw.partition(b"\r\n\r\n")[2]
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    raw.decode("ascii")


@pytest.mark.parametrize(
    "text",
    [
        "a\n.\nb",
        "a\r\n.\r\nMAIL FROM:<x@y>\r\n",
        "a\r.\rb",
        "....\n..",
        ".",
        "From me\n>From you\nFrom x",
        "a \n\t\n",
    ],
)
def test_no_line_of_the_body_can_end_the_message_or_be_changed_on_the_way(text: str) -> None:
    raw = build_mime(HEADERS, text, text)
    lines = raw.split(b"\r\n")
    assert not any(line.startswith((b".", b"From ")) for line in lines[10:])
    assert not any(line.endswith((b" ", b"\t")) for line in lines)
    read = part(message_from_bytes(raw, policy=policy.default), "plain")
    assert read == text.replace("\r\n", "\n").replace("\r", "\n")


@settings(max_examples=80, deadline=None)
@given(ANYTHING)
def test_any_body_reads_back_and_stays_within_its_part(text: str) -> None:
    raw = build_mime(HEADERS, text, text)
    message = message_from_bytes(raw, policy=policy.default)
    assert part(message, "plain") == re.sub(r"\r\n|\r", "\n", text)
    assert len(list(message.iter_parts())) == 2
    assert b"\n." not in raw
    assert max(map(len, raw.split(b"\r\n"))) <= 78


BREAKING = ["A\r\nBcc: x@y.example", "A\nB", "A\rB", "A\x00B", "A\x0bB", "A\x85B", "A\u2028B", "A\u2029B", "A\u202eB"]
DISGUISED = ["=?utf-8?q?=0aBcc?=", "x =?UTF-8?B?DQpCY2M6IGFAYi5j?= y", "\ud800"]


@pytest.mark.parametrize("name", BREAKING + DISGUISED)
def test_a_name_cannot_write_headers(name: str) -> None:
    with pytest.raises(LetterError, match="To"):
        write_letter(letter(recipient=Recipient(name, "jm@client.example", "de")))
    with pytest.raises(LetterError, match="From"):
        write_letter(letter(business=replace(BUSINESS, name=name)))


@pytest.mark.parametrize("number", BREAKING[3:] + DISGUISED)
def test_a_number_in_the_subject_cannot_either(number: str) -> None:
    with pytest.raises(LetterError, match=r"Subject|surrogates"):
        write_letter(letter(replace(LINE, number=number)))


def test_a_refusal_never_repeats_the_value() -> None:
    with pytest.raises(LetterError) as refusal:
        write_letter(letter(recipient=Recipient("Jörg\nMüller", "jm@client.example", "de")))
    assert "Jörg" not in str(refusal.value)


@pytest.mark.parametrize(
    "email",
    [
        "a@x.example,b@y.example",
        '"a" <b@x.example>',
        "<a@x.example>",
        "a@x.example\n",
        "a@x.example\r\nBcc: c@d.example",
        "a b@x.example",
        '"a b"@x.example',
        "a@[127.0.0.1]",
        "a@",
        "",
        "ü@x.example",
        "a" * 300 + "@x.example",
        "a@x.example>\u2028",
    ],
)
def test_an_address_is_one_plain_address(email: str) -> None:
    with pytest.raises(LetterError, match="To"):
        write_letter(letter(recipient=Recipient("Jo", email, "de")))


def test_a_domain_of_other_letters_goes_as_ascii() -> None:
    message = parsed(letter(recipient=Recipient("Jo", "jo@Bücher.example", "de")))
    assert message["To"].addresses[0].addr_spec == "jo@xn--bcher-kva.example"


def test_the_message_id_is_ours_whatever_the_domain() -> None:
    made = message_id(LETTER, 2, "billing@münchen.example")
    assert made == f"<np.{LETTER}.2@xn--mnchen-3ya.example>"
    assert ensure_message_id(made) == f"np.{LETTER}.2"


@pytest.mark.parametrize(
    "earlier", ["<a@b.example>\r\nBcc: x@y.example", "a@b.example", "<a b@c.example>", "<a@b> <c@d>"]
)
def test_a_thread_holds_message_ids_only(earlier: str) -> None:
    with pytest.raises(LetterError, match="Message-ID"):
        write_letter(letter(references=(earlier,)))


def test_a_date_without_its_zone_is_refused() -> None:
    with pytest.raises(LetterError, match="Date"):
        write_letter(letter(date=at("2026-03-13T09:00").replace(tzinfo=None)))


HOSTILE = [
    "{{7*7}}",
    "{{ 7 | times: 7 }}",
    "{% for x in (1..9) %}",
    "{{''.__class__.__mro__}}",
    "{{ x|attr('y') }}",
    "${7*7}",
    "#{7*7}",
    "{0.__init__}",
    "{name}",
    "<img src=x onerror=1>",
    "</title><script>1</script>",
    '" onmouseover="1',
    "--=_np",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_data_is_only_text(value: str) -> None:
    line = replace(LINE, number=value[:64], description=value)
    given = letter(
        line,
        recipient=Recipient(value, "jm@client.example", "de"),
        business=replace(BUSINESS, name=value, address=value),
    )
    message = parsed(given)
    text, markup = part(message, "plain"), part(message, "html")
    assert f"Guten Tag {value}," in text
    assert f"Rechnung {value}" in message["Subject"]
    assert message["To"].addresses[0].display_name == value
    assert "49" not in text.replace("20457", "")
    assert not re.search(r"<(?!/?(?:html|head|meta|title|style|body|div|table|tr|td|th|p|br|a|span)\b|!)", markup)
    assert markup.count("<title>") == markup.count("</title>") == 1
    assert not re.search(r"<[^>]*\son\w+=", markup)


@settings(max_examples=120, deadline=None)
@given(ONE_LINE, ONE_LINE)
def test_any_name_and_number_leave_one_recipient_and_read_back(name: str, number: str) -> None:
    given = letter(replace(LINE, number=number), recipient=Recipient(name, "jm@client.example", "de"))
    try:
        message = parsed(given)
    except LetterError:
        return
    assert [one.addr_spec for one in message["To"].addresses] == ["jm@client.example"]
    assert [one.addr_spec for one in message["From"].addresses] == ["billing@atelier.example"]
    assert message["Bcc"] is None
    assert message["Cc"] is None
    assert [one.defects for one in message.walk()] == [[], [], []]
    assert len(list(message.iter_parts())) == 2


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Cf")), min_size=1, max_size=200))
def test_names_and_subjects_read_back_as_they_are(value: str) -> None:
    shown = " ".join(value.split())
    try:
        raw = f"To: {mailbox_field('To', shown, 'a@x.example')}\r\nSubject: {text_field('Subject', shown)}\r\n\r\n"
    except LetterError:
        return
    message = message_from_bytes(raw.encode("ascii"), policy=policy.default)
    assert message["Subject"] == shown
    assert [one.addr_spec for one in message["To"].addresses] == ["a@x.example"]
    assert str(make_header(decode_header(raw.partition("\r\n <")[0].removeprefix("To: ")))) == shown or raw.isascii()
    assert max(map(len, raw.split("\r\n"))) <= 90


def test_folding_breaks_before_words_only() -> None:
    assert folded("aa " * 40 + "b", first=9).replace("\r\n", "") == "aa " * 40 + "b"
    assert all(len(line) <= 76 for line in folded("aa " * 40 + "b", first=9).split("\r\n"))


def test_an_english_letter_says_so() -> None:
    assert parsed(letter(recipient=ENGLISH))["Content-Language"] == "en"
