"""The decisions of a look, written set-wise: who stays silent and why, and which letters are on their way."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.nudges.composing import Draft, claimed_by
from nudgepay.nudges.letter import WrittenLetter
from nudgepay.nudges.reasons import FinalReason, HeldReason

LOOK_AGAIN = timedelta(days=1)
"""A hold that no clock ends is looked at daily, and at once when a fact changes."""
LOOK_SOON: dict[str, timedelta] = {"balance_stale": timedelta(minutes=10)}
"""Holds of the whole installation that end without a fact of their own client."""
SOONEST_LOOK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Silence:
    """A reminder that does not go now (`until`) or ever (`is_final`), and the reason from the closed lists."""

    reminder_id: int
    invoice: str
    step: str
    reason: FinalReason | HeldReason
    until: datetime | None = None
    is_final: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A letter with its text, ready to be recorded as leaving."""

    draft: Draft
    letter: WrittenLetter

    @property
    def reminder_ids(self) -> list[int]:
        """The reminders that it carries."""
        return [decision.reminder_id for decision in self.draft.decisions if decision.reminder_id is not None]


def record_silences(session: Session, silences: Sequence[Silence], *, now: datetime) -> None:
    """Skips end; holds stay planned and are looked at again when their clock says so, or in a day."""
    final = [silence for silence in silences if silence.is_final]
    held = [silence for silence in silences if not silence.is_final]
    if final:
        session.execute(
            text(_SKIP), {"ids": [one.reminder_id for one in final], "reasons": [one.reason for one in final]}
        )
    if held:
        session.execute(
            text(_HOLD),
            {
                "ids": [one.reminder_id for one in held],
                "reasons": [one.reason for one in held],
                "untils": [one.until for one in held],
                "looks": [_next_look(one, now) for one in held],
                "errors": [one.error for one in held],
            },
        )


def _next_look(held: Silence, now: datetime) -> datetime:
    return max(held.until or now + LOOK_SOON.get(held.reason, LOOK_AGAIN), now + SOONEST_LOOK)


_SKIP = """
UPDATE reminders r
   SET state = 'skipped', reason = said.reason, held_reason = NULL, held_until = NULL, error = NULL,
       lease_until = NULL, letter_id = NULL, updated_at = now()
  FROM unnest(CAST(:ids AS bigint[]), CAST(:reasons AS text[])) AS said (id, reason)
 WHERE r.id = said.id AND r.state IN ('planned', 'claimed', 'skipped')
"""

_HOLD = """
UPDATE reminders r
   SET state = 'planned', reason = NULL, held_reason = said.reason, held_until = said.until, look_at = said.look,
       error = said.error, lease_until = NULL, updated_at = now()
  FROM unnest(CAST(:ids AS bigint[]), CAST(:reasons AS text[]), CAST(:untils AS timestamptz[]),
              CAST(:looks AS timestamptz[]), CAST(:errors AS text[])) AS said (id, reason, until, look, error)
 WHERE r.id = said.id AND r.state IN ('planned', 'claimed', 'skipped')
"""


def record_letters(
    session: Session,
    letters: Sequence[Written],
    *,
    now: datetime,
    looked_at: datetime,
    lease_seconds: float,
    run_id: uuid.UUID | None,
) -> dict[uuid.UUID, int]:
    """Write each letter with its exact text as `sending`, its reminders with it; returns its fence by its id.

    A letter that was tried before keeps its row, its Message-ID and its page. `looked_at` is the database's
    clock at the look; `now` is business time.
    """
    if not letters:
        return {}
    rows = [(one.draft, one.letter) for one in letters]
    values: dict[str, Any] = {
        "ids": [draft.letter_id for draft, _ in rows],
        "client_ids": [draft.client_id for draft, _ in rows],
        "contact_ids": [draft.contact.id for draft, _ in rows],
        "currencies": [draft.currency for draft, _ in rows],
        "amounts": [claimed_by(draft.decisions) for draft, _ in rows],
        "locales": [draft.contact.locale for draft, _ in rows],
        "addresses": [draft.contact.email for draft, _ in rows],
        "ns": [draft.n for draft, _ in rows],
        "message_ids": [draft.message_id for draft, _ in rows],
        "tokens": [draft.token for draft, _ in rows],
        "subjects": [letter.subject for _, letter in rows],
        "templates": [letter.template for _, letter in rows],
        "languages": [letter.language for _, letter in rows],
        "versions": [letter.text_version for _, letter in rows],
        "mimes": [letter.mime for _, letter in rows],
    }
    values |= {"now": now, "looked_at": looked_at, "lease": lease_seconds, "run_id": run_id}
    fences = {row.id: row.fence for row in session.execute(text(_LETTERS), values)}
    pairs = [(reminder_id, one.draft.letter_id) for one in letters for reminder_id in one.reminder_ids]
    session.execute(
        text(_LEAVING),
        {"ids": [pair[0] for pair in pairs], "letters": [pair[1] for pair in pairs], "lease": lease_seconds},
    )
    return fences


