"""The letters' texts on pages: preview, save, conflict, test to oneself, versions; and whoever means harm (A40, A41, A42)."""

import re
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.nudges.letter_text import LetterTemplate, built_in
from nudgepay.nudges.mailings.sending import run_mailings
from nudgepay.nudges.switch import pause_sending
from nudgepay.nudges.terms import terms_of
from nudgepay.nudges.text_editing import save_text
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from nudges.books import make_client, make_invoice, rows, value
from web.ui.desk import Desk

DUE = "/templates/due/de"
WORDS = {"subject": "Heute: {{ number }}", "body": "es geht um {{ number }} über {{ total }}."}
NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture
def invoice(runtime: Runtime) -> int:
    client = make_client(runtime.db, "karl", locale="de")
    today = clock.now().date()
    return make_invoice(runtime.db, client, "R-1", due_on=today + timedelta(days=4), now=clock.now())


def save(desk: Desk, path: str = DUE, **fields: Any) -> Any:
    return desk.post(path, {**WORDS, "seen": "0", **fields})


def typed(desk: Desk, path: str = DUE, **fields: Any) -> str:
    """The part of the preview, as a script asks for it."""
    data = {"_csrf_token": desk.csrf_token, **WORDS, "seen": "0", **fields}
    answer = desk.client.post(f"{path}/preview", data=data, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return str(answer.text)


def test_the_list_shows_every_text_in_every_language_and_which_are_ones_own(desk: Desk, invoice: int) -> None:
    page = desk.get("/templates").text
    assert len(re.findall(r'href="/templates/\w+/\w+"', page)) == 50
    assert page.count("Never edited") == 5
    assert "T-3" in page
    save(desk)
    page = desk.get("/templates").text
    assert 'aria-label="German: your own, version 1"' in page
    assert "German edited by olga@desk.example" in page
    assert "9 languages still have the standard text" in page


def test_a_text_is_previewed_for_a_real_invoice_saved_and_taken_back(
    desk: Desk, invoice: int, runtime: Runtime
) -> None:
    page = desk.get(DUE).text
    assert "Invoice R-1" in page
    assert "step DUE on" in page
    shown = typed(desk, invoice=str(invoice))
    assert "es geht um R-1 über 100,00\xa0€." in shown
    assert "Guten Tag Karl," in shown
    assert value(runtime.db, "SELECT count(*) FROM letter_texts") == 0
    told = desk.told(save(desk, invoice=str(invoice)))
    assert "Saved as version 1" in told
    assert "es geht um {{ number }}" in told
    assert "Readers of other languages still get the standard text" in told
    assert "Nothing was changed" in desk.told(save(desk, seen="1"))
    back = re.search(
        r'action="([^"]+/restore)".*?name="version" value="(\d+)".*?name="seen" value="(\d+)"', told, re.DOTALL
    )
    assert back is not None
    assert back.groups() == (f"{DUE}/restore", "0", "1")
    again = desk.told(desk.post(back[1], {"version": back[2], "seen": back[3]}))
    assert "The standard text." in again
    assert built_in("due", "de").body.splitlines()[0].split("{%")[0] in again


def test_a_preview_without_a_script_is_the_whole_page_with_what_was_typed(desk: Desk, invoice: int) -> None:
    other = make_invoice(
        desk.runtime.db, make_client(desk.runtime.db, "nora"), "N-7", due_on=clock.now().date(), now=clock.now()
    )
    answer = desk.post(
        f"{DUE}/preview", {**WORDS, "seen": "0", "invoice": str(invoice), "choose": str(other), "q": "n-"}
    )
    assert answer.status_code == 200
    assert "Invoice N-7" in answer.text
    assert "es geht um N-7" in answer.text
    assert 'value="Heute: {{ number }}"' in answer.text
    assert f'name="invoice" form="editor" value="{other}"' in answer.text


def test_a_preview_can_change_nothing_at_all(desk: Desk, invoice: int, runtime: Runtime) -> None:
    def counted() -> list[Any]:
        tables = ("letter_texts", "letters", "reminders", "mailings", "audit_events", "notices")
        return [value(runtime.db, f"SELECT count(*) FROM {name}") for name in tables]

    before = counted()
    typed(desk)
    desk.get(DUE)
    assert desk.get(f"{DUE}/letter?invoice={invoice}").status_code == 200
    assert desk.post(f"{DUE}/preview/letter", {**WORDS}).status_code == 200
    assert counted() == before


def test_the_html_part_stands_in_a_frame_that_may_do_nothing(desk: Desk, invoice: int) -> None:
    answer = desk.post(f"{DUE}/preview/letter", {**WORDS, "invoice": str(invoice)})
    policy_said = answer.headers["content-security-policy"]
    assert policy_said == "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"
    assert "x-frame-options" not in answer.headers
    assert "es geht um R-1" in answer.text
    assert 'href="http://testserver/p/PREVIEW"' in answer.text
    assert "/u/PREVIEW" in answer.text
    assert " sandbox data-letter" in desk.get(DUE).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"body": "{{ nobody }}"}, "There is no variable “nobody”"),
        ({"body": "{% if %}"}, "cannot be read as a template"),
        ({"subject": ""}, "This is empty."),
        ({"body": "x" * 10_001}, "longer than 10000 characters"),
        ({"body": "a\x00b"}, "invisible control character"),
    ],
)
def test_what_cannot_be_used_is_said_beside_its_field_and_stays_typed(
    desk: Desk, invoice: int, fields: dict[str, str], said: str
) -> None:
    answer = save(desk, **fields)
    assert answer.status_code == 422
    assert said in answer.text
    assert "field-problem" in answer.text
    assert 'name="seen" value="0"' in answer.text
    assert said in typed(desk, **fields)
    assert value(desk.runtime.db, "SELECT count(*) FROM letter_texts") == 0


