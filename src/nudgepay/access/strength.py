"""How easily a password is guessed, and what would help. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from zxcvbn_rs_py import zxcvbn

ENOUGH = 3
"""Of 4: safely unguessable, even for who has the hash and a week."""
MOST_JUDGED = 100
"""Signs that are looked at; longer ones could only be stronger."""
SHORTEST_WORD = 3
WORDS: dict[str, str] = {
    "StraightRowsOfKeysAreEasyToGuess": "Rows of keys are easy to guess.",
    "ShortKeyboardPatternsAreEasyToGuess": "Short patterns on the keyboard are easy to guess.",
    "RepeatsLikeAaaAreEasyToGuess": "Repeated letters are easy to guess.",
    "RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess": "Repeated words are hardly harder to guess than one.",
    "ThisIsATop10Password": "It is one of the ten most common passwords.",
    "ThisIsATop100Password": "It is one of the hundred most common passwords.",
    "ThisIsACommonPassword": "Many people have this password.",
    "ThisIsSimilarToACommonlyUsedPassword": "It is close to a password that many people have.",
    "SequencesLikeAbcAreEasyToGuess": "Sequences such as abc or 6543 are easy to guess.",
    "RecentYearsAreEasyToGuess": "Recent years are easy to guess.",
    "AWordByItselfIsEasyToGuess": "A single word is easy to guess.",
    "DatesAreOftenEasyToGuess": "Dates are easy to guess.",
    "NamesAndSurnamesByThemselvesAreEasyToGuess": "Names alone are easy to guess.",
    "CommonNamesAndSurnamesAreEasyToGuess": "Common names are easy to guess.",
    "known": "It is made of your address or the name of the business.",
    "words": "Four unrelated words make a good one.",
}
"""Each code of a weakness in words."""


@dataclass(frozen=True, slots=True)
class Weakness:
    """Why a password is too weak, as codes of WORDS."""

    codes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """All of it in English."""
        return " ".join(WORDS[code] for code in self.codes)


def weakness(password: str, *, known: Iterable[str] = ()) -> Weakness | None:
    """What makes it too easy to guess, or None. `known` is what an attacker knows of the person."""
    inputs = _words(known)
    judged = password[:MOST_JUDGED]
    if int(zxcvbn(judged, inputs).score) >= ENOUGH and not _is_made_of(judged, inputs):
        return None
    feedback = zxcvbn(judged, inputs).feedback
    warning = repr(feedback.warning).rpartition(".")[2] if feedback is not None and feedback.warning else ""
    if _is_made_of(judged, inputs):
        warning = "known"
    return Weakness(tuple(code for code in (warning, "words") if code in WORDS))


def _words(known: Iterable[str]) -> list[str]:
    parts = (part for text in known for part in [text, *re.split(r"[\W_]+", text)])
    return sorted({part.lower() for part in parts if len(part) >= SHORTEST_WORD})


def _is_made_of(password: str, words: list[str]) -> bool:
    """True when little is left of it without what is known of the person."""
    left = password.lower()
    for word in sorted(words, key=len, reverse=True):
        left = left.replace(word, "")
    return len(left) < len(password) and len(re.sub(r"[\W_\d]", "", left)) < SHORTEST_WORD
