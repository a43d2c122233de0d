"""Acceptance read from a Postfix log, and every reason not to trust its silence."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nudgepay.gateways.postfix_log import PostfixLog

NAME = "<np.0a77f0b93ed1483cbfaf4ae2bcad65ac.1@atelier.example>"
SINCE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BEFORE = "2026-03-02T08:59:00.000000+00:00 mx postfix/qmgr[1]: 4AAAAA1111: removed\n"
CLEANUP = f"2026-03-02T10:00:01.000000+01:00 mx postfix/cleanup[7]: 4XYZ012345: message-id={NAME}\n"
ACTIVE = "2026-03-02T10:00:02.000000+01:00 mx postfix/qmgr[1]: 4XYZ012345: from=<b@x>, nrcpt=1 (queue active)\n"
AFTER = "2026-03-02T09:10:00.000000+00:00 mx postfix/smtp[9]: 4BBBBB2222: to=<c@x>, status=sent (250 ok)\n"


def verdict(path: Path) -> str:
    return PostfixLog(path).find(NAME, since=SINCE).verdict


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([BEFORE, CLEANUP, ACTIVE, AFTER], "accepted"),
        ([BEFORE, AFTER], "absent"),
        ([AFTER], "cannot_tell"),
        ([BEFORE], "cannot_tell"),
        ([], "cannot_tell"),
        ([BEFORE, CLEANUP, AFTER], "cannot_tell"),
        ([BEFORE, CLEANUP.replace(".1@", ".2@"), ACTIVE, AFTER], "absent"),
        ([BEFORE, CLEANUP, ACTIVE.replace("4XYZ012345", "4CCCCC3333"), AFTER], "cannot_tell"),
    ],
)
def test_it_says_only_what_the_log_proves(tmp_path: Path, lines: list[str], expected: str) -> None:
    path = tmp_path / "mail.log"
    path.write_text("".join(lines))
    assert verdict(path) == expected


def test_it_reads_on_in_the_log_that_was_turned_over(tmp_path: Path) -> None:
    (tmp_path / "mail.log.1").write_text(BEFORE + CLEANUP)
    (tmp_path / "mail.log").write_text(ACTIVE + AFTER)
    found = PostfixLog(tmp_path / "mail.log").find(NAME, since=SINCE)
    assert (found.verdict, found.at) == ("accepted", datetime(2026, 3, 2, 9, 0, 2, tzinfo=UTC))


def test_it_cannot_tell_without_a_log(tmp_path: Path) -> None:
    assert verdict(tmp_path / "mail.log") == "cannot_tell"


def test_it_understands_times_without_a_year(tmp_path: Path) -> None:
    local = SINCE.astimezone()
    stamp = f"{local:%b} {local.day:>2} {local:%H:%M}"
    lines = [
        f"{stamp}:00 mx postfix/cleanup[7]: 4XYZ012345: message-id={NAME}\n",
        f"{stamp}:05 mx postfix/qmgr[1]: 4XYZ012345: from=<b@x>, size=9, nrcpt=1 (queue active)\n",
    ]
    (tmp_path / "mail.log").write_text("".join(lines))
    found = PostfixLog(tmp_path / "mail.log").find(NAME, since=SINCE)
    assert (found.verdict, found.at) == ("accepted", SINCE.replace(second=5))
