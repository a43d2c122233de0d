"""`/tokens`: what programs may read, made once, shown once, revoked for good."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.access.service_tokens import (
    DEFAULT_DAYS,
    LONGEST_DAYS,
    SCOPES,
    TooManyTokens,
    Wanted,
    known_tokens,
    make_token,
    revoke_token,
)
from nudgepay.errors import NotFound, UsageError
from nudgepay.web.bearer import peppers_in_use
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import RowId
from nudgepay.web.ui.words import N_

router = APIRouter()
Reading = Annotated[Page, allowed(Permission.TOKEN_READ)]
Making = Annotated[Page, allowed(Permission.TOKEN_WRITE, fresh=True)]
Revoking = Annotated[Page, allowed(Permission.TOKEN_WRITE)]
SCOPE_WORDS = {
    Permission.BOOKS_EXPORT: (N_("Take the books away as files"), "/exports"),
    Permission.AUDIT_READ: (N_("Read who did what"), "/audit"),
}
STATES = {
    "working": ("ok", N_("Works")),
    "expired": ("", N_("Expired")),
    "revoked": ("bad", N_("Revoked")),
    "orphaned": ("bad", N_("Its maker is disabled")),
    "unreadable": ("bad", N_("Made with a pepper that is gone")),
}
DAYS = ((7, N_("7 days")), (30, N_("30 days")), (90, N_("90 days")), (180, N_("180 days")), (365, N_("1 year")))


@router.get("/tokens", response_class=HTMLResponse)
def tokens(page: Reading, session: ReadSessionDep) -> Response:
    """Every token, never a secret."""
    found = known_tokens(session, peppers=peppers_in_use(page.runtime.settings), now=page.now)
    return page.show("tokens/list.html", rows=found, states=STATES, scopes=SCOPE_WORDS)


@router.get("/tokens/new", response_class=HTMLResponse)
def form(page: Making) -> Response:
    """What for, what it may, how long."""
    return _form(page)


@router.post("/tokens/new", response_class=HTMLResponse)
def make(
    page: Making,
    session: SessionDep,
    name: Annotated[str, Form(max_length=200)] = "",
    scope: Annotated[list[str], Form(max_length=20)] = [],  # noqa: B006  # FastAPI copies it
    days: Annotated[int, Form(ge=1, le=LONGEST_DAYS)] = DEFAULT_DAYS,
) -> Response:
    """The token, shown this once: nobody can read it again."""
    problems = {}
    if not 1 <= len(" ".join(name.split())) <= 60:
        problems["name"] = page.gettext("Say what the token is for, in at most 60 characters.")
    if not scope:
        problems["scope"] = page.gettext("Choose at least one thing that the program may do.")
    if problems:
        return _form(page, name=name, scope=scope, days=days, problems=problems)
    try:
        made, written = make_token(
            session, Wanted(name, scope, days), by=page.signed, peppers=peppers_in_use(page.runtime.settings)
        )
    except UsageError:
        problem = page.gettext("This cannot be a token's name or task.")
        return _form(page, name=name, scope=scope, days=days, problems={"name": problem})
    except TooManyTokens:
        problem = page.gettext("There are 50 tokens that work: revoke one that is not used.")
        return _form(page, name=name, scope=scope, days=days, problems={"name": problem})
    base = page.runtime.settings.base_url.rstrip("/")
    return page.show("tokens/made.html", token=made, written=written, base=base, scopes=SCOPE_WORDS)


@router.get("/tokens/{token_id}/revoke", response_class=HTMLResponse)
def preview(token_id: RowId, page: Revoking, session: ReadSessionDep) -> Response:
    """What would stop. There is no way back."""
    rows = known_tokens(session, peppers=peppers_in_use(page.runtime.settings), now=page.now)
    found = next((row for row in rows if row.id == token_id), None)
    if found is None:
        raise NotFound("there is no such token")
    return page.show("tokens/revoke.html", token=found, scopes=SCOPE_WORDS, states=STATES)


@router.post("/tokens/{token_id}/revoke")
def revoke(token_id: RowId, page: Revoking, session: SessionDep) -> Response:
    """It works no more, for good."""
    found = revoke_token(session, token_id, actor=page.actor)
    return page.go("/tokens", told=page.gettext("“%(name)s” is revoked.") % {"name": found.name})


def _form(
    page: Page,
    *,
    name: str = "",
    scope: list[str] | None = None,
    days: int = DEFAULT_DAYS,
    problems: dict[str, str] | None = None,
) -> Response:
    return page.show(
        "tokens/new.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        name=name,
        chosen=set(scope or ()),
        days=days,
        offered=DAYS,
        scopes=[(one, SCOPE_WORDS[one][0]) for one in SCOPES if page.may(one)],
        problems=problems or {},
    )
