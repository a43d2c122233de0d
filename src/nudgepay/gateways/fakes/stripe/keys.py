"""Idempotency keys, as docs.stripe.com/api/idempotent_requests says.

The first result of a key, good or bad, is saved and given again; the same key with other parameters is refused;
while its first call runs, a second one conflicts; what failed validation is not saved; a key is forgotten when it
is a day old.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from nudgepay.gateways.fakes.stripe.store import Json, Refusal

KEY_LIFE_SECONDS = 24 * 3600
LONGEST_KEY = 255


@dataclass(slots=True)
class Answer:
    """An HTTP answer. `is_saved`: the endpoint began its work, so the key keeps it."""

    status: int
    body: Json
    is_saved: bool = True
    replay_of: str | None = None


@dataclass(slots=True)
class _Known:
    at: int
    request: Json
    request_id: str
    answer: Answer | None = None


class Keys:
    """Saved answers by key."""

    def __init__(self, now: Callable[[], int]) -> None:
        """`now` is the stand-in's clock."""
        self._now = now
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def once(self, key: str, request: Json, request_id: str, make: Callable[[], Answer]) -> Answer:
        """The saved answer, or that of `make`; raises Refusal 400 and 409 idempotency_error."""
        if len(key) > LONGEST_KEY:
            raise Refusal(400, "idempotency_error", "Idempotency keys are up to 255 characters long.")
        with self._lock:
            known = self._known.get(key)
            if known is not None and self._now() - known.at < KEY_LIFE_SECONDS:
                return self._again(known, request)
            mine = self._known[key] = _Known(self._now(), request, request_id)
        try:
            answer = make()
        except BaseException:
            self._forget(key, mine)
            raise
        if answer.is_saved:
            mine.answer = answer
        else:
            self._forget(key, mine)
        return answer

    def _again(self, known: _Known, request: Json) -> Answer:
        if known.request != request:
            message = "Keys for idempotent requests can only be used with the parameters they were first used with."
            raise Refusal(400, "idempotency_error", message)
        if known.answer is None:
            message = "There is currently another in-progress request using this Idempotent Key."
            raise Refusal(409, "idempotency_error", message, code="idempotency_key_in_use")
        return Answer(known.answer.status, known.answer.body, replay_of=known.request_id)

    def _forget(self, key: str, mine: _Known) -> None:
        with self._lock:
            if self._known.get(key) is mine:
                del self._known[key]
