"""The languages of Stripe's hosted page (docs.stripe.com/js/appendix/supported_locales, column Checkout). Pure."""

LOCALES = frozenset(
    {
        *("auto", "bg", "cs", "da", "de", "el", "en", "en-GB", "es", "es-419", "et", "fi", "fil", "fr", "fr-CA"),
        *("hr", "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "mt", "nb", "nl", "pl", "pt", "pt-BR", "ro", "ru"),
        *("sk", "sl", "sv", "th", "tr", "vi", "zh", "zh-HK", "zh-TW"),
    }
)
_BY_LOWER = {locale.lower(): locale for locale in LOCALES}
_NEAREST = {
    "no": "nb",
    "nn": "nb",
    "tl": "fil",
    "zh-hant": "zh-TW",
    "zh-mo": "zh-HK",
    **dict.fromkeys(("en-ie", "en-au", "en-nz", "en-in", "en-za"), "en-GB"),
    **dict.fromkeys(("es-ar", "es-bo", "es-cl", "es-co", "es-cr", "es-do", "es-ec", "es-gt", "es-hn"), "es-419"),
    **dict.fromkeys(("es-mx", "es-ni", "es-pa", "es-pe", "es-pr", "es-py", "es-sv", "es-uy", "es-ve"), "es-419"),
}


def checkout_locale(tag: str) -> str:
    """The nearest language that the hosted page speaks for a BCP 47 tag; `auto` (the browser's) when none is."""
    parts = tag.replace("_", "-").lower().split("-")
    for length in range(len(parts), 0, -1):
        candidate = "-".join(parts[:length])
        found = _BY_LOWER.get(candidate) or _NEAREST.get(candidate)
        if found is not None:
            return found
    return "auto"
