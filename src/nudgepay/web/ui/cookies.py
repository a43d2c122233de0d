"""The cookies of the operators' pages: the session, what to tell once, and who is about to sign in."""

import secrets
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from nudgepay.config import Settings

TOLD_SECONDS = 120
BEFORE_SIGN_IN_SECONDS = 3600
_FALLBACK = secrets.token_urlsafe(48)
"""Signs where no SESSION_SECRET is set, in development: what it signed ends with the process."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """How one installation sets its cookies."""

    is_secure: bool
    same_site: Literal["lax", "strict", "none"]
    secret: str

    @classmethod
    def of(cls, settings: Settings) -> "Cookies":
        """Secure wherever the pages are served over https."""
        is_https = urlsplit(settings.base_url).scheme == "https"
        return cls(
            is_secure=settings.session_https_only and is_https,
            same_site=settings.session_cookie_same_site,
            secret=settings.secret("session_secret") or _FALLBACK,
        )

    def name(self, what: str) -> str:
        """`__Host-` binds a cookie to this host; a browser takes such a name over https only."""
        return f"__Host-nudgepay_{what}" if self.is_secure else f"nudgepay_{what}"

    def get(self, request: Request, what: str) -> str | None:
        """The raw value."""
        return request.cookies.get(self.name(what))

    def put(self, response: Response, what: str, value: str, *, seconds: int | None = None) -> None:
        """Set it for the whole host, unseen by scripts."""
        response.set_cookie(
            self.name(what),
            value,
            max_age=seconds,
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite=self.same_site,
        )

    def drop(self, response: Response, what: str) -> None:
        """Forget it."""
        response.delete_cookie(
            self.name(what), path="/", secure=self.is_secure, httponly=True, samesite=self.same_site
        )

    def put_signed(self, response: Response, what: str, value: Any, *, seconds: int) -> None:
        """Set a value that only we can have written."""
        self.put(response, what, self._serializer(what).dumps(value), seconds=seconds)

    def get_signed(self, request: Request, what: str, *, seconds: int) -> Any:
        """The value, or None when it is missing, forged or too old."""
        raw = self.get(request, what)
        if raw is None:
            return None
        try:
            return self._serializer(what).loads(raw, max_age=seconds)
        except BadSignature:
            return None

    def _serializer(self, what: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.secret, salt=f"nudgepay.{what}")
