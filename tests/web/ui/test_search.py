"""The search: any part of a number, names, addresses, amounts; what is typed is text and nothing else."""

import re
from datetime import timedelta
from html import unescape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from nudgepay import clock
from nudgepay.db import Database
from nudgepay.invoices import searching
from nudgepay.invoices.searching import Amount, after_all_that_begin_with, find_clients, find_invoices, grams_of
from nudgepay.runtime import Runtime
from nudgepay.web.ui.search.finding import amounts_in, clean
from nudges.books import make_client, make_invoice
from web.ui.desk import Desk

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


def found(desk: Desk, typed: str) -> list[str]:
    """Where the palette's options lead, in their order."""
    answer = desk.client.get("/search/results", params={"q": typed})
    assert answer.status_code == 200
    assert "<html" not in answer.text
    options = re.findall(r'<a class="palette-result" href="([^"]+)" role="option" id="([\w-]+)"', answer.text)
    assert len({id for _, id in options}) == len(options)
    return [unescape(path) for path, _ in options]


@pytest.fixture
def numbers(runtime: Runtime) -> dict[str, int]:
    client = make_client(runtime.db, "lindner")
    other = make_client(runtime.db, "100%_sure")
    due = clock.now().date() + timedelta(days=3)
    made = {}
    for number, amount, currency in (
        ("RE-2026-0042", 129_900, "EUR"),
        ("RE-2026-0043", 1_299, "JPY"),
        ("RE-2026-1042", 12_99, "EUR"),
        ("50%_OFF", 1_299_000, "KWD"),
        ("Ärger-7", 5, "EUR"),
    ):
        whose = other if "%" in number else client
        made[number] = make_invoice(
            runtime.db, whose, number, amount=amount, currency=currency, due_on=due, now=clock.now()
        )
    return made | {"lindner": client, "sure": other}


def test_a_number_is_found_by_its_beginning_and_by_any_part_of_it(desk: Desk, numbers: dict[str, int]) -> None:
    path = {name: f"/invoices/{id}" for name, id in numbers.items()}
    assert found(desk, "re-2026-0") == [path["RE-2026-0042"], path["RE-2026-0043"]]
    assert found(desk, "  2026-10 ") == [path["RE-2026-1042"]]
    assert set(found(desk, "042")) == {path["RE-2026-0042"], path["RE-2026-1042"]}
    assert found(desk, "ÄRGER") == [path["Ärger-7"]]
    assert found(desk, "re-2026-0042")[0] == path["RE-2026-0042"]


def test_signs_of_a_pattern_stand_for_themselves(desk: Desk, numbers: dict[str, int]) -> None:
    assert found(desk, "50%_") == [f"/invoices/{numbers['50%_OFF']}"]
    assert found(desk, "%_o") == [f"/invoices/{numbers['50%_OFF']}"]
    for pattern in ("%", "_", "%%%", "re-2026-00__", "\\", "'; DROP TABLE invoices --", "\x00\x00", "((("):
        assert found(desk, pattern) == [] or pattern == "\x00\x00"
    assert found(desk, "100%_") == [f"/clients/{numbers['sure']}"]


def test_a_client_is_found_by_name_and_by_address(desk: Desk, numbers: dict[str, int]) -> None:
    for typed in ("lind", "LINDNER", "ndne", "lindner@cl", "indner@client.ex"):
        assert found(desk, typed) == [f"/clients/{numbers['lindner']}"], typed


def test_an_amount_is_read_as_people_write_it(desk: Desk, numbers: dict[str, int]) -> None:
    path = {name: f"/invoices/{id}" for name, id in numbers.items()}
    assert set(found(desk, "1299")) == {path["RE-2026-0042"], path["RE-2026-0043"], path["50%_OFF"]}
    for typed in ("1.299,00", "1,299.00", "€1,299.00", "1299.00"):
        assert path["RE-2026-0042"] in found(desk, typed), typed
    assert found(desk, "12.99") == [path["RE-2026-1042"]]
    assert amounts_in("0", "en") == []
    assert Amount(1_299, 0) in amounts_in("1.299", "de")


def test_what_was_changed_is_found_under_its_new_name_only(
    desk: Desk, runtime: Runtime, numbers: dict[str, int]
) -> None:
    with runtime.db.transaction() as session:
        session.execute(
            text("UPDATE invoices SET number = 'NEW-1', amount_due = 777, amount_remaining = 777 WHERE id = :id"),
            {"id": numbers["RE-2026-0042"]},
        )
    assert found(desk, "0042") == []
    assert found(desk, "new-1") == found(desk, "7.77") == [f"/invoices/{numbers['RE-2026-0042']}"]


def test_places_are_found_in_the_words_of_the_person(desk: Desk) -> None:
    assert found(desk, "")[:3] == ["/", "/invoices", "/clients"]
    assert found(desk, "sched") == ["/schedules"]
    assert "/invoices/new" in found(desk, "new inv")


def test_the_page_without_scripts_says_the_same(desk: Desk, numbers: dict[str, int]) -> None:
    page = desk.get("/search?q=0042").text
    assert f'<a class="palette-result" href="/invoices/{numbers["RE-2026-0042"]}">' in page
    assert 'value="0042"' in page
    nothing = desk.get('/search?q="><script>x').text
    assert "<script>x" not in nothing
    assert "Nothing answers to" in nothing
    assert desk.get("/search?q=" + "a" * 2_000).status_code == 422


def test_a_look_that_takes_too_long_ends_and_says_so(
    desk: Desk, numbers: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "PATIENCE", "SET LOCAL statement_timeout = '30ms'")
    monkeypatch.setattr(
        searching, "_HOLDS", searching._HOLDS.replace("FROM invoice_index", "FROM invoice_index, pg_sleep(5)")
    )
    page = desk.get("/search?q=042").text
    assert "Too much may match" in page


@given(prefix=WORDS, rest=WORDS, other=WORDS)
def test_exactly_what_begins_with_a_text_lies_between_its_bounds(prefix: str, rest: str, other: str) -> None:
    high = after_all_that_begin_with(prefix)
    for word in (prefix + rest, other):
        inside = word >= prefix and (high is None or word < high)
        assert inside == word.startswith(prefix)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(word=WORDS)
def test_the_database_cuts_a_text_into_the_same_threes(db: Database, word: str) -> None:
    with db.transaction() as session:
        assert sorted(set(session.scalar(text("SELECT search_grams(:word)"), {"word": word}) or [])) == grams_of(word)


def test_what_nobody_can_type_is_left_out() -> None:
    assert clean(" a\x00\u202eb \n c" + "d" * 200) == "ab c" + "d" * 76


def test_an_empty_text_finds_no_invoice_and_no_client(db: Database) -> None:
    make_invoice(db, make_client(db), "A-1")
    with db.transaction() as session:
        assert find_invoices(session, "", limit=5) == find_clients(session, "", limit=5) == []
