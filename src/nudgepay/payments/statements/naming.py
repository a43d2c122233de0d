"""Invoice numbers and names as people write them into a transfer: pure text, in a form that can be compared."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

_TOKEN = re.compile(r"[^\W\d_]+|\d+")
_INVOICE_WORDS = frozenset(
    {
        *("RE", "RG", "RN", "RNR", "NR", "NO", "NUM", "NUMMER", "NUMBER", "BELEG", "BELEGNR"),
        *("RECHNUNG", "RECHNUNGEN", "RECHN", "RECHNUNGSNR", "RECHNUNGSNUMMER", "INV", "INVOICE", "INVOICES"),
        *("FACT", "FACTURE", "FACTURA", "FATTURA", "FAKTUR", "FAKTURA", "FACTUUR"),
    }
)
_LEGAL_FORMS = frozenset(
    {
        *("gmbh", "mbh", "ag", "kg", "kgaa", "ohg", "ug", "ek", "eg", "gbr", "haftungsbeschrankt"),
        *("se", "co", "ltd", "limited", "llc", "llp", "inc", "corp", "plc"),
        *("sa", "sas", "sarl", "srl", "spa", "bv", "nv", "oy", "ab", "as", "aps", "doo"),
    }
)
_JOINERS = frozenset("-–—‐‑‒−./_:#,'")
_CREDITOR_REFERENCE = re.compile(r"(?<![0-9A-Z])RF\d{2}[0-9A-Z]{1,21}(?![0-9A-Z])")
SIMILAR = 0.8
"""From here on two names are taken for spellings of one."""
SHORT = 4
"""A bare number of fewer digits may be anything; it needs a word such as "invoice" before it to be sure."""
SPACED = 6
"""Only a number of this many characters is recognised when spaces break it in other places than its own."""


@dataclass(frozen=True, slots=True)
class Token:
    """A run of letters or of digits; `plain` has no leading zeros, `gap` is what stood before it."""

    text: str
    plain: str
    gap: str


def _folded(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


@lru_cache(maxsize=16)
def tokens(text: str) -> tuple[Token, ...]:
    """Runs of letters and digits in upper case and without accents or width."""
    folded = _folded(text).upper()
    found = []
    end = 0
    for match in _TOKEN.finditer(folded):
        run = match[0]
        found.append(Token(run, run.lstrip("0") or "0" if run.isdigit() else run, folded[end : match.start()]))
        end = match.end()
    return tuple(found)


@lru_cache(maxsize=8192)
def number_forms(number: str) -> tuple[tuple[str, ...], str]:
    """An invoice number as runs without leading zeros, and as one run of characters."""
    found = tokens(number)
    return tuple(token.plain for token in found), "".join(token.text for token in found)


def creditor_bodies(text: str) -> Iterator[str]:
    """What the valid ISO 11649 references in a text carry: RF, two check digits, up to 21 characters."""
    upper = text.upper()
    if "RF" not in upper:
        return
    for found in {*_CREDITOR_REFERENCE.findall(upper), *_CREDITOR_REFERENCE.findall(upper.replace(" ", ""))}:
        moved = found[4:] + found[:4]
        if int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1:
            yield found[4:].lstrip("0")


def is_joined(left: Token | None, right: Token | None) -> bool:
    """True when two neighbours are parts of one number, date or amount, so that neither may be read alone."""
    if left is None or right is None:
        return False
    gap = right.gap
    if not gap:
        return True
    marks = gap.strip()
    if not marks or len(marks) > 1 or marks not in _JOINERS:
        return False
    if marks == ",":
        return _is_decimal_comma(left, right) and gap == marks
    if left.text.isdigit() and right.text.isdigit():
        return marks not in ":#'" or gap == marks
    return gap == marks and (right.text.isdigit() or marks not in ".:#'")


def _is_decimal_comma(left: Token, right: Token) -> bool:
    both_digits = left.text.isdigit() and right.text.isdigit()
    return both_digits and (len(right.text) <= 2 or (len(right.text) == 3 and len(left.text) <= 3))


def is_invoice_word(token: Token | None) -> bool:
    """True for "invoice", "Rg.", "Nr" and their kin."""
    return token is not None and token.text in _INVOICE_WORDS


@lru_cache(maxsize=65_536)
def plain_name(name: str) -> str:
    """A name without accents, case, punctuation, legal form and order: what two spellings of it share."""
    words = re.findall(r"[^\W_]+", _folded(name.casefold()).replace(".", ""))
    kept = [word for word in words if word not in _LEGAL_FORMS]
    return " ".join(sorted(kept or words))


@lru_cache(maxsize=65_536)
def similarity(name: str, other: str) -> float:
    """How alike two plain names are, 0 to 1; 0 where they are less than SIMILAR."""
    if not name or not other:
        return 0.0
    if name == other:
        return 1.0
    compared = SequenceMatcher(None, name[:100], other[:100], autojunk=False)
    if compared.real_quick_ratio() < SIMILAR or compared.quick_ratio() < SIMILAR:
        return 0.0
    ratio = compared.ratio()
    return ratio if ratio >= SIMILAR else 0.0
