"""The last look: under the client's lock everything is read once more, and every decision is written.

A payment takes the same lock, so a look either comes before it or sees it. Nothing here speaks to anyone:
letters that may go are recorded as `sending`, with their exact text, and leave after the commit.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import clock
from nudgepay.errors import NudgePayError
from nudgepay.gateways.mail import Envelope, ensure_address
from nudgepay.nudges.claiming import Claim
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.composing import Draft, Particulars, compose
from nudgepay.nudges.drafting import Answer, cancel_forsaken, draft_letters, load_particulars
from nudgepay.nudges.facts import ClientFacts, Plan
from nudgepay.nudges.locking import lock_claims
from nudgepay.nudges.plan import plan
from nudgepay.nudges.queries import load_clients, rules_now
from nudgepay.nudges.recording import Silence, Written, record_letters, record_silences
from nudgepay.nudges.setting_aside import OWN_TROUBLE, silences_of, tell_poisoned
from nudgepay.nudges.terms import Terms


class PlanIncomplete(NudgePayError):
    """The engine left a claimed reminder without a decision: a bug, held and reported."""


class Line(NamedTuple):
    """One reminder in a letter."""

    reminder_id: int
    invoice: str
    step: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A letter recorded as `sending`. `looked` and `lease_ends` in seconds on the monotonic clock."""

    letter_id: uuid.UUID
    fence: int
    client_id: int
    contact_id: int
    envelope: Envelope
    lines: tuple[Line, ...]
    looked: float
    lease_ends: float


@dataclass(slots=True)
class Look:
    """What a look came to. `busy`: claims whose client somebody else has locked; `fenced`: claims lost."""

    busy: tuple[Claim, ...] = ()
    fenced: int = 0
    outgoing: list[Outgoing] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    poisoned: int = 0


def look(
    session: Session, claims: Sequence[Claim], *, terms: Terms, now: datetime, run_id: uuid.UUID | None = None
) -> Look:
    """Look at the claimed clients (one lock for each) and record what becomes of each of their reminders."""
    locked = lock_claims(session, claims)
    result = Look(busy=locked.busy, fenced=locked.fenced)
    if not locked.live:
        return result
    looked = clock.monotonic()
    looked_at = session.scalars(text("SELECT clock_timestamp()")).one()
    answers = _ask_the_engine(session, locked.live, result, terms=terms, now=now, run_id=run_id)
    drafts = draft_letters(session, answers, terms=terms, now=now)
    letters = _write(session, drafts, answers, result, terms=terms, now=now)
    record_silences(session, result.silences, now=now)
    fences = record_letters(
        session, letters, now=now, looked_at=looked_at, lease_seconds=terms.lease_seconds, run_id=run_id
    )
    cancel_forsaken(session, [claim.client_id for claim in locked.live])
    sender = ensure_address(terms.business.from_email)
    numbers = {invoice.id: invoice.number for answer in answers for invoice in answer.client.invoices}
    for one in letters:
        lines = tuple(
            Line(decision.reminder_id or 0, numbers[decision.invoice_id], decision.step)
            for decision in one.draft.decisions
        )
        fence, lease_ends = fences[one.draft.letter_id], looked + terms.lease_seconds
        result.outgoing.append(_outgoing(one, sender, lines, fence=fence, looked=looked, lease_ends=lease_ends))
    return result


def _ask_the_engine(
    session: Session,
    claims: Sequence[Claim],
    result: Look,
    *,
    terms: Terms,
    now: datetime,
    run_id: uuid.UUID | None,
) -> list[Answer]:
    rules, calendar = rules_now(session, terms.rules), calendar_now(session, terms.calendar)
    clients = load_clients(session, [claim.client_id for claim in claims], now=now, run_id=run_id)
    answers = []
    for claim in claims:
        client = clients[claim.client_id]
        try:
            answer = plan(client, rules=rules, calendar=calendar, now=now)
            _ensure_complete(claim, answer)
        except OWN_TROUBLE:
            raise
        except Exception as error:  # noqa: BLE001  # one poisoned record must not stop the others
            _hush(session, result, client, list(claim.fences), error)
            continue
        result.silences += _silences(client, answer)
        answers.append(Answer(client, answer))
    return answers


def _ensure_complete(claim: Claim, answer: Plan) -> None:
    decided = {decision.reminder_id for decision in answer.due}
    if not claim.fences.keys() <= decided:
        raise PlanIncomplete("the engine said nothing about a claimed reminder")


def _silences(client: ClientFacts, answer: Plan) -> list[Silence]:
    numbers = {invoice.id: invoice.number for invoice in client.invoices}
    return [
        Silence(
            reminder_id=decision.reminder_id,
            invoice=numbers[decision.invoice_id],
            step=decision.step,
            reason=decision.reason,
            until=decision.until,
            is_final=decision.action == "skip",
        )
        for decision in answer.due
        if decision.reminder_id is not None and decision.reason is not None
    ]


def _write(
    session: Session,
    drafts: Sequence[Draft],
    answers: Sequence[Answer],
    result: Look,
    *,
    terms: Terms,
    now: datetime,
) -> list[Written]:
    if not drafts:
        return []
    clients = {answer.client.id: answer.client for answer in answers}
    particulars: dict[uuid.UUID, Particulars] = load_particulars(session, drafts, documents=terms.invoice_pdfs)
    letters = []
    for draft in drafts:
        client = clients[draft.client_id]
        try:
            letter = compose(draft, client, particulars[draft.letter_id], terms=terms, now=now)
        except OWN_TROUBLE:
            raise
        except Exception as error:  # noqa: BLE001  # one poisoned record must not stop the others
            ids = [one.reminder_id for one in draft.decisions if one.reminder_id is not None]
            _hush(session, result, client, ids, error)
            continue
        letters.append(Written(draft, letter))
    return letters


def _hush(session: Session, result: Look, client: ClientFacts, reminder_ids: list[int], error: Exception) -> None:
    result.poisoned += 1
    result.silences += silences_of(session, reminder_ids, error)
    tell_poisoned(session, client.id, reminder_ids, error)


def _outgoing(
    written: Written, sender: str, lines: tuple[Line, ...], *, fence: int, looked: float, lease_ends: float
) -> Outgoing:
    draft = written.draft
    return Outgoing(
        letter_id=draft.letter_id,
        fence=fence,
        client_id=draft.client_id,
        contact_id=draft.contact.id,
        envelope=Envelope(draft.message_id, sender, ensure_address(draft.contact.email), written.letter.mime),
        lines=lines,
        looked=looked,
        lease_ends=lease_ends,
    )
