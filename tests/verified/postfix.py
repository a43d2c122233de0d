"""A Debian Postfix of its own on loopback, with its own queue and log, that hands letters on to another relay."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{next_hop}
smtp_dns_support_level = disabled
smtp_host_lookup = native
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
smtputf8_enable = no
"""
SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


@dataclass(frozen=True)
class Postfix:
    """Where it listens, and the log that it writes."""

    port: int
    log: Path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def postfix(home: Path, *, next_hop: int) -> Iterator[Postfix]:
    """Skips where there is no Postfix, or no right to run one."""
    command = shutil.which("postfix", path=f"{os.environ['PATH']}:/usr/sbin")
    if command is None or os.geteuid() != 0:
        pytest.skip("no Postfix on this machine, or no right to run one")
    port = free_port()
    for parent in [home, *home.parents]:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o111)
    (home / "queue").mkdir()
    (home / "data").mkdir()
    shutil.chown(home / "data", "postfix")
    (home / "main.cf").write_text(MAIN.format(home=home, next_hop=next_hop))
    (home / "master.cf").write_text(SERVICES.format(port=port).lstrip())
    with _one_at_a_time():
        started = subprocess.run([command, "-c", str(home), "start"], capture_output=True, text=True, timeout=60)
        log = home / "mail.log"
        assert started.returncode == 0, started.stdout + started.stderr + (log.read_text() if log.exists() else "")
        try:
            wait_for(lambda: _answers(port))
            yield Postfix(port, log)
        finally:
            subprocess.run([command, "-c", str(home), "stop"], capture_output=True, timeout=60)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two that start in the same moment disturb each other: test processes take turns."""
    with (Path(tempfile.gettempdir()) / "nudgepay-tests-postfix.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def wait_for(happened, *, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            return connection.recv(4) == b"220 "
    except OSError:
        return False
