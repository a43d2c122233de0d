"""A form is taken only from a page that we showed in the same session."""

import hashlib
import hmac
import secrets

from starlette.requests import Request

from nudgepay.config import Settings
from nudgepay.errors import NudgePayError

FIELD = "_csrf_token"
HEADER = "X-CSRF-Token"
FROM_US = frozenset({"same-origin", "none"})
_FALLBACK = secrets.token_urlsafe(48)
"""Used where no CSRF_SECRET is set, in development."""


class ForeignForm(NudgePayError):
    """The form does not come from a page of this session."""

    status = 403


def token_for(settings: Settings, session_key: str) -> str:
    """The token that a session's forms carry."""
    secret = settings.secret("csrf_secret") or _FALLBACK
    return hmac.new(secret.encode(), session_key.encode(), hashlib.sha256).hexdigest()


async def ensure_own_form(request: Request, expected: str) -> None:
    """Raises ForeignForm unless the form or its header carries the token, and the browser names no other site."""
    if request.headers.get("Sec-Fetch-Site", "none") not in FROM_US:
        raise ForeignForm("this form was sent from another site")
    given = request.headers.get(HEADER)
    if given is None:
        field = (await request.form()).get(FIELD)
        given = field if isinstance(field, str) else ""
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise ForeignForm("this page is too old: load it again")
