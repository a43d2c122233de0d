"""The operators' pages in other languages than English.

    python scripts/strings.py missing de    # what is not translated yet, as PO text to fill in
    python scripts/strings.py compile       # locale/LANGUAGE/*.po into locale/LANGUAGE.mo

Each room of pages keeps its translations in a file of its own, `locale/LANGUAGE/ROOM.po`.
"""

import argparse
import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

SOURCE = Path(__file__).parents[1] / "src" / "nudgepay"
UI = SOURCE / "web" / "ui"
MARKED = (UI, SOURCE / "readiness", SOURCE / "payments" / "statements")
"""Where texts for people are written."""
LOCALE = UI / "locale"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = dict(DEFAULT_KEYWORDS) | {"_": None, "N_": None, "N2_": (1, 2), "said": None}
JINJA = {"trimmed": "false", "silent": "false", "extensions": "jinja2.ext.do,jinja2.ext.i18n"}
NO_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def sources() -> Catalog:
    """Every text that the sources mark."""
    found = Catalog(creation_date=NO_DAY)
    options = {"templates/**.html": JINJA}
    for directory in MARKED:
        for name, _, text, comments, context in extract_from_dir(directory, METHODS, options, KEYWORDS):
            found.add(text, None, [(name, 0)], auto_comments=comments, context=context)
    return found


def translated(language: str) -> Catalog:
    """Every translation of a language, whichever file holds it."""
    found = Catalog(locale=language, creation_date=NO_DAY, revision_date=NO_DAY, project="NudgePay", version="1")
    for file in sorted((LOCALE / language).glob("*.po")):
        with file.open("rb") as opened:
            for message in read_po(opened, locale=language):
                if message.id and message.string and any(message.string):
                    found.add(message.id, message.string, flags=message.flags, context=message.context)
    return found


def missing(language: str) -> Catalog:
    """Every text of the sources without a translation."""
    known = translated(language)
    found = Catalog(locale=language, creation_date=NO_DAY, revision_date=NO_DAY)
    for message in sources():
        if message.id and (message.id not in known or not known[message.id].string):
            found.add(message.id, None, message.locations[:1], flags=message.flags)
    return found


def compiled(language: str) -> bytes:
    """The catalogue as the pages read it; the same translations give the same bytes."""
    known = translated(language)
    used = sources()
    for message in [one for one in known if one.id and one.id not in used]:
        known.delete(message.id)
    written = io.BytesIO()
    write_mo(written, known)
    return written.getvalue()


def languages() -> list[str]:
    """The languages that have translations."""
    return sorted(path.name for path in LOCALE.iterdir() if path.is_dir())


def main() -> int:
    """One of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["missing", "compile"])
    parser.add_argument("language", nargs="?", default="de")
    options = parser.parse_args()
    if options.what == "missing":
        write_po(sys.stdout.buffer, missing(options.language), width=118)
        return 0
    for language in languages():
        (LOCALE / f"{language}.mo").write_bytes(compiled(language))
    return 0


if __name__ == "__main__":
    sys.exit(main())
