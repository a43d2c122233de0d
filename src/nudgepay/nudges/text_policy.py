"""What no letter may hold in operators' words: whatever makes it look like a fraud, or hides what it says. Pure.

The way to pay, the account and the links are the frame's; a text that brings its own is refused when it is saved and
again when a letter is written, for Liquid can put a link together that nobody sees in its source.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Literal

Fraud = Literal["link", "account", "markup", "hidden"]

SENTENCES: dict[Fraud, str] = {
    "link": "holds a link; remove it, the pay page's link is added by itself and others look like fraud",
    "account": "holds an account number; remove it, yours is added from BUSINESS_IBAN",
    "markup": "holds HTML; remove it, letters show text as it stands",
    "hidden": "holds a control or direction character; remove it",
}

_LINK = re.compile(r"(?<=[a-z0-9+.-])://|\b(?:mailto|javascript|data|tel):|\bwww\.|\]\(", re.IGNORECASE)
_COUNTRIES = (
    "ac|ad|ae|af|ag|ai|al|am|ao|ar|as|at|au|aw|ax|az|ba|bb|bd|be|bf|bg|bh|bi|bj|bm|bn|bo|br|bs|bt|bw|by|bz|ca|"
    "cc|cd|cf|cg|ch|ci|ck|cl|cm|cn|co|cr|cu|cv|cw|cx|cy|cz|de|dj|dk|dm|do|dz|ec|ee|eg|es|et|eu|fi|fj|fk|fm|fo|"
    "fr|ga|gd|ge|gf|gg|gh|gi|gl|gm|gn|gp|gq|gr|gs|gt|gu|gw|gy|hk|hm|hn|hr|ht|hu|id|ie|il|im|in|io|iq|ir|is|it|"
    "je|jm|jo|jp|ke|kg|kh|ki|km|kn|kp|kr|kw|ky|kz|la|lb|lc|li|lk|lr|ls|lt|lu|lv|ly|ma|mc|md|me|mg|mh|mk|ml|mm|"
    "mn|mo|mp|mq|mr|ms|mt|mu|mv|mw|mx|my|mz|na|nc|ne|nf|ng|ni|nl|no|np|nr|nu|nz|om|pa|pe|pf|pg|ph|pk|pl|pm|pn|"
    "pr|ps|pt|pw|py|qa|re|ro|rs|ru|rw|sa|sb|sc|sd|se|sg|sh|si|sk|sl|sm|sn|so|sr|ss|st|su|sv|sx|sy|sz|tc|td|tf|"
    "tg|th|tj|tk|tl|tm|tn|to|tr|tt|tv|tw|tz|ua|ug|uk|us|uy|uz|va|vc|ve|vg|vi|vn|vu|wf|ws|ye|yt|za|zm|zw"
)
_GENERAL = (
    "com|net|org|info|biz|app|link|top|xyz|shop|site|online|page|pages|web|dev|cloud|store|pay|club|live|icu|"
    "vip|click|work|world|today|space|website|email|digital|bank|money|finance|support|company|group|example"
)
_DOT = r"[.。．｡]"


def _domains() -> re.Pattern[str]:
    """A domain as mail programs link it. A country's needs a name of two signs: `m.in.` is none, nor is `Co.KG`."""
    general = rf"(?<=[\w-]){_DOT}(?:{_GENERAL})\b"
    of_country = rf"(?<=[\w-][\w-])(?<!\bco){_DOT}(?:{_COUNTRIES})\b"
    return re.compile(rf"{general}|{of_country}|(?<=[\w-]){_DOT}[a-z]{{2,24}}[/?#]\w", re.IGNORECASE)


_DOMAIN = _domains()
_MARKUP = re.compile(r"</?[a-z!][^<>]*>", re.IGNORECASE)
_ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_TESTS: dict[Fraud, tuple[re.Pattern[str], ...]] = {
    "link": (_LINK, _DOMAIN),
    "account": (_ACCOUNT,),
    "markup": (_MARKUP,),
    "hidden": (_HIDDEN,),
}
HARMLESS: frozenset[Fraud] = frozenset({"markup"})
"""Refused when a text is saved, for it never says what was meant; in a letter it is shown as it stands."""
STANDS_FOR_DATA = "x"


def frauds_in(words: str) -> tuple[Fraud, ...]:
    """Which of these the words hold, however they are spelled."""
    plain = words if words.isascii() else unicodedata.normalize("NFKC", words)
    return tuple(kind for kind, tests in _TESTS.items() if any(test.search(plain) for test in tests))


def frauds_beside(rendered: str, values: Mapping[str, Any]) -> tuple[Fraud, ...]:
    """The same for a rendered text, less what came in with the books: a client may be called `www.shop.example`."""
    found = frauds_in(rendered)
    if not found:
        return ()
    guilty = {value for value in values.values() if isinstance(value, str) and frauds_in(value)}
    for value in sorted(guilty, key=len, reverse=True):
        rendered = rendered.replace(value, STANDS_FOR_DATA)
    return frauds_in(rendered)
