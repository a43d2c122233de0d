"""What a scripted relay does with one letter: the ways of real ones, good and bad."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal

Stage = Literal["MAIL", "RCPT", "DATA", "message"]
Manner = Literal["answer", "hang_up", "silence", "drip"]


@dataclass(frozen=True, slots=True)
class Turn:
    """At `stage`: `manner` of reacting, with `code` and `text` where it answers. `stored`: the letter is kept."""

    stage: Stage = "message"
    manner: Manner = "answer"
    code: int = 250
    text: str = "2.0.0 kept"
    stored: bool = True


ACCEPT = Turn()
ACCEPT_THEN_HANG_UP = Turn(manner="hang_up", stored=True)
HANG_UP_BEFORE_STORING = Turn(manner="hang_up", stored=False)
STORE_AND_NEVER_ANSWER = Turn(manner="silence", stored=True)
NEVER_ANSWER = Turn(manner="silence", stored=False)
DRIP = Turn(manner="drip", stored=True)


def refuse(code: int, *, at: Stage = "RCPT", text: str = "refused by script") -> Turn:
    """An answer that is not the hoped-for one; the letter is not kept."""
    return Turn(stage=at, code=code, text=text, stored=False)


class Script:
    """Turns waiting for their letter: per recipient first, then for anybody, else `ACCEPT`. Thread-safe."""

    def __init__(self) -> None:
        """Nothing planned: every letter is accepted."""
        self._lock = threading.Lock()
        self._by_recipient: dict[str, deque[Turn]] = {}
        self._anybody: deque[Turn] = deque()

    def plan(self, *turns: Turn, recipient: str | None = None) -> None:
        """Queue turns, one per attempt, for one recipient or for whoever comes."""
        with self._lock:
            queue = self._anybody if recipient is None else self._by_recipient.setdefault(recipient, deque())
            queue.extend(turns)

    def on_mail(self) -> Turn | None:
        """The next turn for anybody when it strikes at MAIL."""
        with self._lock:
            if self._anybody and self._anybody[0].stage == "MAIL":
                return self._anybody.popleft()
        return None

    def on_recipient(self, recipient: str) -> Turn:
        """The turn of the letter to this recipient."""
        with self._lock:
            own = self._by_recipient.get(recipient)
            if own:
                return own.popleft()
            return self._anybody.popleft() if self._anybody else ACCEPT

    def give_back(self, recipient: str, turn: Turn) -> None:
        """The client took the letter back before its turn could strike: it strikes the next attempt."""
        if turn is not ACCEPT:
            with self._lock:
                self._by_recipient.setdefault(recipient, deque()).appendleft(turn)
