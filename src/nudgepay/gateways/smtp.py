"""Letters by SMTP: a few open conversations shared by threads, fewer of them while the relay is unhappy."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from nudgepay import clock
from nudgepay.gateways.mail import Envelope, Receipt, SenderNotReady, TemporaryRefusal
from nudgepay.gateways.smtp_client import Relay
from nudgepay.gateways.smtp_dialogue import Conversation
from nudgepay.gateways.smtp_replies import ConversationLost

IDLE_SECONDS = 15
LETTERS_PER_CONVERSATION = 100
PATIENCE_SECONDS = 2
LONGEST_PAUSE_SECONDS = 60
LETTERS_BEFORE_GROWTH = 20


class SmtpTransport:
    """At most `pool_size` conversations at once.

    A 4yz answer takes one away (down to one), 20 letters accepted in a row give one back. A relay that is shutting
    down (421) or cannot be reached is left alone for 0.5 s, doubling to a minute.
    """

    def __init__(
        self,
        relay: Relay,
        *,
        password: Callable[[], str | None] = lambda: None,
        pool_size: int = 4,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """`password` is asked at each sign-in, so a rotated one is picked up. `context` verifies by default."""
        self.concurrency = pool_size
        self._relay = relay
        self._password = password
        self._context = context or ssl.create_default_context()
        self._idle: list[Conversation] = []
        self._turn = threading.Condition()
        self._busy = 0
        self._allowed = pool_size
        self._accepted_in_a_row = 0
        self._pauses = 0
        self._paused_until = 0.0

    def deliver(self, envelope: Envelope, *, may_begin: Callable[[], bool]) -> Receipt:
        """Hand one letter to the relay; every way to fail is one of the errors of gateways.mail."""
        with self._place():
            try:
                receipt = self._carry(envelope, may_begin)
            except TemporaryRefusal as error:
                self._slow_down(pause=error.code == 421)
                raise
            except SenderNotReady as error:
                self._slow_down(pause=True)
                error.retry_after = max(error.retry_after, self._pause_left())
                raise
            self._speed_up()
            return receipt

    def close(self) -> None:
        """End every idle conversation politely."""
        with self._turn:
            idle, self._idle = self._idle, []
        for conversation in idle:
            conversation.leave()

    @contextmanager
    def _place(self) -> Iterator[None]:
        with self._turn:
            if self._pause_left() > PATIENCE_SECONDS:
                raise SenderNotReady("the relay is being left alone for a while", retry_after=self._pause_left())
            until_next = clock.monotonic() + self._relay.total
            while self._busy >= self._allowed or self._pause_left() > 0:
                if clock.monotonic() > until_next:
                    raise SenderNotReady("no conversation with the relay became free")
                self._turn.wait(timeout=self._pause_left() or 1)
            self._busy += 1
        try:
            yield
        finally:
            with self._turn:
                self._busy -= 1
                self._turn.notify()

    def _carry(self, envelope: Envelope, may_begin: Callable[[], bool]) -> Receipt:
        waiting = self._waiting_conversation()
        if waiting is not None:
            with suppress(ConversationLost):
                return self._carry_on(waiting, envelope, may_begin)
        return self._carry_on(Conversation(self._relay, self._context, self._password), envelope, may_begin)

    def _carry_on(self, conversation: Conversation, envelope: Envelope, may_begin: Callable[[], bool]) -> Receipt:
        try:
            return conversation.carry(envelope, may_begin=may_begin)
        finally:
            self._give_back(conversation)

    def _waiting_conversation(self) -> Conversation | None:
        with self._turn:
            while self._idle:
                candidate = self._idle.pop()
                if clock.monotonic() - candidate.used_at < IDLE_SECONDS and candidate.is_quiet():
                    return candidate
                candidate.close()
        return None

    def _give_back(self, conversation: Conversation) -> None:
        if not conversation.is_open:
            return
        if conversation.carried >= LETTERS_PER_CONVERSATION:
            conversation.leave()
            return
        with self._turn:
            self._idle.append(conversation)

    def _pause_left(self) -> float:
        return max(0.0, self._paused_until - clock.monotonic())

    def _slow_down(self, *, pause: bool) -> None:
        with self._turn:
            self._accepted_in_a_row = 0
            self._allowed = max(1, self._allowed - 1)
            if pause and self._pause_left() == 0:
                seconds = min(0.5 * 2**self._pauses, LONGEST_PAUSE_SECONDS)
                self._pauses += 1
                self._paused_until = clock.monotonic() + seconds

    def _speed_up(self) -> None:
        with self._turn:
            self._pauses = 0
            self._accepted_in_a_row += 1
            if self._accepted_in_a_row >= LETTERS_BEFORE_GROWTH and self._allowed < self.concurrency:
                self._accepted_in_a_row = 0
                self._allowed += 1
                self._turn.notify()
