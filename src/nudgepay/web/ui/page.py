"""What every route of the operators' pages is handed: who asks, in which words, and how to answer.

    @router.get("/things")
    def things(page: Annotated[Page, allowed(Permission.THING_READ)], session: ReadSessionDep) -> Response:
        return page.show("things/list.html", things=...)

`allowed` declares the permission, checks it, and for everything that is no GET checks the form's token. What is
sensitive says `allowed(Permission.X, fresh=True)`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from nudgepay import clock
from nudgepay.access.permissions import Permission
from nudgepay.access.sessions import SignedIn, find_session, key_of
from nudgepay.errors import NudgePayError
from nudgepay.runtime import Runtime
from nudgepay.web.ui.cookies import TOLD_SECONDS, Cookies
from nudgepay.web.ui.csrf import ensure_own_form, token_for
from nudgepay.web.ui.navigation import navigation
from nudgepay.web.ui.next_page import SAFE, nearest_page, wanted_page
from nudgepay.web.ui.refusals import note_refusal
from nudgepay.web.ui.rendering import environment_for
from nudgepay.web.ui.words import language_of, translations


class SignedOut(NudgePayError):
    """Nobody is signed in. `path` is where they wanted to go."""

    status = 401

    def __init__(self, path: str) -> None:
        """The page to go on to after signing in."""
        self.path = path
        super().__init__("sign in first")


class ProofNeeded(NudgePayError):
    """It takes a proof of who one is that is younger than the last one. `path` is where to go on to."""

    status = 401

    def __init__(self, path: str) -> None:
        """The page to go on to afterwards."""
        self.path = path
        super().__init__("prove first that it is still you")


class SecondFactorNeeded(NudgePayError):
    """Everybody must have a second factor here, and this person has none yet."""

    status = 403

    def __init__(self) -> None:
        """What it takes."""
        super().__init__("set up a second factor first: /account/second-factor")


class NotAllowed(NudgePayError):
    """The role lacks the permission."""

    status = 403


@dataclass(frozen=True, slots=True)
class Undo:
    """A form that takes an act back: POSTs `fields` to `path`."""

    path: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """One request of an operator."""

    request: Request
    runtime: Runtime
    signed: SignedIn
    language: str
    now: datetime

    @property
    def actor(self) -> str:
        """Who acts, for the audit log."""
        return self.signed.actor

    @property
    def locale(self) -> str:
        """The locale in which amounts and dates are written for the person."""
        return self.signed.locale or self.language

    @property
    def zone(self) -> ZoneInfo:
        """The person's time zone, or the business's."""
        return ZoneInfo(self.signed.timezone or self.runtime.settings.business_timezone)

    def gettext(self, text: str) -> str:
        """A sentence in the person's language."""
        return translations(self.language).gettext(text)

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The same, in the form that the number asks for."""
        return translations(self.language).ngettext(one, many, count)

    def may(self, permission: Permission | str) -> bool:
        """True when the person may do it: pages show no button that would be refused."""
        return self.signed.may(permission)

    def show(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """The template as a page of the person, with what there is to tell once."""
        cookies = Cookies.of(self.runtime.settings)
        told = cookies.get_signed(self.request, "told", seconds=TOLD_SECONDS)
        content = environment_for(self.language).get_template(template).render(page=self, told=told, **values)
        response = HTMLResponse(content, status_code=status)
        if told is not None:
            cookies.drop(response, "told")
        return response

    def go(self, path: str, *, told: str | None = None, undo: Undo | None = None, bad: bool = False) -> Response:
        """303 to a page of ours, which then tells what was done and, where there is one, offers the way back."""
        response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
        if told is not None:
            value = {"text": told, "bad": bad, "undo": undo and {"path": undo.path, "fields": dict(undo.fields)}}
            Cookies.of(self.runtime.settings).put_signed(response, "told", value, seconds=TOLD_SECONDS)
        return response

    def renewed(self, token: str) -> "Page":
        """The same page in the session's new id: what it shows from now on carries the tokens of that one."""
        return replace(self, signed=replace(self.signed, session_key=key_of(token)))

    @property
    def csrf_token(self) -> str:
        """For the hidden field of every form."""
        return token_for(self.runtime.settings, self.signed.session_key)

    @property
    def path(self) -> str:
        """Where we are."""
        return self.request.url.path

    @property
    def navigation(self) -> Any:
        """The places this person may go."""
        return navigation(self.signed, self.path)


def allowed(permission: Permission, *, fresh: bool = False, unenrolled: bool = False) -> Any:
    """The dependency that hands a route its Page, if the person may.

    `fresh`: only shortly after a password (and code); who proved it longer ago is asked at `/account/prove` first.
    `unenrolled`: also for who must set up a second factor before anything else.
    """
    return Depends(guard(permission, fresh=fresh, unenrolled=unenrolled))


def guard(
    permission: Permission, *, fresh: bool = False, unenrolled: bool = False
) -> Callable[[Request], Awaitable[Page]]:
    """The check itself; it carries its permission, so that a test can read it from the route."""

    async def entered(request: Request) -> Page:
        runtime: Runtime = request.app.state.runtime
        signed = await run_in_threadpool(signed_in, request, runtime)
        if signed is None:
            raise SignedOut(wanted_page(request))
        if request.method not in SAFE:
            await ensure_own_form(request, token_for(runtime.settings, signed.session_key))
        if not signed.may(permission):
            if request.method not in SAFE:
                await run_in_threadpool(note_refusal, runtime, signed.actor, request, NotAllowed.__name__)
            raise NotAllowed(f"your role ({signed.role}) may not do this; it takes {permission}")
        if not unenrolled and runtime.settings.requires_second_factor and not signed.has_second_factor:
            raise SecondFactorNeeded
        if fresh and not signed.is_proven_within(minutes=runtime.settings.session_proof_minutes):
            raise ProofNeeded(nearest_page(request))
        language = language_of(signed.locale and signed.locale[:2], request.headers.get("accept-language", ""))
        return Page(request, runtime, signed, language, clock.now())

    entered.permission = permission  # type: ignore[attr-defined]
    entered.fresh = fresh  # type: ignore[attr-defined]
    return entered


def signed_in(request: Request, runtime: Runtime) -> SignedIn | None:
    """Who asks, or None."""
    token = Cookies.of(runtime.settings).get(request, "session")
    if token is None:
        return None
    with runtime.db.transaction() as session:
        return find_session(session, token, idle_minutes=runtime.settings.session_idle_minutes)
