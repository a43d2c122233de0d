"""Words for what a look at the outside found."""

from typing import Any

from nudgepay.web.ui.page import Page
from nudgepay.web.ui.words import N_

ABOUT: dict[str, tuple[str, str]] = {
    "sender.relay": (N_("Relay"), N_("The mail server that takes your letters and brings them on their way.")),
    "sender.receipts": (
        N_("Receipts"),
        N_("Whether its record can be read back, so that a broken connection leaves no letter in doubt."),
    ),
    "sender.address": (N_("Sender's address"), N_("The address that readers see and answer to.")),
    "sender.dns": (N_("DNS"), N_("The public records that tell receivers what is really yours.")),
    "sender.spf": (N_("SPF"), N_("Tells receivers which servers may send in your name.")),
    "sender.dkim": (N_("DKIM"), N_("A signature on each letter: nobody has changed it on its way.")),
    "sender.dmarc": (N_("DMARC"), N_("Tells receivers what to do with mail that only pretends to be yours.")),
    "sender.way_back": (N_("Way back"), N_("Bounces and answers need a mailbox that exists.")),
    "bounces": (N_("Bounces"), N_("Whether letters that come back are noticed.")),
    "stripe": (N_("Stripe"), N_("Whether card payments can be taken, and are booked.")),
}
"""Of each finding: what it is called, and why it matters."""

VERDICTS: dict[str, tuple[str, str]] = {
    "ok": ("ok", N_("Good")),
    "warning": ("warn", N_("Could be better")),
    "failed": ("bad", N_("Wrong")),
    "not_checked": ("", N_("Could not look")),
}
"""Of each verdict: the tone of its chip, and its word. What could not be looked at is never green."""


def sentence(page: Page, recorded: dict[str, Any]) -> str:
    """What `Finding.record` wrote down, in the person's language."""
    text, values = str(recorded.get("text", "")), recorded.get("values") or {}
    said = page.gettext(text) if text else ""
    if values:
        try:
            said %= values
        except (KeyError, TypeError, ValueError):
            return text
    return said if text.startswith("%(") else said[:1].upper() + said[1:]