_LETTERS = """
INSERT INTO letters (id, client_id, contact_id, currency, amount, locale, to_address, n, message_id, token,
                     subject, template, language, text_version, mime, run_id, state, looked_at, sending_at,
                     lease_until)
SELECT one.*, CAST(:run_id AS uuid), 'sending', CAST(:looked_at AS timestamptz), CAST(:now AS timestamptz),
       clock_timestamp() + make_interval(secs => :lease)
  FROM unnest(CAST(:ids AS uuid[]), CAST(:client_ids AS bigint[]), CAST(:contact_ids AS bigint[]),
              CAST(:currencies AS text[]), CAST(:amounts AS bigint[]), CAST(:locales AS text[]),
              CAST(:addresses AS text[]), CAST(:ns AS bigint[]), CAST(:message_ids AS text[]),
              CAST(:tokens AS text[]), CAST(:subjects AS text[]), CAST(:templates AS text[]),
              CAST(:languages AS text[]), CAST(:versions AS bigint[]), CAST(:mimes AS bytea[])) AS one
ON CONFLICT (id) DO UPDATE
   SET amount = excluded.amount, locale = excluded.locale, to_address = excluded.to_address,
       subject = excluded.subject, template = excluded.template, language = excluded.language,
       text_version = excluded.text_version, mime = excluded.mime, run_id = excluded.run_id, state = 'sending',
       looked_at = excluded.looked_at, sending_at = excluded.sending_at, lease_until = excluded.lease_until,
       fence = letters.fence + 1, settled_at = NULL
 WHERE letters.state = 'planned'
RETURNING id, fence
"""

_LEAVING = """
UPDATE reminders r
   SET state = 'sending', letter_id = going.letter_id, reason = NULL, held_reason = NULL, held_until = NULL,
       error = NULL,
       lease_until = clock_timestamp() + make_interval(secs => :lease), updated_at = now()
  FROM unnest(CAST(:ids AS bigint[]), CAST(:letters AS uuid[])) AS going (id, letter_id)
 WHERE r.id = going.id AND r.state IN ('planned', 'claimed', 'skipped')
"""


def insert_missing(session: Session, steps: Sequence[tuple[int, int, str, int, datetime]]) -> dict[Any, int]:
    """Rows for due steps that the planner has not written yet; returns id by (invoice, step, version).

    `steps`: (client, invoice, step, version, due instant). One that exists already is left out of the answer.
    """
    if not steps:
        return {}
    columns = [list(column) for column in zip(*steps, strict=True)]
    names = ("clients", "invoices", "steps", "versions", "dues")
    found = session.execute(text(_MISSING), dict(zip(names, columns, strict=True)))
    return {(invoice_id, step, version): reminder_id for reminder_id, invoice_id, step, version in found}


_MISSING = """
INSERT INTO reminders (client_id, invoice_id, step, schedule_version, due_at, look_at)
SELECT one.client_id, one.invoice_id, one.step, one.version, one.due_at, one.due_at
  FROM unnest(CAST(:clients AS bigint[]), CAST(:invoices AS bigint[]), CAST(:steps AS text[]),
              CAST(:versions AS bigint[]), CAST(:dues AS timestamptz[]))
       AS one (client_id, invoice_id, step, version, due_at)
ON CONFLICT (invoice_id, step, schedule_version) WHERE nudge_key IS NULL DO NOTHING
RETURNING id, invoice_id, step, schedule_version
"""
