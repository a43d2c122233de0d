"""One run of a job at a time in a process, and no request lost."""

import threading

import pytest

from nudgepay.automation.turns import Turn


def never() -> bool:
    return False


def test_what_is_asked_during_a_run_follows_it_once() -> None:
    turn, entered, go_on = Turn(), threading.Event(), threading.Event()
    runs: list[int] = []

    def work() -> None:
        runs.append(len(runs))
        entered.set()
        assert go_on.wait(10)

    first = threading.Thread(target=lambda: turn.take(work, should_stop=never))
    first.start()
    assert entered.wait(10)
    for _ in range(3):
        turn.take(work, should_stop=never)
    assert runs == [0]
    go_on.set()
    first.join(10)
    assert runs == [0, 1]


def test_nothing_follows_when_the_worker_stops() -> None:
    turn = Turn()
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        turn.take(work, should_stop=never)

    turn.take(work, should_stop=lambda: len(runs) >= 2)
    assert len(runs) == 2


def test_a_run_that_raises_gives_its_turn_back() -> None:
    turn = Turn()
    with pytest.raises(ZeroDivisionError):
        turn.take(lambda: 1 // 0, should_stop=never)
    runs: list[int] = []
    turn.take(lambda: runs.append(1), should_stop=never)
    assert runs == [1]
