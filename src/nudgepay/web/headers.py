"""What every answer says to the browser: store nothing, index nothing, run nothing, tell nobody where from."""

from urllib.parse import urlsplit

from secure import (
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    CrossOriginResourcePolicy,
    CustomHeader,
    PermissionsPolicy,
    ReferrerPolicy,
    Secure,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nudgepay.config import Settings

CHECKOUT = "https://checkout.stripe.com"
STRIPE_API = "https://api.stripe.com"
TWO_YEARS = 63_072_000


def policy_for(settings: Settings) -> Secure:
    """The headers of one installation; HSTS only where it is served over https."""
    parts = urlsplit(settings.stripe_api_base)
    pays_at = [CHECKOUT]
    if settings.stripe_api_base.rstrip("/") != STRIPE_API:
        pays_at.append(f"{parts.scheme}://{parts.netloc}")
    content = (
        ContentSecurityPolicy()
        .default_src("'none'")
        .style_src("'self'")
        .script_src("'self'")
        .connect_src("'self'")
        .font_src("'self'")
        .img_src("'self'", "data:")
        .form_action("'self'", *pays_at)
        .frame_src("'self'")
        .base_uri("'none'")
        .frame_ancestors("'none'")
    )
    is_https = urlsplit(settings.base_url).scheme == "https"
    return Secure(
        csp=content,
        hsts=StrictTransportSecurity().max_age(TWO_YEARS).include_subdomains() if is_https else None,
        xcto=XContentTypeOptions().nosniff(),
        xfo=XFrameOptions().deny(),
        referrer=ReferrerPolicy().no_referrer(),
        coop=CrossOriginOpenerPolicy().same_origin(),
        corp=CrossOriginResourcePolicy().same_origin(),
        permissions=PermissionsPolicy().geolocation().microphone().camera(),
        custom=[CustomHeader("Cache-Control", "no-store"), CustomHeader("X-Robots-Tag", "noindex, nofollow")],
    )


class SecurityHeaders:
    """ASGI middleware: sets each header that the answer does not set itself."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        """The policy is made once."""
        self._app = app
        self._headers = tuple(policy_for(settings).header_items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; add headers to the start of the answer."""

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                framed_by_us = "frame-ancestors 'self'" in headers.get("content-security-policy", "")
                for name, value in self._headers:
                    if name == "X-Frame-Options" and framed_by_us:
                        continue
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, dressed if scope["type"] == "http" else send)
