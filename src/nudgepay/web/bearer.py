"""`Authorization: Bearer npt_...`: which program asks, or why it is not let in."""

import re
from collections.abc import Mapping

from starlette.requests import Request

from nudgepay.access.peppers import Pepper, peppers_of
from nudgepay.access.permissions import Permission
from nudgepay.access.service_tokens import Program, find_program
from nudgepay.config import Settings
from nudgepay.errors import NudgePayError
from nudgepay.runtime import Runtime
from nudgepay.web.client_address import client_address
from nudgepay.web.misses import Misses

IN_URL = re.compile(r"npt_|(?:^|&)(?:access_token|api_key|token)=", re.IGNORECASE)
BEARER = re.compile(r"Bearer +(\S{1,200})", re.IGNORECASE)


class TokenRefused(NudgePayError):
    """No program is let in so. `headers` say how one would be."""

    status = 401
    challenge = 'Bearer realm="NudgePay", error="invalid_token"'

    @property
    def headers(self) -> Mapping[str, str]:
        """RFC 6750, section 3."""
        return {"WWW-Authenticate": self.challenge}


class ScopeMissing(TokenRefused):
    """The token is good for something else."""

    status = 403

    def __init__(self, permission: Permission) -> None:
        """Names what it would take."""
        self.challenge = f'Bearer realm="NudgePay", error="insufficient_scope", scope="{permission}"'
        super().__init__(f"this token was not given {permission}, or who made it has it no more")


def peppers_in_use(settings: Settings) -> tuple[Pepper, ...]:
    """The keys that hash and verify tokens now."""
    return peppers_of(settings.secret("service_token_pepper"))


def is_meant_for_programs(request: Request) -> bool:
    """True when the request names a token, wherever it does."""
    return "authorization" in request.headers or IN_URL.search(request.url.query) is not None


def program_that_asks(request: Request, runtime: Runtime, permission: Permission) -> Program:
    """Who sent this token. Raises TokenRefused, ScopeMissing, and TooManyUnknownLinks for whoever guesses."""
    if IN_URL.search(request.url.query):
        raise TokenRefused("a token does not belong into an address, where logs keep it: send it as a header")
    misses: Misses = request.app.state.token_misses
    address = client_address(request.scope, runtime.settings.trusted_proxies)
    misses.ensure_may_ask(address)
    written = BEARER.fullmatch(request.headers.get("authorization", ""))
    with runtime.db.transaction() as session:
        found = find_program(session, written[1] if written else "", peppers=peppers_in_use(runtime.settings))
    if found is None:
        misses.record(address)
        raise TokenRefused("this token is unknown, expired or revoked; send: Authorization: Bearer npt_...")
    if not found.may(permission):
        raise ScopeMissing(permission)
    return found