def test_two_editors_see_what_the_other_wrote_and_decide(desk: Desk, invoice: int) -> None:
    save(desk)
    late = save(desk, body="ich war auch da: {{ total }}", seen="0")
    assert late.status_code == 409
    assert "olga@desk.example saved version 1 while you were writing." in late.text
    assert '<ins class="diff-new">ich war auch da' in late.text
    assert '<del class="diff-gone">es geht um' in late.text
    assert "ich war auch da: {{ total }}</textarea>" in late.text
    assert 'name="seen" value="1"' in late.text
    assert "Saved as version 2" in desk.told(save(desk, body="ich war auch da: {{ total }}", seen="1"))
    assert "saved version 2 meanwhile" in desk.told(desk.post(f"{DUE}/standard", {"seen": "1"}))
    assert "saved version 2 meanwhile" in desk.told(desk.post(f"{DUE}/restore", {"version": "1", "seen": "1"}))
    assert value(desk.runtime.db, "SELECT max(version) FROM letter_text_versions") == 2


def test_versions_are_compared_and_restored_as_new_ones(desk: Desk, invoice: int) -> None:
    save(desk)
    save(desk, body="ganz andere Worte: {{ total }}", seen="1")
    page = desk.get(f"{DUE}/versions").text
    assert '<ins class="diff-new">ganz andere' in page
    assert desk.get(f"{DUE}/versions?old=1&new=1").text.count("diff-new") == 0
    assert "Version 1 is in force again, as version 3." in desk.told(
        desk.post(f"{DUE}/restore", {"version": "1", "seen": "2"})
    )
    assert "restored from version 1" in desk.get(f"{DUE}/versions").text
    assert "The standard text is back" in desk.told(desk.post(f"{DUE}/standard", {"seen": "3"}))
    assert value(desk.runtime.db, "SELECT count(*) FROM letter_text_versions") == 4


def test_a_test_goes_to_oneself_alone_and_reminds_nobody(desk: Desk, invoice: int, runtime: Runtime) -> None:
    key = re.search(r'name="key" form="editor" value="([\w-]+)"', desk.get(DUE).text)
    assert key is not None
    fields = {**WORDS, "seen": "0", "invoice": str(invoice), "key": key[1]}
    for _ in range(2):
        assert "On its way to olga@desk.example" in desk.post(f"{DUE}/test", fields).text
    with runtime.db.transaction() as session:
        pause_sending(session, reason="not yet", environment="test", actor="test")
    terms = terms_of(runtime.settings)
    sent = run_mailings(runtime.db, transport=runtime.mail, receipts=runtime.receipts, terms=terms, now=clock.now())
    assert dict(sent) == {"accepted": 1}
    (row,) = rows(runtime.db, "SELECT kind, client_id, contact_id, to_address, mime FROM mailings")
    assert (row.kind, row.client_id, row.contact_id, row.to_address) == ("test", None, None, "olga@desk.example")
    mail = message_from_bytes(bytes(row.mime), policy=policy.default)
    assert (mail["Subject"], mail["To"]) == ("[Test] Heute: R-1", "olga@desk.example")
    assert mail["List-Unsubscribe"] is None
    for kind in ("plain", "html"):
        shown = str(cast(Any, mail.get_body((kind,))).get_content())
        assert "es geht um R-1" in shown
        assert set(re.findall(r"http://testserver/(\S+?)[\"\s<]", shown)) == {"p/PREVIEW", "u/PREVIEW"}
    assert [
        value(runtime.db, f"SELECT count(*) FROM {name}") for name in ("letters", "reminders", "letter_texts")
    ] == [0, 0, 0]


