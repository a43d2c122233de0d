"""The door to Stripe: the official SDK, bounded in time, its errors told apart.

Objects come back as plain dicts shaped like those in webhooks. The SDK is imported with the first call: it costs
half a second that a process which never pays by card should not pay.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from nudgepay.errors import OperationalError
from nudgepay.gateways.pace import Pace
from nudgepay.gateways.stripe_amounts import to_stripe

TIMEOUT_SECONDS = 10
RETRIES = 2
CALLS_PER_SECOND = 20
"""Below Stripe's limit of 25 per second and endpoint (docs.stripe.com/rate-limits)."""
PAGE = 100


class StripeUnavailable(OperationalError):
    """Stripe could not be reached or is overloaded; nothing was done."""


class StripeOutcomeUnknown(OperationalError):
    """The call may or may not have taken effect: repeat it with the same idempotency key."""


class StripeRefused(OperationalError):
    """Stripe understood and said no. `code` is Stripe's word for it."""

    def __init__(self, message: str, *, code: str | None, status: int | None) -> None:
        """`status` is the HTTP status of the answer."""
        super().__init__(message)
        self.code = code
        self.http_status = status


class StripeKeyRejected(StripeRefused):
    """The API key is unknown or revoked (401) or may not do this (403)."""


class StripeGateway:
    """Calls to one Stripe account."""

    def __init__(
        self,
        *,
        api_key: Callable[[], str],
        base_url: str,
        timeout: float = TIMEOUT_SECONDS,
        calls_per_second: float = CALLS_PER_SECOND,
    ) -> None:
        """`api_key` is asked for each call, so a rotated key is picked up. `timeout` in seconds."""
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._pace = Pace(per_second=calls_per_second)
        self._http: Any = None

    def create_checkout_session(
        self,
        *,
        amount: int,
        currency: str,
        description: str,
        success_url: str,
        cancel_url: str,
        metadata: Mapping[str, str],
        idempotency_key: str,
        locale: str,
        customer_email: str | None = None,
    ) -> dict[str, Any]:
        """A hosted page that takes `amount` (our minor units) once.

        The metadata goes on the session and on its PaymentIntent: Stripe does not copy it by itself.
        Raises StripeOutcomeUnknown when no answer came, and the other errors of this module.
        """
        params: dict[str, Any] = {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": currency.lower(),
                        "unit_amount": to_stripe(amount, currency),
                        "product_data": {"name": description},
                    },
                }
            ],
            "success_url": success_url,
            "cancel_url": cancel_url,
            "metadata": dict(metadata),
            "payment_intent_data": {"metadata": dict(metadata), "description": description},
            "locale": locale,
        }
        if customer_email:
            params["customer_email"] = customer_email
        return self._call(
            lambda client: client.v1.checkout.sessions.create(params, {"idempotency_key": idempotency_key}),
            writes=True,
        )

    def expire_checkout_session(self, session_id: str) -> dict[str, Any]:
        """Close a session that must not be paid any more; StripeRefused when it is complete."""
        return self._call(lambda client: client.v1.checkout.sessions.expire(session_id), writes=True)

    def retrieve_checkout_session(self, session_id: str) -> dict[str, Any]:
        """One session as it stands."""
        return self._call(lambda client: client.v1.checkout.sessions.retrieve(session_id))

    def list_checkout_sessions(self, *, created_since: int) -> Iterator[dict[str, Any]]:
        """Sessions made since `created_since` (seconds since 1970), newest first."""
        return self._pages(lambda client, page: client.v1.checkout.sessions.list(page), created_since)

    def retrieve_payment_intent(self, payment_intent_id: str) -> dict[str, Any]:
        """One PaymentIntent as it stands."""
        return self._call(lambda client: client.v1.payment_intents.retrieve(payment_intent_id))

    def retrieve_refund(self, refund_id: str) -> dict[str, Any]:
        """One refund as it stands."""
        return self._call(lambda client: client.v1.refunds.retrieve(refund_id))

    def list_refunds(self, *, payment_intent: str) -> list[dict[str, Any]]:
        """Every refund of one PaymentIntent."""
        found = self._call(lambda client: client.v1.refunds.list({"payment_intent": payment_intent, "limit": PAGE}))
        return list(found["data"])

    def list_recent_refunds(self, *, created_since: int) -> Iterator[dict[str, Any]]:
        """Refunds made since `created_since` (seconds since 1970), newest first."""
        return self._pages(lambda client, page: client.v1.refunds.list(page), created_since)

    def retrieve_dispute(self, dispute_id: str) -> dict[str, Any]:
        """One dispute as it stands."""
        return self._call(lambda client: client.v1.disputes.retrieve(dispute_id))

    def list_events(
        self, *, created_since: int, types: Collection[str] = (), delivery_success: bool | None = None
    ) -> Iterator[dict[str, Any]]:
        """Events since `created_since` (seconds since 1970), newest first; Stripe keeps them for 30 days.

        `types` narrows them to at most 20 types (docs.stripe.com/api/events/list).
        """
        extra: dict[str, Any] = {} if delivery_success is None else {"delivery_success": delivery_success}
        if types:
            extra["types"] = sorted(types)
        return self._pages(lambda client, page: client.v1.events.list(page), created_since, extra)

    def retrieve_account(self) -> dict[str, Any]:
        """The account that the key belongs to."""
        return self._call(lambda client: client.v1.accounts.retrieve_current())

    def _pages(
        self, fetch: Callable[[Any, Any], Any], created_since: int, extra: Mapping[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        page: dict[str, Any] = {"limit": PAGE, "created": {"gte": created_since}, **(extra or {})}
        while True:
            found = self._call(lambda client, page=page: fetch(client, page))  # type: ignore[misc]
            yield from found["data"]
            if not found["has_more"] or not found["data"]:
                return
            page = {**page, "starting_after": found["data"][-1]["id"]}

    def _call(self, ask: Callable[[Any], Any], *, writes: bool = False) -> dict[str, Any]:
        import stripe  # noqa: PLC0415  # see the module's docstring

        if not self._pace.take(patience=self._timeout):
            raise StripeUnavailable("too many calls to Stripe at once; try again in a moment")
        if self._http is None:
            self._http = stripe.RequestsClient(timeout=self._timeout)
        client = stripe.StripeClient(
            self._api_key(),
            base_addresses={"api": self._base_url},
            http_client=self._http,
            max_network_retries=RETRIES,
        )
        try:
            answer: dict[str, Any] = ask(client).to_dict()
        except stripe.StripeError as error:
            raise _told_apart(error, writes=writes) from error
        return answer


def _told_apart(error: Any, *, writes: bool) -> OperationalError:
    """Our error for one of the SDK's (docs.stripe.com/error-handling)."""
    status: int | None = error.http_status
    code = error.code or type(error).__name__
    if status in {401, 403}:
        return StripeKeyRejected(f"Stripe rejects the API key ({status})", code=code, status=status)
    if status == 429:
        return StripeUnavailable("Stripe asks for fewer calls (429)")
    if status is not None and status < 500:
        return StripeRefused(f"Stripe refused: {code}", code=code, status=status)
    kind = StripeOutcomeUnknown if writes else StripeUnavailable
    return kind("Stripe did not answer in time" if status is None else f"Stripe failed ({status})")
