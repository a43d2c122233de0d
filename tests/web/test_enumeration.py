"""Guessing links: nothing is learnt from an answer, from its time, or from how often one asks (A12)."""

import random
import re
import secrets
import time
from collections.abc import Callable, Iterator
from statistics import median

import pytest
from starlette.testclient import TestClient

from examples import PROOF
from nudgepay.invoices.models import new_token
from nudgepay.web.misses import Misses
from web.test_pay_pages import Payer, fake, payer

__all__ = ["fake", "payer"]
SEED = 20260313
ROUNDS = 1_000 if PROOF else 200


class Patient(Misses):
    """Counts nobody's misses, so that time alone is measured."""

    def record(self, address: str) -> None:
        """Forget it."""


@pytest.fixture
def asked(payer: Payer) -> Iterator[Payer]:
    payer.browser.app.app.state.misses = Patient()  # type: ignore[attr-defined]
    yield payer


def seconds(browser: TestClient, path: str) -> float:
    began = time.perf_counter()
    browser.get(path)
    return time.perf_counter() - began


def apart(one: list[float], other: list[float]) -> float:
    """How well the two groups can be told apart: the area under the curve, as a distance from a coin's 0.5."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks = [rank for rank, (_, group) in enumerate(ranked, start=1) if group]
    area = (sum(ranks) - len(other) * (len(other) + 1) / 2) / (len(one) * len(other))
    return abs(area - 0.5)


def shapes(length: int) -> dict[str, Callable[[], str]]:
    """Guesses that a stranger could make, near to the truth and far from it."""
    return {
        "no token": lambda: "x",
        "right length": lambda: secrets.token_urlsafe(length)[:length],
    }


@pytest.mark.parametrize("page", ["p", "u"])
def test_the_time_of_an_answer_tells_no_kind_of_guess_from_another(
    asked: Payer, page: str, figures: Callable[..., None]
) -> None:
    dice = random.Random(SEED)
    kinds = shapes(len(asked.token))
    times: dict[str, list[float]] = {name: [] for name in ("no token", "right length", "null")}
    for _ in range(ROUNDS):
        turn = list(times)
        dice.shuffle(turn)
        for name in turn:
            guess = kinds["right length" if name == "null" else name]()
            times[name].append(seconds(asked.browser, f"/{page}/{guess}"))
    null = apart(times["right length"], times["null"])
    found = apart(times["right length"], times["no token"])
    figures(
        f"guesses at /{page}",
        n=ROUNDS,
        auc_distance=round(found, 3),
        null=round(null, 3),
        median_ratio=round(median(times["no token"]) / median(times["right length"]), 3),
    )
    assert found <= null + 0.1


def test_a_known_token_with_one_letter_changed_is_any_unknown_one(asked: Payer, figures: Callable[..., None]) -> None:
    """The database compares whole values by index: how much of a guess is right must not show."""
    dice = random.Random(SEED)
    near: list[float] = []
    far: list[float] = []
    null: list[float] = []
    for _ in range(ROUNDS):
        groups = [(near, asked.token[:-1] + dice.choice("abcdef")), (far, new_token()), (null, new_token())]
        dice.shuffle(groups)
        for group, guess in groups:
            if guess != asked.token:
                group.append(seconds(asked.browser, f"/p/{guess}"))
    figures("near guesses", n=ROUNDS, auc_distance=round(apart(far, near), 3), null=round(apart(far, null), 3))
    assert apart(far, near) <= apart(far, null) + 0.1


def test_every_miss_is_the_same_answer_to_the_byte(asked: Payer) -> None:
    misses = [new_token() for _ in range(20)] + [asked.token[:-1] + "~", asked.token + "A", asked.token.swapcase()]
    answers = [asked.browser.get(f"/p/{token}") for token in misses]
    answers += [asked.browser.get(f"/u/{token}") for token in [*misses, asked.token]]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    own = {"x-request-id", "date"}
    assert len({tuple(sorted((k, v) for k, v in a.headers.items() if k not in own)) for a in answers}) == 1


def test_a_token_has_at_least_128_random_bits() -> None:
    made = {new_token() for _ in range(2_000)}
    assert len(made) == 2_000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22,64}", token) for token in made)
    for place in range(22):
        assert len({token[place] for token in made}) >= 60, "every place takes every sign"


def test_thirty_misses_a_minute_then_even_a_known_link_waits(payer: Payer, figures: Callable[..., None]) -> None:
    hits = 0
    statuses = []
    for _ in range(300):
        answer = payer.browser.get(f"/p/{new_token()}")
        statuses.append(answer.status_code)
        hits += answer.status_code == 200
    assert statuses.count(404) == 30
    assert statuses.count(429) == 270
    assert payer.get().status_code == 429
    assert 0 < int(payer.get().headers["retry-after"]) <= 60
    figures("guesses", n=len(statuses), hits=hits, evaluated=statuses.count(404))


def test_forwarded_addresses_of_a_stranger_do_not_reset_the_count(payer: Payer) -> None:
    for n in range(40):
        last = payer.browser.get(f"/p/{new_token()}", headers={"X-Forwarded-For": f"198.51.100.{n}"})
    assert last.status_code == 429
