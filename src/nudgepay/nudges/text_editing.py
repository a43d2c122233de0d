"""Changing operators' own texts. A version is never changed: each save, restore and reset is a new one."""

from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.errors import Conflict, UsageError
from nudgepay.nudges.letter_text import LetterTemplate
from nudgepay.nudges.models import LetterText, LetterTextVersion
from nudgepay.nudges.setting_aside import failing_key
from nudgepay.nudges.text_findings import Finding, is_usable, judge_text
from nudgepay.nudges.texts import TextVersion, current_text, ensure_known, text_version


class TextRefused(UsageError):
    """The text cannot be used; `findings` says why."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        """All of them, grave or not."""
        self.findings = findings
        reasons = ", ".join(f"{one.field}: {one.code} {one.about}".strip() for one in findings if one.is_grave)
        super().__init__(f"the text cannot be used: {reasons}")


class TextChanged(Conflict):
    """Somebody else changed the text since it was read."""


def tidied(subject: str, body: str) -> LetterTemplate:
    """The text as it is kept: one line of subject, line ends of one kind, no blank edges."""
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return LetterTemplate(" ".join(subject.split()), "\n".join(line.rstrip() for line in lines).strip("\n"))


def save_text(
    session: Session, template: str, language: str, words: LetterTemplate, *, seen: int, now: datetime, actor: str
) -> TextVersion:
    """Put an own text in force; `seen` is the version that was edited. The same text again changes nothing.

    Letters written from now on use it, and those that the text before it held up are tried at once.
    Raises NotFound, TextRefused, and TextChanged when another version is in force by now.
    """
    ensure_known(template, language)
    findings = judge_text(words, language)
    if not is_usable(findings):
        raise TextRefused(findings)
    return _put_in_force(session, template, language, words, seen=seen, now=now, actor=actor)


def restore_text(
    session: Session, template: str, language: str, version: int, *, seen: int, now: datetime, actor: str
) -> TextVersion:
    """Put an earlier version in force again, as a new one; version 0 is the text that ships. Raises as save_text."""
    wanted = text_version(session, template, language, version)
    if wanted.text is not None and not is_usable(findings := judge_text(wanted.text, language)):
        raise TextRefused(findings)
    return _put_in_force(session, template, language, wanted.text, seen=seen, now=now, actor=actor, version=version)


def reset_text(
    session: Session, template: str, language: str, *, seen: int, now: datetime, actor: str
) -> TextVersion:
    """Back to the text that ships; the own ones are kept as versions. Raises NotFound and TextChanged."""
    ensure_known(template, language)
    return _put_in_force(session, template, language, None, seen=seen, now=now, actor=actor)


def _put_in_force(
    session: Session,
    template: str,
    language: str,
    words: LetterTemplate | None,
    *,
    seen: int,
    now: datetime,
    actor: str,
    version: int | None = None,
) -> TextVersion:
    session.execute(insert(LetterText).values(template=template, language=language).on_conflict_do_nothing())
    head = session.scalars(
        select(LetterText)
        .where(LetterText.template == template, LetterText.language == language)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    before = current_text(session, template, language)
    if _says_the_same(before, words):
        return before
    if head.version != seen:
        raise TextChanged(f"{before.author} saved version {before.version} meanwhile: compare, then save")
    head.version += 1
    session.add(
        LetterTextVersion(
            template=template,
            language=language,
            version=head.version,
            subject=words and words.subject,
            body=words and words.body,
            restored_from=version,
            created_by=actor,
        )
    )
    session.flush()
    audit.record(
        session,
        actor=actor,
        action="text.reset" if words is None else "text.save" if version is None else "text.restore",
        subject=f"letter_texts:{template}/{language}",
        before={"version": seen},
        after={"version": head.version, "restored_from": version},
    )
    ledger.resolve_notice(session, failing_key(template, language), actor=actor)
    session.execute(text(_WAKE), {"now": now, "cause": f"OwnTextFailed: {template}/{language} "})
    return current_text(session, template, language)


def _says_the_same(current: TextVersion, words: LetterTemplate | None) -> bool:
    if current.text is None or words is None:
        return current.text is None and words is None
    return (current.text.subject, current.text.body) == (words.subject, words.body)


_WAKE = """
UPDATE reminders SET look_at = :now, updated_at = now()
 WHERE state = 'planned' AND held_reason = 'template_error' AND starts_with(error, :cause)
"""
