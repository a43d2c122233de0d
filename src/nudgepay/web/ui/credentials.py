"""Password and code, judged the same way wherever they are asked for: each try counts, and is written down."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy.orm import Session

from nudgepay import clock, metrics
from nudgepay.access.limits import Terms
from nudgepay.access.models import Operator
from nudgepay.access.passwords import LONGEST_BYTES, PasswordRefused, TooManyAtOnce
from nudgepay.access.sessions import Place
from nudgepay.access.sign_in import Begun, Given, Outcome, Settled, begin, better_hash, is_right_password, settle
from nudgepay.access.throttle import Refused, forgive
from nudgepay.config import Settings
from nudgepay.runtime import Runtime
from nudgepay.web.client_address import client_network
from nudgepay.web.ui.cookies import Cookies

_FALLBACK = secrets.token_urlsafe(48)
"""Hides unknown addresses where no SESSION_SECRET is set, in development."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a try came to. `retry_after` in seconds while tries are refused."""

    outcome: Outcome
    operator_id: int | None = None
    seal: str | None = None
    retry_after: int = 0


def judge(
    request: Request,
    runtime: Runtime,
    *,
    email: str,
    password: str | None,
    code: str | None,
    vouched: str | None = None,
    then: Callable[[Session, Operator], None],
) -> Verdict:
    """Judge a try; when it is right, `then` happens in the same transaction.

    Raises TooManyAtOnce and PasswordRefused.
    """
    if password is not None and len(password.encode("utf-8", "replace")) > LONGEST_BYTES:
        raise PasswordRefused("long", f"is longer than {LONGEST_BYTES} bytes")
    settings = runtime.settings
    given = Given(
        email=email,
        password=password,
        code=None if code is None else code.strip()[:64],
        network=place_of(request, settings).network,
        device=Cookies.of(settings).get(request, "device"),
        vouched=vouched,
    )
    key = settings.secret("session_secret") or _FALLBACK
    with runtime.db.independent() as session:
        begun = begin(session, given, terms=terms_of(settings), key=key)
    if isinstance(begun, Refused):
        return _refused(begun)
    settled = _settled(runtime, begun, given, then)
    metrics.login_attempts.labels(factor=settled.factor, result=settled.outcome).inc()
    return Verdict(settled.outcome, settled.operator_id, settled.seal)


def _settled(runtime: Runtime, begun: Begun, given: Given, then: Callable[[Session, Operator], None]) -> Settled:
    try:
        is_right = is_right_password(begun, given)
        better = better_hash(begun, given) if is_right else None
    except TooManyAtOnce:
        metrics.login_throttle_events.labels(event="too_many_at_once").inc()
        with runtime.db.independent() as session:
            forgive(session, begun.admitted)
        raise
    with runtime.db.transaction() as session:
        return settle(
            session,
            begun,
            given,
            is_right=is_right,
            better=better,
            now=clock.now(),
            then=lambda operator: then(session, operator),
        )


def _refused(refused: Refused) -> Verdict:
    metrics.login_attempts.labels(factor="none", result=Outcome.BLOCKED).inc()
    metrics.login_throttle_events.labels(event=f"refused_{refused.scope}").inc()
    if refused.is_news:
        metrics.login_throttle_events.labels(event=f"shut_{refused.scope}").inc()
    return Verdict(Outcome.BLOCKED, retry_after=refused.retry_after)


def place_of(request: Request, settings: Settings) -> Place:
    """Where this request comes from."""
    network = client_network(request.scope, settings.trusted_proxies)
    return Place(request.headers.get("user-agent", ""), network)


def terms_of(settings: Settings) -> Terms:
    """LOGIN_RATE_LIMIT_*."""
    return Terms(
        settings.login_rate_limit_attempts,
        settings.login_rate_limit_window_seconds,
        settings.login_rate_limit_block_seconds,
    )
