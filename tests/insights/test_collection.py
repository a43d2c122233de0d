"""The formulas of collection, on figures that can be checked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nudgepay.insights.collection import (
    Month,
    at_risk_rate,
    average_days_delinquent,
    best_possible_dso,
    collection_effectiveness,
    dso_countback,
    overdue_rate,
    promise_kept_rate,
)


def month(days: int, receivable: int, *, not_due: int = 0, over_90: int = 0, sales: int = 0) -> Month:
    return Month(days, receivable, not_due, over_90, sales)


def test_the_count_back_uses_up_whole_months_and_a_part_of_the_last() -> None:
    quarter = [month(31, 0, sales=90_000), month(28, 0, sales=60_000), month(31, 120_000, sales=80_000)]
    assert dso_countback(quarter) == pytest.approx(31 + 28 * 40_000 / 60_000)


def test_the_count_back_within_the_last_month_is_a_part_of_it() -> None:
    assert dso_countback([month(30, 50_000, sales=100_000)]) == pytest.approx(15)
    assert dso_countback([month(30, 0, sales=100_000)]) == 0


def test_what_all_sales_do_not_use_up_has_no_dso() -> None:
    assert dso_countback([month(31, 100, sales=99)]) is None
    assert dso_countback([]) is None
    assert best_possible_dso([]) is None


def test_without_lateness_best_possible_and_dso_agree() -> None:
    months = [month(31, 0, sales=70_000), month(30, 90_000, not_due=90_000, sales=60_000)]
    assert best_possible_dso(months) == dso_countback(months)
    assert average_days_delinquent(dso_countback(months), best_possible_dso(months)) == 0
    late = [months[0], month(30, 90_000, not_due=60_000, sales=60_000)]
    assert average_days_delinquent(dso_countback(late), best_possible_dso(late)) == pytest.approx(
        31 * 30_000 / 70_000
    )
    assert average_days_delinquent(None, 3) is None


def test_effectiveness_is_whole_when_all_that_was_due_came_in() -> None:
    before = month(31, 100_000)
    assert collection_effectiveness(before, month(30, 40_000, not_due=40_000, sales=40_000)) == 1
    assert collection_effectiveness(before, month(30, 90_000, not_due=40_000, sales=40_000)) == pytest.approx(0.5)
    assert collection_effectiveness(month(31, 0), month(30, 40_000, not_due=40_000, sales=40_000)) is None


def test_rates_are_shares_of_what_is_owed() -> None:
    one = month(30, 200, not_due=50, over_90=20)
    assert (at_risk_rate(one), overdue_rate(one)) == (0.1, 0.75)
    assert at_risk_rate(month(30, 0)) is overdue_rate(month(30, 0)) is None
    assert promise_kept_rate(3, 1, 0) == 0.75
    assert promise_kept_rate(0, 0, 0) is None


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=24))
def test_more_owed_never_means_fewer_days(figures: list[tuple[int, int]]) -> None:
    months = [month(30, receivable, sales=sales) for receivable, sales in figures]
    more = [*months[:-1], month(30, months[-1].receivable + 1_000, sales=months[-1].sales)]
    fewer_days, more_days = dso_countback(months), dso_countback(more)
    if more_days is not None:
        assert fewer_days is not None
        assert 0 <= fewer_days <= more_days <= 30 * len(months)
