"""Returned mail is fetched from a Maildir and from a real IMAP server: each message once, none lost, none marked too early."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nudgepay.config import Settings
from nudgepay.db import Database, DatabaseUnavailable
from nudgepay.errors import UsageError
from nudgepay.gateways.mailbox import ImapMailbox, IncomingMailbox, MailboxUnavailable, MaildirMailbox, mailbox_for
from nudgepay.nudges.reading_reports import read_mailbox
from nudges.books import MONDAY, due_clients, rows, send, states
from verified.postfix import free_port, wait_for

CONFIGURATION = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{home}/mail
first_valid_uid = 1
mail_uid = {user}
mail_gid = {user}
default_internal_user = dovecot
default_login_user = dovenull
passdb {{
  driver = static
  args = password=pass@word
}}
userdb {{
  driver = static
  args = uid={user} gid={user} home={home}/mail
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


def deliver(maildir: Path, name: str, raw: bytes) -> None:
    """As a mail server does: whole, then moved to `new`."""
    (maildir / "tmp" / name).write_bytes(raw)
    if os.geteuid() == 0:
        shutil.copystat(maildir, maildir / "tmp" / name)
        shutil.chown(maildir / "tmp" / name, maildir.stat().st_uid, maildir.stat().st_gid)
        (maildir / "tmp" / name).chmod(0o600)
    (maildir / "tmp" / name).rename(maildir / "new" / name)


def make_maildir(path: Path) -> Path:
    for part in ("tmp", "new", "cur"):
        (path / part).mkdir(parents=True)
    return path


@contextmanager
def dovecot(home: Path) -> Iterator[tuple[int, Path]]:
    """Its port and its Maildir; skips where there is no Dovecot, or no right to run one."""
    command = shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin")
    if command is None or os.geteuid() != 0:
        pytest.skip("no Dovecot on this machine, or no right to run one")
    for parent in [home, *home.parents][:-1]:
        parent.chmod(parent.stat().st_mode | 0o111)
    maildir = make_maildir(home / "mail")
    for path in [maildir, *maildir.iterdir()]:
        shutil.chown(path, "mail", "mail")
    port = free_port()
    (home / "dovecot.conf").write_text(CONFIGURATION.format(home=home, port=port, user="mail"))
    server = subprocess.Popen([command, "-F", "-c", str(home / "dovecot.conf")])
    try:
        wait_for(lambda: (home / "run").exists() and _answers(port))
        yield port, maildir
    finally:
        server.terminate()
        server.wait(20)


def _answers(port: int) -> bool:
    import socket

    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            return connection.recv(4) == b"* OK"
    except OSError:
        return False


@pytest.fixture(params=["maildir", "imap"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[IncomingMailbox, Path]]:
    if request.param == "maildir":
        path = make_maildir(tmp_path / "mail")
        yield mailbox_for(str(path)), path
        return
    with dovecot(tmp_path) as (port, path):
        found = mailbox_for(f"imap://bounces:pass%40word@127.0.0.1:{port}/INBOX")
        yield found, path
        found.close()


def test_what_is_not_marked_comes_again_and_what_is_marked_does_not(box: tuple[IncomingMailbox, Path]) -> None:
    mailbox, path = box
    deliver(path, "1.a.x", b"Subject: one\n\nfirst\n")
    deliver(path, "2.b.x", b"Subject: two\r\n\r\nsecond\r\n")
    first = list(mailbox.unread())
    assert [b"Subject: one" in one.raw for one in first] == [True, False]
    assert [one.key for one in mailbox.unread()] == [one.key for one in first]
    mailbox.mark_read(first[0].key)
    assert [one.key for one in mailbox.unread()] == [first[1].key]
    mailbox.mark_read(first[1].key)
    mailbox.mark_read(first[1].key)
    assert list(mailbox.unread()) == []
    deliver(path, "3.c.x", b"Subject: three\n\nthird\n")
    wait_for(lambda: len(list(mailbox.unread())) == 1)


def test_a_bounce_in_the_mailbox_reaches_the_books_once(
    box: tuple[IncomingMailbox, Path], db: Database, settings: Settings
) -> None:
    mailbox, path = box
    due_clients(db, 2)
    send(db, settings)
    letter = rows(db, "SELECT message_id, to_address FROM letters ORDER BY to_address")[0]
    notice = (
        "From: MAILER-DAEMON@relay.example\nSubject: Undelivered\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; relay.example\n\n"
        f"Final-Recipient: rfc822; {letter.to_address}\nAction: failed\nStatus: 5.1.1\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {letter.message_id}\n\n--b--\n"
    )
    deliver(path, "1.a.x", notice.encode())
    deliver(path, "2.b.x", b"Auto-Submitted: auto-replied\nSubject: away\n\nOn holiday.\n")
    deliver(path, "3.c.x", b"Subject: Re: invoice\n\nCould you send me a copy?\n")
    counts = read_mailbox(db, mailbox, now=MONDAY, actor="test")
    assert counts == {"reports": 1, "bounced": 1, "auto_reply": 1, "other": 1}
    assert read_mailbox(db, mailbox, now=MONDAY, actor="test") == {}
    assert states(db, "letters") == {"accepted": 1, "bounced": 1}


def test_a_message_whose_letter_could_not_be_recorded_is_read_again(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_maildir(tmp_path / "mail")
    notice = (
        'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nAction: failed\nStatus: 5.1.1\n\n"
        "--b\nContent-Type: text/rfc822-headers\n\n"
        "Message-ID: <np.00000000-0000-0000-0000-000000000000.1@atelier.example>\n\n--b--\n"
    )
    deliver(path, "1.a.x", notice.encode())

    def lose(*_: object, **__: object) -> str:
        raise DatabaseUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr("nudgepay.nudges.reading_reports.record_report", lose)
        with pytest.raises(DatabaseUnavailable):
            read_mailbox(db, MaildirMailbox(path), now=MONDAY, actor="test")
    assert read_mailbox(db, MaildirMailbox(path), now=MONDAY, actor="test") == {"reports": 1, "unknown_letter": 1}


def test_a_mailbox_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MailboxUnavailable, match="no Maildir"):
        list(MaildirMailbox(tmp_path / "nowhere").unread())
    away = ImapMailbox(host="127.0.0.1", port=free_port(), is_tls=False, user="x", password="geheim", folder="INBOX")
    with pytest.raises(MailboxUnavailable) as told:
        list(away.unread())
    assert "geheim" not in str(told.value)


def test_a_wrong_password_or_folder_says_so_without_the_password(tmp_path: Path) -> None:
    with dovecot(tmp_path) as (port, _):
        for address in (f"imap://x:geheim@127.0.0.1:{port}/INBOX", f"imap://x:pass%40word@127.0.0.1:{port}/Nowhere"):
            with pytest.raises(MailboxUnavailable) as told:
                list(mailbox_for(address).unread())
            assert "geheim" not in str(told.value)


@pytest.mark.parametrize("address", ["imap://host-only", "http://u:p@host/x", "imaps://:p@host"])
def test_an_address_that_is_no_mailbox_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="BOUNCE_MAILBOX"):
        mailbox_for(address)
