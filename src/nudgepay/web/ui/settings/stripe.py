"""`/settings/stripe`: is Stripe connected, in which mode, do its events arrive, and do both sides agree?"""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.payments.stripe_standing import read_stripe_standing
from nudgepay.payments.terms import stripe_terms
from nudgepay.readiness.checking import last_check
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.settings.business import show_setting
from nudgepay.web.ui.settings.finding_words import VERDICTS, sentence
from nudgepay.web.ui.settings.words import TABS
from nudgepay.web.ui.words import N_

router = APIRouter()
NAMES = ("stripe_secret_key", "stripe_webhook_secret", "stripe_account")
OUTCOMES: dict[str, tuple[str, str]] = {
    "ignored": ("", N_("Not needed")),
    "foreign": ("", N_("Not ours")),
    "parked": ("bad", N_("Given up")),
    "needs_review": ("warn", N_("Needs review")),
    "wrong_mode": ("warn", N_("Other mode")),
    "wrong_account": ("warn", N_("Other account")),
}
"""Tone and word of an event's outcome; every other one was brought into the books."""
SWEEP: tuple[tuple[str, str], ...] = (
    ("events_found", N_("Events that no webhook brought")),
    ("sessions_checked", N_("Checkouts looked at")),
    ("sessions_changed", N_("Checkouts that had moved")),
    ("invoices_checked", N_("Stripe invoices looked at")),
    ("invoices_changed", N_("Stripe invoices that had moved")),
    ("refunds_found", N_("Refunds found")),
    ("drift", N_("Differences")),
)


@router.get("/settings/stripe", response_class=HTMLResponse)
def stripe(page: Annotated[Page, allowed(Permission.SETTING_READ)], session: ReadSessionDep) -> Response:
    """From the settings and our own rows alone; Stripe itself is asked by the check."""
    settings = page.runtime.settings
    check = last_check(session, now=page.now)
    return page.show(
        "settings/stripe.html",
        tabs=TABS,
        is_configured=page.runtime.stripe is not None,
        is_live=stripe_terms(settings).livemode,
        has_hook=settings.secret("stripe_webhook_secret") is not None,
        hook=f"{settings.base_url.rstrip('/')}/webhooks/stripe",
        standing=read_stripe_standing(session),
        check=check,
        finding=next(iter(check.about("stripe")), None),
        verdicts=VERDICTS,
        sentence=lambda recorded: sentence(page, recorded),
        settings=[show_setting(settings, name) for name in NAMES],
        outcomes=OUTCOMES,
        sweep=SWEEP,
    )