def test_tests_are_bounded_and_a_text_that_cannot_be_used_is_not_tried(desk: Desk, invoice: int) -> None:
    assert desk.post(f"{DUE}/test", {**WORDS, "body": "{{ nobody }}", "key": "k"}).status_code == 422
    for turn in range(20):
        assert desk.post(f"{DUE}/test", {**WORDS, "key": str(turn)}).status_code == 200
    assert desk.post(f"{DUE}/test", {**WORDS, "key": "20"}).status_code == 429
    assert value(desk.runtime.db, "SELECT count(*) FROM mailings") == 20


def test_an_invoice_is_found_by_its_number_or_its_client(desk: Desk, invoice: int) -> None:
    for typed_words, is_found in (
        ("r-", True),
        ("R-1", True),
        ("kar", True),
        ("R-2", False),
        ("%", False),
        ("' OR 1=1 --", False),
    ):
        page = desk.get(f"{DUE}/invoices", params={"q": typed_words}).text
        assert ("R-1</span>" in page) == is_found, typed_words


def test_books_without_an_open_invoice_are_tried_with_an_invented_one(desk: Desk) -> None:
    page = desk.get(DUE).text
    assert "An invented invoice" in page
    assert "1.250,00\xa0€" in page
    assert "[Test]" not in page
    assert desk.post(f"{DUE}/test", {**WORDS, "key": "k"}).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "?invoice=abc",
        "?invoice=99999999999999999999999",
        "?invoice=-1",
        "?q=%00%27",
        "/versions?old=x&new=-3",
        "/letter?invoice=9",
    ],
)
def test_garbage_in_an_address_does_no_harm(desk: Desk, invoice: int, address: str) -> None:
    assert desk.get(DUE + address).status_code == 200


@pytest.mark.parametrize(
    "path", ["/templates/words/de", "/templates/due/xx", "/templates/..%2fdue/de", "/templates/due/xx/versions"]
)
def test_a_text_that_does_not_exist_is_not_found(desk: Desk, path: str) -> None:
    assert desk.get(path).status_code == 404
    assert desk.post(path.removesuffix("/versions"), WORDS).status_code == 404


def test_who_may_only_look_sees_the_text_and_changes_nothing(runtime: Runtime, invoice: int) -> None:
    with TestClient(create_app(runtime), follow_redirects=False) as client:
        desk = Desk(client, runtime, role=Role.AUDITOR)
        page = desk.get(DUE).text
        assert "readonly" in page
        assert ">Save<" not in page
        assert "es geht um R-1" in typed(desk)
        for path in ("", "/test", "/restore", "/standard"):
            assert desk.post(DUE + path, {**WORDS, "seen": "0", "key": "k"}).status_code == 403
        assert desk.client.post(f"{DUE}/preview", data=WORDS).status_code == 403, "a form of another page"
    assert value(runtime.db, "SELECT count(*) FROM letter_texts") == 0


@pytest.mark.parametrize(
    "source",
    [
        "{{7*7}}",
        "{{ ''.__class__.__mro__ }}",
        "{{ name.__class__ }}",
        "{% for x in name.__class__.__mro__ %}{{ x }}{% endfor %}",
        "{{ name | attr: '__class__' }}",
        "{% include '/etc/passwd' %}",
        "{{ request.app.state.runtime.settings }}",
        "{{ page.runtime.settings.database_url }}",
    ],
)
def test_the_editor_runs_nothing(desk: Desk, invoice: int, source: str) -> None:
    """A40: Liquid's own walls are tested elsewhere; here, that no other engine ever reads the text."""
    assert save(desk, body=source).status_code == 422
    assert save(desk, subject=source).status_code == 422
    shown = typed(desk, body=source)
    framed = desk.post(f"{DUE}/preview/letter", {**WORDS, "body": source}).text
    for page in (shown, framed):
        assert not re.search(r"<class|object at|root:|postgresql|\b49\b", page)


def test_what_only_looks_like_a_template_is_text(desk: Desk, invoice: int) -> None:
    words = "${7*7} #{7*7} {0.__init__} %(name)s <%= 7*7 %> {{ total }} {{ number }}"
    plain = words.replace("<%= 7*7 %> ", "")
    shown = typed(desk, body=plain)
    assert "${7*7} #{7*7} {0.__init__} %(name)s 100,00\xa0€ R-1" in shown


