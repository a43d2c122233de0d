"""What makes a catalogue of words complete beside the English one."""

import re
from collections.abc import Mapping
from string import Formatter

from nudgepay.nudges.languages import plural_forms

FORM = re.compile(r"(.+)_(zero|one|two|few|many|other)")


def assert_complete(english: Mapping[str, str], theirs: Mapping[str, str], language: str) -> None:
    """Every key is there, each counted one in each plural form of the language, with the same placeholders."""
    expected: dict[str, set[str]] = {}
    for key, sentence in english.items():
        counted = FORM.fullmatch(key)
        if counted is None:
            expected[key] = names(sentence)
        elif counted[2] == "other":
            expected |= {f"{counted[1]}_{form}": names(sentence) for form in plural_forms(language)}
    assert theirs.keys() == expected.keys()
    wrong = {
        key: sentence
        for key, sentence in theirs.items()
        if names(sentence) | ({"count"} if key.endswith("_one") else set())
        != expected[key] | ({"count"} if key.endswith("_one") else set())
        or not sentence.strip()
    }
    assert wrong == {}


def names(sentence: str) -> set[str]:
    """The placeholders of a sentence."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}
