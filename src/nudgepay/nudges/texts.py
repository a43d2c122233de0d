"""Reads of operators' own texts: which are in force, who wrote which version and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.errors import NotFound
from nudgepay.nudges.languages import LANGUAGES
from nudgepay.nudges.letter_text import NAMES, LetterTemplate, built_in

MOST_VERSIONS = 200


@dataclass(frozen=True, slots=True)
class TextVersion:
    """One version of a text; `text` is None where the one that ships was put back. `author`: an address, or an actor.

    Version 0 stands for the text that ships before anybody wrote one: it has no author and no instant.
    """

    template: str
    language: str
    version: int
    text: LetterTemplate | None
    restored_from: int | None = None
    at: datetime | None = None
    author: str = ""

    @property
    def is_own(self) -> bool:
        """True when operators' words are in force with it, not the text that ships."""
        return self.text is not None

    @property
    def words(self) -> LetterTemplate:
        """What a letter of this version says."""
        return self.text or built_in(self.template, self.language)


def ensure_known(template: str, language: str) -> None:
    """Raise NotFound unless such a text can exist."""
    if template not in NAMES or language not in LANGUAGES:
        raise NotFound("there is no such text; texts are " + ", ".join(NAMES) + " in " + ", ".join(LANGUAGES))


def texts_in_force(session: Session) -> dict[tuple[str, str], LetterTemplate]:
    """The operators' own texts, by template and language; what is missing here is what ships. At most 50 rows."""
    query = text(
        "SELECT v.template, v.language, v.version, v.subject, v.body FROM letter_texts t"
        "  JOIN letter_text_versions v USING (template, language, version) WHERE v.body IS NOT NULL"
    )
    return {
        (row.template, row.language): LetterTemplate(row.subject, row.body, row.version)
        for row in session.execute(query)
    }


_VERSIONS = """
SELECT v.template, v.language, v.version, v.subject, v.body, v.restored_from, v.created_at,
       coalesce(o.email, v.created_by) AS author
  FROM letter_text_versions v LEFT JOIN operators o ON v.created_by = 'operator:' || o.id
"""


def current_texts(session: Session) -> dict[tuple[str, str], TextVersion]:
    """The version in force of every text that was ever edited."""
    rows = session.execute(text(_VERSIONS + " JOIN letter_texts t USING (template, language, version)"))
    return {(row.template, row.language): _version(row) for row in rows}


def current_text(session: Session, template: str, language: str) -> TextVersion:
    """The version in force of one text; version 0 when nobody wrote one. Raises NotFound for an unknown text."""
    ensure_known(template, language)
    where = (
        " JOIN letter_texts t USING (template, language, version)"
        " WHERE v.template = :template AND v.language = :language"
    )
    row = session.execute(text(_VERSIONS + where), {"template": template, "language": language}).one_or_none()
    return _version(row) if row else shipped(template, language)


def shipped(template: str, language: str) -> TextVersion:
    """The text that ships, as version 0."""
    return TextVersion(template, language, 0, None)


def text_versions(session: Session, template: str, language: str) -> Sequence[TextVersion]:
    """Every version of one text, the newest first, at last the one that ships."""
    ensure_known(template, language)
    where = " WHERE v.template = :template AND v.language = :language ORDER BY v.version DESC LIMIT :most"
    given = {"template": template, "language": language, "most": MOST_VERSIONS}
    return [*(_version(row) for row in session.execute(text(_VERSIONS + where), given)), shipped(template, language)]


def text_version(session: Session, template: str, language: str, version: int) -> TextVersion:
    """One version of a text; raises NotFound."""
    ensure_known(template, language)
    if version == 0:
        return shipped(template, language)
    where = " WHERE v.template = :template AND v.language = :language AND v.version = :version"
    given = {"template": template, "language": language, "version": version}
    row = session.execute(text(_VERSIONS + where), given).one_or_none()
    if row is None:
        raise NotFound(f"the text {template}/{language} has no version {version}")
    return _version(row)


def _version(row: Row[Any]) -> TextVersion:
    own = None if row.body is None else LetterTemplate(row.subject, row.body, row.version)
    return TextVersion(row.template, row.language, row.version, own, row.restored_from, row.created_at, row.author)