def test_markup_in_texts_and_books_is_shown_and_never_run(desk: Desk, invoice: int, runtime: Runtime) -> None:
    """A41: in the editor, in the preview, in the mail."""
    client = make_client(runtime.db, "mallory", locale="de")
    other = make_invoice(runtime.db, client, "</title><script>1", due_on=clock.now().date(), now=clock.now())
    with runtime.db.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE clients SET name = '{NASTY}' WHERE id = {client}")
        connection.exec_driver_sql(f"UPDATE contacts SET name = '{NASTY}' WHERE client_id = {client}")
    fields = {**WORDS, "body": f"{NASTY} {{{{ name }}}} {{{{ total }}}}", "invoice": str(other)}
    for answer in (
        desk.post(f"{DUE}/preview", fields),
        desk.post(f"{DUE}/preview/letter", fields),
        desk.post(f"{DUE}/preview/letter", {**WORDS, "body": "{{ name }} {{ total }}", "invoice": str(other)}),
        desk.get(f"{DUE}/invoices?q=<"),
        save(desk, **fields),
    ):
        assert "<img src=x" not in answer.text
        assert "<script>1" not in answer.text
    assert "&lt;img src=x" in desk.post(f"{DUE}/preview/letter", fields).text
    assert "There is HTML in it" in desk.post(f"{DUE}/preview", fields).text
    assert save(desk, **fields).status_code == 422


@pytest.mark.parametrize(
    "bait",
    [
        "https://evil.example/pay",
        "www.evil.example",
        "evil-bank.com",
        "evil-bank.ru/pay",
        "<a href='//evil.example'>Bezahlen</a>",
        "javascript:alert(1)",
        "mailto:pay@evil.example",
        "DE02 1203 0000 0000 2020 51",
        '{{ "evil-bank." | append: "com" }}',
        '{% assign a = "evil" %}{{ a }}{{ ".com/pay" }}',
        "ｅｖｉｌ．ｃｏｍ",
    ],
)
def test_no_text_brings_a_way_to_pay_of_its_own(desk: Desk, invoice: int, bait: str) -> None:
    """A42: refused when it is saved, shown to nobody as a letter, and not even sent as a test."""
    fields = {**WORDS, "body": f"Bitte hier bezahlen: {bait} {{{{ total }}}} {{{{ number }}}}", "key": "k"}
    assert save(desk, **fields).status_code == 422
    assert value(desk.runtime.db, "SELECT count(*) FROM letter_texts") == 0
    framed = desk.post(f"{DUE}/preview/letter", {**fields, "invoice": str(invoice)}).text
    assert set(re.findall(r'href="([^"]+)"', framed)) <= {
        "http://testserver/p/PREVIEW",
        "http://testserver/u/PREVIEW",
    }
    if "<a" not in bait:
        assert desk.post(f"{DUE}/test", fields).status_code == 422
        assert value(desk.runtime.db, "SELECT count(*) FROM mailings") == 0


def test_the_pay_button_and_the_way_out_cannot_be_written_away(desk: Desk, invoice: int, runtime: Runtime) -> None:
    """A42: whatever the text says, the frame stands around it."""
    words = LetterTemplate("x {{ number }}", "{% comment %}{{ total }}{% endcomment %}{% if false %}{% endif %}.")
    with runtime.db.transaction() as session:
        save_text(session, "due", "de", words, seen=0, now=clock.now(), actor="test")
    framed = desk.get(f"{DUE}/letter?invoice={invoice}").text
    assert re.findall(r'href="([^"]+)"', framed) == ["http://testserver/p/PREVIEW", "http://testserver/u/PREVIEW"]
    assert "100,00\xa0€" in framed


def test_an_invoice_that_no_letter_fits_gives_way_to_another_and_says_so(
    desk: Desk, invoice: int, runtime: Runtime
) -> None:
    paid = make_invoice(
        runtime.db, make_client(runtime.db, "paula"), "P-1", due_on=clock.now().date(), now=clock.now()
    )
    with runtime.db.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE invoices SET status = 'void' WHERE id = {paid}")
    page = desk.get(f"{DUE}?invoice={paid}").text
    assert "No letter about the invoice that you chose can be written" in page
    assert "Invoice R-1" in page
    with runtime.db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE contacts SET email = 'a@x.example,b@y.example'")
    assert "An invented invoice" in desk.get(f"{DUE}?invoice={invoice}").text
    with runtime.db.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM contacts")
    assert "Guten Tag,\n" in desk.get(f"{DUE}?invoice={invoice}").text
