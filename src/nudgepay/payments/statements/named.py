"""Which invoice numbers a text names: whole, however they are spaced, and never inside a longer number."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from nudgepay.payments.statements.naming import (
    SHORT,
    SPACED,
    Token,
    creditor_bodies,
    is_invoice_word,
    is_joined,
    number_forms,
    tokens,
)

T = TypeVar("T")
LONGEST_TEXT = 400
"""Runs of a text that are looked at; a transfer has 140 characters, a batch may have more."""


@dataclass(frozen=True, slots=True)
class Hit(Generic[T]):
    """A place that names something. It is weak when the number is short and no word says that it is an invoice's."""

    found: tuple[T, ...]
    is_strong: bool


class NumberIndex(Generic[T]):
    """Things by their number, indexed once, found in any text in time that does not depend on how many there are."""

    def __init__(self) -> None:
        """Empty."""
        self._by_runs: dict[tuple[str, ...], list[T]] = defaultdict(list)
        self._by_characters: dict[str, list[T]] = defaultdict(list)
        self._beginnings: set[str] = set()
        self._most_runs = 0
        self._most_characters = 0

    def add(self, number: str, thing: T) -> None:
        """A number of punctuation only names nothing."""
        runs, characters = number_forms(number)
        if not runs:
            return
        self._by_runs[runs].append(thing)
        self._by_characters[characters].append(thing)
        self._beginnings.add(characters[0])
        self._beginnings.add(runs[0][0])
        self._most_runs = max(self._most_runs, len(runs))
        self._most_characters = max(self._most_characters, len(characters))

    def find(self, texts: Sequence[str]) -> list[Hit[T]]:
        """What the texts name, each once; of two that share a place the longer one."""
        hits: dict[tuple[T, ...], bool] = {}
        for text in texts if self._by_runs else ():
            for found, is_strong in self._in_text(text):
                hits[found] = hits.get(found, False) or is_strong
        return [Hit(found, is_strong) for found, is_strong in hits.items()]

    def _in_text(self, text: str) -> Iterator[tuple[tuple[T, ...], bool]]:
        runs = tokens(text)[:LONGEST_TEXT]
        start = 0
        while start < len(runs):
            match = self._longest(runs, start)
            if match is None:
                start += 1
                continue
            end, found = match
            yield found, _is_strong(runs, start, end)
            start = end
        for body in creditor_bodies(text):
            if found_here := tuple(self._by_characters.get(body, ())) or tuple(self._padded(body)):
                yield found_here, True

    def _padded(self, body: str) -> Iterable[T]:
        """A reference's body has lost its leading zeros; so may the number."""
        return self._by_runs.get(tuple(token.plain for token in tokens(body)), ())

    def _longest(self, runs: Sequence[Token], start: int) -> tuple[int, tuple[T, ...]] | None:
        if runs[start].plain[0] not in self._beginnings and runs[start].text[0] not in self._beginnings:
            return None
        left = runs[start - 1] if start else None
        if is_joined(left, runs[start]) and not is_invoice_word(left):
            return None
        best = None
        plain: tuple[str, ...] = ()
        characters = ""
        for end in range(start + 1, len(runs) + 1):
            plain = (*plain, runs[end - 1].plain)
            characters += runs[end - 1].text
            if len(plain) > self._most_runs and len(characters) > self._most_characters:
                break
            if end < len(runs) and is_joined(runs[end - 1], runs[end]):
                continue
            found = self._named(plain, characters)
            if found:
                best = end, found
        return best

    def _named(self, plain: tuple[str, ...], characters: str) -> tuple[T, ...]:
        """By runs without leading zeros; of several, the one that has exactly these characters."""
        found = self._by_runs.get(plain) or self._spaced(characters)
        if len(found) > 1:
            exact = [thing for thing in found if thing in self._by_characters.get(characters, ())]
            found = exact if len(exact) == 1 else found
        return tuple(found)

    def _spaced(self, characters: str) -> Sequence[T]:
        return self._by_characters.get(characters, ()) if len(characters) >= SPACED else ()


def _is_strong(runs: Sequence[Token], start: int, end: int) -> bool:
    """A number of several runs or of enough digits, or one that a word announces."""
    if end - start > 1 or len(runs[start].text) >= SHORT:
        return True
    return start > 0 and is_invoice_word(runs[start - 1])
