"""A tiny hosted page at a session's URL: a browser, and the demo, can pay on it. No money moves.

docs.stripe.com/payments/checkout/how-checkout-works: the payer sees what is paid and how much, pays, and is sent to
`success_url` (where `{CHECKOUT_SESSION_ID}` becomes the session's id), or goes back to `cancel_url`.
"""

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nudgepay.gateways.fakes.stripe.sessions import METHODS
from nudgepay.gateways.fakes.stripe.store import Json, Refusal
from nudgepay.gateways.stripe_amounts import from_stripe
from nudgepay.money import format_money

if TYPE_CHECKING:
    from nudgepay.gateways.fakes.stripe.server import FakeStripe

PATH = "/c/pay/"
_FRAME = (
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>{title}</title><body style='font:1.1rem system-ui;max-width:26rem;margin:3rem auto;padding:0 1rem'>"
    "<h1>{title}</h1>{content}<p><small>A stand-in for Stripe's hosted page. No money moves.</small></p>"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the visitor's browser gets."""

    status: int
    html: str
    location: str | None = None


def visit(fake: "FakeStripe", method: str, session_id: str, form: Json) -> Shown:
    """GET shows the page, POST pays by `method` (or lets the card be declined)."""
    with fake.store.lock:
        session = fake.store.objects.get(session_id)
    if session is None or session["object"] != "checkout.session":
        return Shown(404, _page("Nothing here", "<p>There is no such page.</p>"))
    if method == "POST" and form.get("method") in METHODS:
        try:
            fake.pay(session_id, form["method"])
        except Refusal:
            return _closed(session)
        fake.deliveries.deliver_waiting()
        to = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id)
        return Shown(303, "", location=to)
    if session["status"] != "open":
        return _closed(session)
    return Shown(200, _page(session["_title"], _offer(session, is_declined=method == "POST")))


def _closed(session: Json) -> Shown:
    said = "You have paid already." if session["status"] == "complete" else "This page has expired."
    return Shown(200, _page(session["_title"], f"<p>{said}</p>{_way_back(session)}"))


def _offer(session: Json, *, is_declined: bool) -> str:
    currency = session["currency"].upper()
    amount = format_money(from_stripe(session["amount_total"], currency), currency, session["locale"] or "en")
    declined = "<p role=alert>Your card was declined.</p>" if is_declined else ""
    return (
        f"<p><strong>{html.escape(amount)}</strong></p>{declined}<form method=post>"
        "<button name=method value=card>Pay by card</button> "
        "<button name=method value=sepa_debit>Pay by direct debit</button> "
        f"<button name=method value=declined>Card that is declined</button></form>{_way_back(session)}"
    )


def _way_back(session: Json) -> str:
    if not session["cancel_url"]:
        return ""
    return f"<p><a href='{html.escape(session['cancel_url'], quote=True)}'>Back</a></p>"


def _page(title: str, content: str) -> str:
    return _FRAME.format(title=html.escape(title), content=content)
