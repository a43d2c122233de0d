"""One call to Stripe through its SDK: paced, bounded in time, tried again where that is safe.

The tries are counted here and not in the SDK, for three reasons: each of them takes a turn of the pace, all of
them together have one deadline, and a try that was left without an answer is not forgotten when the next one is
turned away. The SDK is imported with the first call: it costs half a second that a process which never pays by
card should not pay.
"""

import random
import threading
from collections.abc import Callable
from typing import Any

from nudgepay import clock
from nudgepay.gateways.pace import Pace
from nudgepay.gateways.stripe_errors import StripeUnavailable, leaves_doubt, may_repeat, told_apart

TRIES = 3
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 2.0
LONGEST_HOLD_SECONDS = 60.0
"""However long Retry-After asks for."""
PATIENCE_IN_TIMEOUTS = 1.5
"""No try begins later than this many timeouts after the first."""


class StripeCalls:
    """Calls to one account, from any number of threads."""

    def __init__(self, *, api_key: Callable[[], str], base_url: str, timeout: float, calls_per_second: float) -> None:
        """`api_key` is asked for each try, so that a rotated key is picked up. `timeout` in seconds, per try."""
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._pace = Pace(per_second=calls_per_second)
        self._http: Any = None

    def ask(self, request: Callable[[Any], Any], *, writes: bool = False) -> dict[str, Any]:
        """The answer to `request` (which gets the SDK's client) as plain dicts; raises errors of stripe_errors.

        A call that `writes` must carry an idempotency key of its own, the same in every try.
        """
        import stripe  # noqa: PLC0415  # see the module's docstring

        began = clock.monotonic()
        in_doubt = False
        for number in range(1, TRIES + 1):
            if not self._pace.take(patience=self._timeout):
                raise StripeUnavailable("too many calls to Stripe at once; try again in a moment")
            try:
                answer: dict[str, Any] = request(self._client(stripe)).to_dict()
            except stripe.StripeError as error:
                in_doubt = in_doubt or (writes and leaves_doubt(error))
                pause = self._pause(error, number)
                waited = clock.monotonic() - began
                if number == TRIES or not may_repeat(error) or waited + pause > self._patience:
                    raise told_apart(error, in_doubt=in_doubt) from error
                threading.Event().wait(pause)
            else:
                return answer
        raise AssertionError("the last try returns or raises")

    @property
    def _patience(self) -> float:
        return PATIENCE_IN_TIMEOUTS * self._timeout

    def _client(self, stripe: Any) -> Any:
        if self._http is None:
            self._http = stripe.RequestsClient(timeout=self._timeout)
        return stripe.StripeClient(
            self._api_key(),
            base_addresses={"api": self._base_url},
            http_client=self._http,
            max_network_retries=0,
        )

    def _pause(self, error: Any, number: int) -> float:
        """Seconds until the next try: doubling with jitter, at least what Retry-After asks for.

        A 429 holds all calls of the process for as long (docs.stripe.com/rate-limits).
        """
        most = min(FIRST_PAUSE_SECONDS * (1 << (number - 1)), LONGEST_PAUSE_SECONDS)
        pause = most * random.uniform(0.5, 1)  # noqa: S311  # nosec B311  # spreads callers, guards nothing
        asked = str((error.headers or {}).get("retry-after", ""))
        if asked.isascii() and asked.isdigit():
            pause = min(max(pause, float(asked)), LONGEST_HOLD_SECONDS)
        if error.http_status == 429:
            self._pace.hold(pause)
        return pause
