"""What a line may be: numbers whole and never inside others, sure only when everything agrees, no choice among equals."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nudgepay.payments.statements.lines import ReadLine
from nudgepay.payments.statements.matching import Books, propose
from nudgepay.payments.statements.naming import creditor_bodies, plain_name, similarity
from nudgepay.payments.statements.proposals import OpenInvoice, Proposal

DAY = date(2026, 3, 9)


def invoice(id: int, number: str, remaining: int = 10_000, **changes: Any) -> OpenInvoice:
    fields = {"client_id": 1, "client_name": "Ada GmbH", "currency": "EUR", "due_on": date(2026, 3, id)} | changes
    return OpenInvoice(id=id, number=number, remaining=remaining, **fields)


def line(purpose: str = "", amount: int = 10_000, **changes: Any) -> ReadLine:
    fields = {"currency": "EUR", "counterparty": "", "reference": ""} | changes
    return ReadLine(booked_on=DAY, amount=amount, purpose=purpose, **fields)


def chosen(proposal: Proposal) -> dict[str, int]:
    return {part.number: part.amount for part in proposal.chosen.parts} if proposal.chosen else {}


def named(number: str, text: str) -> bool:
    """Whether the text names the number, told by a proposal whose amount fits nothing."""
    found = propose(line(text, amount=7), Books([invoice(1, number)]))
    return bool(found.options)


@pytest.mark.parametrize(
    "text",
    [
        "Rechnung RE-2026-0012",
        "re 2026 0012",
        "RE2026/0012 Danke",
        "RE20260012",
        "Rg.Nr.:RE-2026-12.",
        "SVWZ+RE-2026-0012 vom 01.02.2026",
        "RE-2026-00 12",
        "ＲＥ－２０２６－００１２",
        "RE-2026-0012,RE-2026-0013",
        "(RE–2026–0012)",
    ],
)
def test_a_number_is_found_however_it_is_written(text: str) -> None:
    assert named("RE-2026-0012", text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("12", "Rechnung 2012"),
        ("12", "Rechnung 121"),
        ("12", "RE-2026-0012"),
        ("12", "12.03.2026"),
        ("12", "am 01.12.2026"),
        ("12", "Betrag 12,50"),
        ("50", "Betrag 1.012,50"),
        ("12", "A-12"),
        ("12", "12a"),
        ("12", "12/2026"),
        ("A-1", "A-12"),
        ("A-1", "BA-1"),
        ("A-1", "2A-1"),
        ("A-1", "A-1-2"),
        ("A-1", "A1B"),
        ("RE-2026-12", "RE-2026-123"),
        ("2012", "20 12"),
        ("---", "---"),
        ("A-1", ""),
    ],
)
def test_a_number_is_not_found_inside_another(number: str, text: str) -> None:
    assert not named(number, text)


@pytest.mark.parametrize("text", ["12", "Rechnung 12", "Rg.12", "RNr:0012", "Inv #12", "Rechnungen 12, 13", "Nr12"])
def test_a_bare_number_is_found_where_it_stands_alone(text: str) -> None:
    assert named("12", text)


def test_the_longer_of_two_numbers_at_one_place_is_meant() -> None:
    books = Books([invoice(1, "2026", 5_000), invoice(2, "2026 0012", 10_000)])
    assert chosen(propose(line("2026 0012"), books)) == {"2026 0012": 10_000}


def test_a_named_number_with_what_is_open_is_sure() -> None:
    found = propose(line("Rechnung A-1"), Books([invoice(1, "A-1"), invoice(2, "A-2")]))
    assert (found.confidence, chosen(found)) == ("sure", {"A-1": 10_000})


def test_several_numbers_whose_sum_fits_are_sure_and_oldest_first() -> None:
    books = Books([invoice(3, "A-1", 3_000), invoice(1, "A-3", 5_000), invoice(2, "A-2", 9_000)])
    found = propose(line("A-1 und A-3", amount=8_000), books)
    assert (found.confidence, list(chosen(found).items())) == ("sure", [("A-3", 5_000), ("A-1", 3_000)])


def test_the_same_number_twice_counts_once() -> None:
    found = propose(line("A-1 A-1", reference="A-1"), Books([invoice(1, "A-1")]))
    assert (found.confidence, chosen(found)) == ("sure", {"A-1": 10_000})


def test_a_part_fills_the_oldest_first_and_says_so() -> None:
    found = propose(line("A-1, A-2", amount=12_000), Books([invoice(1, "A-1"), invoice(2, "A-2")]))
    assert (found.confidence, chosen(found)) == ("likely", {"A-1": 10_000, "A-2": 2_000})
    assert found.chosen is not None
    assert "a part: €80.00 less than is open" in found.chosen.reasons


def test_too_much_is_likely_at_best_and_says_so() -> None:
    found = propose(line("A-1", amount=10_001, counterparty="Ada GmbH"), Books([invoice(1, "A-1")]))
    assert (found.confidence, chosen(found)) == ("likely", {"A-1": 10_000})
    assert found.chosen is not None
    assert found.chosen.left == 1
    assert "too much: €0.01 more than is open" in found.chosen.reasons


def test_another_currency_is_never_proposed_and_is_said() -> None:
    found = propose(line("A-1"), Books([invoice(1, "A-1", currency="USD")]))
    assert (found.confidence, found.chosen, found.options) == ("none", None, ())
    assert "A-1 is named, but it is in USD and the money in EUR" in found.notes


def test_a_paid_invoice_that_is_named_stops_any_choice() -> None:
    found = propose(line("A-1", counterparty="Ada"), Books([invoice(2, "A-2")], {"A-1": "paid"}))
    assert (found.confidence, found.chosen) == ("guess", None)
    assert [option.parts[0].number for option in found.options] == ["A-2"]
    assert "A-1 (paid) is named, but nothing is open on it" in found.notes


def test_two_clients_with_the_same_amount_are_both_listed_and_none_is_chosen() -> None:
    books = Books([invoice(1, "A-1"), invoice(2, "B-1", client_id=2, client_name="Bolt")])
    found = propose(line(), books)
    assert (found.confidence, found.chosen) == ("guess", None)
    assert [option.parts[0].number for option in found.options] == ["A-1", "B-1"]


def test_two_numbers_that_are_written_alike_are_both_listed_and_none_is_chosen() -> None:
    books = Books([invoice(1, "A-1"), invoice(2, "A1", client_id=2, client_name="Bolt")])
    found = propose(line("A 1"), books)
    assert (found.confidence, found.chosen, len(found.options)) == ("likely", None, 2)


def test_the_number_with_exactly_these_characters_is_meant() -> None:
    found = propose(line("Nr. 012"), Books([invoice(1, "12"), invoice(2, "012")]))
    assert chosen(found) == {"012": 10_000}


def test_the_payers_name_decides_between_numbers_that_are_written_alike() -> None:
    books = Books([invoice(1, "A-1"), invoice(2, "A1", client_id=2, client_name="Bolt")])
    found = propose(line("A 1", counterparty="BOLT LTD."), books)
    assert (found.confidence, chosen(found)) == ("likely", {"A1": 10_000})


def test_numbers_of_two_clients_in_one_line_are_never_put_together() -> None:
    books = Books([invoice(1, "A-1", 4_000), invoice(2, "B-1", 6_000, client_id=2, client_name="Bolt")])
    found = propose(line("A-1 B-1"), books)
    assert found.confidence != "sure"
    assert {len(option.parts) for option in found.options} == {1}


def test_a_short_number_that_no_word_announces_is_not_sure() -> None:
    books = Books([invoice(1, "12")])
    assert propose(line("Rechnung 12"), books).confidence == "sure"
    assert propose(line("12 Stueck"), books).confidence == "likely"


def test_an_exact_amount_from_the_client_itself_is_likely() -> None:
    found = propose(line(counterparty="ADA  G.m.b.H."), Books([invoice(1, "A-1"), invoice(2, "A-2", 5_000)]))
    assert (found.confidence, chosen(found)) == ("likely", {"A-1": 10_000})


def test_all_that_a_client_owes_together_is_likely() -> None:
    books = Books([invoice(1, "A-1", 4_000), invoice(2, "A-2", 6_000)])
    found = propose(line(counterparty="Ada"), books)
    assert (found.confidence, chosen(found)) == ("likely", {"A-1": 4_000, "A-2": 6_000})


def test_a_name_alone_is_a_guess() -> None:
    found = propose(line(amount=777, counterparty="Ada"), Books([invoice(1, "A-1")]))
    assert (found.confidence, chosen(found)) == ("guess", {"A-1": 777})


def test_nothing_in_common_is_no_proposal_and_says_why() -> None:
    found = propose(line("Miete", amount=1), Books([invoice(1, "A-1")]))
    assert (found.confidence, found.options) == ("none", ())
    assert found.notes == ("no open invoice has its number, amount or payer",)


@pytest.mark.parametrize("amount", [10_000, -10_000])
def test_a_reversal_is_never_proposed(amount: int) -> None:
    found = propose(line("A-1", amount=amount, is_reversal=True), Books([invoice(1, "A-1")]))
    assert (found.confidence, found.chosen, found.options) == ("none", None, ())


def rf(body: str) -> str:
    digits = "".join(str(int(sign, 36)) for sign in f"{body}RF00")
    return f"RF{98 - int(digits) % 97:02d}{body}"


def test_a_creditor_reference_that_holds_the_number_names_it() -> None:
    assert list(creditor_bodies("RF18 5390 0754 7034")) == ["539007547034"]
    for reference in (rf("RE20260012"), rf("0000RE20260012")):
        found = propose(line(reference=reference), Books([invoice(1, "RE-2026-0012")]))
        assert (found.confidence, chosen(found)) == ("sure", {"RE-2026-0012": 10_000})


def test_a_creditor_reference_with_wrong_check_digits_names_nothing() -> None:
    assert list(creditor_bodies("RF19539007547034")) == []
    wrong = f"RF00{rf('5390')[4:]}"
    assert not propose(line(reference=wrong, amount=7), Books([invoice(1, "5390")])).options


def test_a_creditor_reference_names_only_the_whole_number() -> None:
    assert not propose(line(reference=rf("53900")), Books([invoice(1, "5390", 3)])).options


def test_names_are_compared_without_form_order_accents_and_case() -> None:
    assert plain_name("Müller & Söhne GmbH & Co. KG") == plain_name("SOHNE MULLER")
    assert similarity(plain_name("Jon Smith"), plain_name("Smith, John")) >= 0.8
    assert similarity(plain_name("Ada"), plain_name("Bolt")) == 0


def test_many_invoices_of_one_amount_are_told_apart_by_name_only() -> None:
    many = [invoice(n % 28 + 1, f"A-{n}", client_id=n, client_name=f"Client {n}") for n in range(500)]
    found = propose(line(counterparty="Client 77"), Books(many))
    assert (found.confidence, chosen(found)) == ("likely", {"A-77": 10_000})


@given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=40), st.integers(1, 10**12))
def test_no_text_makes_the_matching_fall_over(purpose: str, number: str, name: str, amount: int) -> None:
    books = Books([invoice(1, number or "A", client_name=name), invoice(2, "A-1")], {number: "paid"})
    found = propose(line(purpose, amount, counterparty=name, reference=purpose), books)
    for option in found.options:
        assert sum(part.amount for part in option.parts) + option.left == amount
        assert all(0 < part.amount <= 10_000 for part in option.parts)
    assert found.confidence != "sure" or found.chosen is not None


@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.integers(1, 5)), min_size=1, max_size=6, unique_by=lambda pair: pair[0]
    ),
    st.integers(1, 3_000),
)
def test_sure_means_that_all_named_are_paid_exactly(open_ones: list[tuple[int, int]], amount: int) -> None:
    invoices = [invoice(index + 1, f"RE-{number:04d}", rest * 100) for index, (number, rest) in enumerate(open_ones)]
    found = propose(line(" ".join(one.number for one in invoices), amount), Books(invoices))
    assert (found.confidence == "sure") == (amount == sum(one.remaining for one in invoices))
