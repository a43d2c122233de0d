"""The payers' pages speak every language completely."""

import pytest

from nudgepay.nudges.languages import LANGUAGES
from nudgepay.web.words import words
from nudges.catalogues import assert_complete


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_complete_in_every_language(language: str) -> None:
    assert_complete(words("en").entries, words(language).entries, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 11, 12, 21, 22, 100, 1_000_000])
def test_every_number_of_days_has_its_words(language: str, count: int) -> None:
    assert words(language).count("due.overdue", count)


def test_the_language_menu_names_each_language_in_itself() -> None:
    names = [words(language)(f"lang.{language}") for language in LANGUAGES]
    assert len(set(names)) == len(LANGUAGES)
    assert all([words(other)(f"lang.{language}") for other in LANGUAGES] == [name] * len(LANGUAGES)
               for language, name in zip(LANGUAGES, names, strict=True))  # fmt: skip
