"""What makes a password too easy to guess, and what helps: the codes of `access/strength.py` in words of pages."""

from nudgepay.web.ui.words import N_

ADVICE: dict[str, str] = {
    "StraightRowsOfKeysAreEasyToGuess": N_("Rows of keys are easy to guess."),
    "ShortKeyboardPatternsAreEasyToGuess": N_("Short patterns on the keyboard are easy to guess."),
    "RepeatsLikeAaaAreEasyToGuess": N_("Repeated letters are easy to guess."),
    "RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess": N_("Repeated words are hardly harder to guess than one."),
    "ThisIsATop10Password": N_("It is one of the ten most common passwords."),
    "ThisIsATop100Password": N_("It is one of the hundred most common passwords."),
    "ThisIsACommonPassword": N_("Many people have this password."),
    "ThisIsSimilarToACommonlyUsedPassword": N_("It is close to a password that many people have."),
    "SequencesLikeAbcAreEasyToGuess": N_("Sequences such as abc or 6543 are easy to guess."),
    "RecentYearsAreEasyToGuess": N_("Recent years are easy to guess."),
    "AWordByItselfIsEasyToGuess": N_("A single word is easy to guess."),
    "DatesAreOftenEasyToGuess": N_("Dates are easy to guess."),
    "NamesAndSurnamesByThemselvesAreEasyToGuess": N_("Names alone are easy to guess."),
    "CommonNamesAndSurnamesAreEasyToGuess": N_("Common names are easy to guess."),
    "known": N_("It is made of your address or the name of the business."),
    "words": N_("Four unrelated words make a good one."),
}
