"""From the page's button to Stripe: how much, for which invoices, and where the payer comes back to."""

from datetime import datetime

from nudgepay.money import AmountError
from nudgepay.payments.pay_link import NothingToPay, PayPage, TooMuch, open_checkout
from nudgepay.runtime import Runtime
from nudgepay.web.pay.page import PayerPage
from nudgepay.web.pay.reader import Reader

__all__ = ["NothingToPay", "checkout_url", "has_card"]


def has_card(runtime: Runtime) -> bool:
    """True where card payments are set up."""
    return runtime.stripe is not None


def checkout_url(runtime: Runtime, page: PayerPage, reader: Reader, typed: str, *, now: datetime) -> str:
    """The hosted form for what was typed (nothing: all that the page asks for).

    Raises NothingToPay, AmountError, and what `open_checkout` raises.
    """
    if runtime.stripe is None or not page.payable_lines:
        raise NothingToPay("nothing on this page can be paid by card now")
    amount = reader.amount(typed, page.currency) if typed.strip() else page.payable
    if not 0 < amount <= page.payable:
        raise AmountError("more than what is open")
    link = f"{runtime.settings.base_url.rstrip('/')}/p/{page.token}"
    lang = f"&lang={reader.chosen}" if reader.chosen else ""
    numbers = ", ".join(line.number for line in page.payable_lines)
    try:
        return open_checkout(
            runtime.db,
            runtime.stripe,
            page=PayPage(
                key=page.key,
                client_id=page.client_id,
                invoice_ids=tuple(line.invoice_id for line in page.payable_lines),
                currency=page.currency,
                locale=reader.t.language,
                description=f"{runtime.settings.business_name}: {numbers}"[:250],
                payer_email=page.email,
                contested={line.invoice_id: line.disputed for line in page.payable_lines},
            ),
            amount=amount,
            success_url=f"{link}?paid=1{lang}",
            cancel_url=f"{link}{reader.query}",
            now=now,
        )
    except TooMuch as error:
        raise AmountError("more than what is open") from error
