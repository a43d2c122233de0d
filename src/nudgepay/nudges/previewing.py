"""A letter as it would be written now, without any of it being recorded."""

import uuid
from datetime import datetime

from sqlalchemy.orm import Session

from nudgepay.nudges.composing import Draft, compose, contact_of
from nudgepay.nudges.drafting import load_particulars
from nudgepay.nudges.facts import ClientFacts, LetterPlan
from nudgepay.nudges.letter import WrittenLetter
from nudgepay.nudges.mime import message_id
from nudgepay.nudges.terms import Terms

LEADS_NOWHERE = "PREVIEW"


def write_preview(
    session: Session, client: ClientFacts, letter: LetterPlan, *, terms: Terms, now: datetime
) -> WrittenLetter:
    """The letter with a page and a name that do not exist. Raises what the writer raises."""
    letter_id = uuid.UUID(int=0)
    draft = Draft(
        letter_id=letter_id,
        n=1,
        message_id=message_id(letter_id, 1, terms.business.from_email),
        token=LEADS_NOWHERE,
        client_id=client.id,
        contact=contact_of(client, letter),
        currency=letter.currency,
        decisions=letter.decisions,
    )
    particulars = load_particulars(session, [draft], documents=terms.invoice_pdfs)
    return compose(draft, client, particulars[letter_id], terms=terms, now=now)
