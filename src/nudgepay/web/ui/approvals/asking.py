"""What the page of an act does when the act takes a second person: asks, or says who would have to be asked."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from sqlalchemy.orm import Session
from starlette.responses import Response

from nudgepay.access.acts import Act
from nudgepay.access.approvals import LONGEST_REASON, SHORTEST_REASON, ask
from nudgepay.access.trust import is_alone
from nudgepay.web.ui.approvals.words import WORDS
from nudgepay.web.ui.next_page import nearest_page
from nudgepay.web.ui.page import Page, ProofNeeded


def ensure_fresh(page: Page) -> None:
    """Raises ProofNeeded unless the person has shown lately who they are."""
    if not page.signed.is_proven_within(minutes=page.runtime.settings.session_proof_minutes):
        raise ProofNeeded(nearest_page(page.request))


def ask_second_person(
    page: Page,
    session: Session,
    act: Act,
    params: Mapping[str, Any],
    *,
    why: str,
    path: str,
    fields: Sequence[tuple[str, str]] = (),
) -> Response:
    """Ask when a reason was given; else the page that asks for it and sends everything to `path` once more."""
    ensure_fresh(page)
    if len(why.strip()) >= SHORTEST_REASON:
        made = ask(session, act, params, by=page.signed, reason=why)
        told = page.gettext("Asked. It waits for a second person.")
        if made.alone:
            told = page.gettext("Asked. Nobody else could approve it, so it waits ten minutes.")
        return page.go(f"/approvals/{made.id}", told=told)
    words = WORDS[act.name]
    return page.show(
        "approvals/ask.html",
        status=HTTPStatus.CONFLICT,
        words=words,
        details=words.details(page, session, params),
        alone=is_alone(session, act, page.signed),
        path=path,
        fields=fields,
        why=why,
        longest=LONGEST_REASON,
    )
