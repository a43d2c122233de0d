"""One run of a job at a time in this process; a request that comes meanwhile is not lost."""

import threading
from collections.abc import Callable


class Turn:
    """Guards one job. Without it a long run would fill every slot of the worker with copies of itself."""

    def __init__(self) -> None:
        """Nobody runs yet."""
        self._mutex = threading.Lock()
        self._is_running = False
        self._is_asked = False

    def take(self, work: Callable[[], object], *, should_stop: Callable[[], bool]) -> None:
        """Run `work` now; or, while it runs elsewhere in this process, let it run once more when it has ended."""
        with self._mutex:
            if self._is_running:
                self._is_asked = True
                return
            self._is_running = True
        try:
            while True:
                work()
                with self._mutex:
                    goes_on = self._is_asked and not should_stop()
                    self._is_asked = False
                    if not goes_on:
                        self._is_running = False
                        return
        except BaseException:
            with self._mutex:
                self._is_running = False
            raise
