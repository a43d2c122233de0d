"""One call to Stripe through its SDK: paced, bounded in time, tried again where that is safe.

The tries are counted here and not in the SDK, for three reasons: each of them takes a turn of the pace, all of
them together have one deadline, and a try that was left without an answer is not forgotten when the next one is
turned away. The SDK is imported with the first call: it costs half a second that a process which never pays by
card should not pay.
"""

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nudgepay import clock
from nudgepay.gateways.pace import Pace
from nudgepay.gateways.stripe_errors import StripeUnavailable, leaves_doubt, may_repeat, told_apart

TRIES = 3
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 2.0
PAGE = 100
"""The most objects that one page of a list holds (docs.stripe.com/api/pagination)."""
LONGEST_HOLD_SECONDS = 60.0
"""However long Retry-After asks for."""
PATIENCE_IN_TIMEOUTS = 1.5
"""No try begins later than this many timeouts after the first."""


class StripeCalls:
    """Calls to one account, from any number of threads."""

    def __init__(
        self,
        *,
        api_key: Callable[[], str],
        base_url: str,
        timeout: float,
        calls_per_second: float = 20,
        tries: int = TRIES,
        pace: Pace | None = None,
    ) -> None:
        """`api_key` is asked for each try, so that a rotated key is picked up. `timeout` in seconds, per try.

        A `pace` given is shared with others; then `calls_per_second` says nothing.
        """
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._tries = tries
        self._pace = pace or Pace(per_second=calls_per_second)
        self._http: Any = None

    def hurried(self, seconds: float) -> "StripeCalls":
        """The same account and pace for a caller that cannot wait: one try of at most so many seconds."""
        return StripeCalls(api_key=self._api_key, base_url=self._base_url, timeout=seconds, tries=1, pace=self._pace)

    def ask(self, request: Callable[[Any], Any], *, writes: bool = False) -> dict[str, Any]:
        """The answer to `request` (which gets the SDK's client) as plain dicts; raises errors of stripe_errors.

        A call that `writes` must carry an idempotency key of its own, the same in every try.
        """
        import stripe  # noqa: PLC0415  # see the module's docstring

        began = clock.monotonic()
        in_doubt = False
        for number in range(1, self._tries + 1):
            if not self._pace.take(patience=self._timeout):
                raise StripeUnavailable("too many calls to Stripe at once; try again in a moment")
            try:
                answer: dict[str, Any] = request(self._client(stripe)).to_dict()
            except stripe.StripeError as error:
                in_doubt = in_doubt or (writes and leaves_doubt(error))
                pause = self._pause(error, number)
                waited = clock.monotonic() - began
                if number == self._tries or not may_repeat(error) or waited + pause > self._patience:
                    raise told_apart(error, in_doubt=in_doubt) from error
                threading.Event().wait(pause)
            else:
                return answer
        raise AssertionError("the last try returns or raises")

    def pages(
        self,
        fetch: Callable[[Any, dict[str, Any]], Any],
        created_since: int | None,
        extra: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Every object of a list, a call for each page; `fetch` gets the SDK's client and the page's parameters."""
        page: dict[str, Any] = {"limit": PAGE, **(extra or {})}
        if created_since is not None:
            page["created"] = {"gte": created_since}
        while True:
            found = self._page(fetch, page)
            yield from found["data"]
            if not found["has_more"] or not found["data"]:
                return
            page = {**page, "starting_after": found["data"][-1]["id"]}

    def _page(self, fetch: Callable[[Any, dict[str, Any]], Any], page: dict[str, Any]) -> dict[str, Any]:
        return self.ask(lambda client: fetch(client, page))

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
