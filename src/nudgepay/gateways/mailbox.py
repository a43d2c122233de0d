"""The mailbox to which letters come back: a Maildir on this machine, or a folder on an IMAP server."""

import contextlib
import imaplib
import mailbox
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from nudgepay.errors import OperationalError, UsageError

TIMEOUT_SECONDS = 20
MOST = 200
"""Messages of one reading; the next one goes on."""


class MailboxUnavailable(OperationalError):
    """The mailbox cannot be read now."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message that nobody has read yet, under the mailbox's own name for it."""

    key: str
    raw: bytes


class IncomingMailbox(Protocol):
    """Hands out what is unread; a message stays unread until it is marked."""

    def unread(self) -> Iterator[Fetched]:
        """At most MOST unread messages, oldest first; raises MailboxUnavailable."""
        ...

    def mark_read(self, key: str) -> None:
        """It was dealt with; raises MailboxUnavailable."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


def mailbox_for(address: str) -> IncomingMailbox:
    """What BOUNCE_MAILBOX names; raises UsageError.

    The path of a Maildir (also `maildir:PATH`), or `imaps://USER:PASSWORD@HOST[:PORT][/FOLDER]`.
    """
    if "://" not in address or address.startswith("maildir:"):
        return MaildirMailbox(Path(address.removeprefix("maildir:").removeprefix("//")))
    parts = urlsplit(address)
    if parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username:
        raise UsageError("BOUNCE_MAILBOX: name the path of a Maildir, or imaps://USER:PASSWORD@HOST/FOLDER")
    return ImapMailbox(
        host=parts.hostname,
        port=parts.port or (993 if parts.scheme == "imaps" else 143),
        is_tls=parts.scheme == "imaps",
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        folder=unquote(parts.path.strip("/")) or "INBOX",
    )


class MaildirMailbox:
    """A Maildir: unread is whatever has no `S` flag."""

    def __init__(self, path: Path) -> None:
        """`path` must exist: a wrong path must not become an empty mailbox."""
        self._path = path

    def unread(self) -> Iterator[Fetched]:
        """See IncomingMailbox."""
        try:
            box = self._open()
            names = [key for key in sorted(box.keys()) if "S" not in box.get_message(key).get_flags()]
            for key in names[:MOST]:
                yield Fetched(key, box.get_bytes(key))
        except (OSError, mailbox.Error, KeyError) as error:
            raise MailboxUnavailable(f"the Maildir cannot be read ({type(error).__name__})") from error

    def mark_read(self, key: str) -> None:
        """See IncomingMailbox."""
        try:
            box = self._open()
            message = box.get_message(key)
            message.set_subdir("cur")
            message.add_flag("S")
            box[key] = message
        except KeyError:
            return
        except (OSError, mailbox.Error) as error:
            raise MailboxUnavailable(f"the Maildir cannot be written ({type(error).__name__})") from error

    def close(self) -> None:
        """Nothing is held open."""

    def _open(self) -> mailbox.Maildir:
        if not (self._path / "new").is_dir():
            raise MailboxUnavailable(f"BOUNCE_MAILBOX: {self._path} is no Maildir")
        return mailbox.Maildir(self._path, create=False)


class ImapMailbox:
    """A folder on an IMAP server; a message is read without being marked, and marked once it was dealt with."""

    def __init__(self, *, host: str, port: int, is_tls: bool, user: str, password: str, folder: str) -> None:
        """Connects with the first reading. Without `is_tls` STARTTLS is demanded, save on loopback."""
        self._host, self._port, self._is_tls = host, port, is_tls
        self._user, self._password, self._folder = user, password, folder
        self._connection: imaplib.IMAP4 | None = None

    def unread(self) -> Iterator[Fetched]:
        """See IncomingMailbox."""
        connection = self._connected()
        with self._told():
            connection.noop()  # without a word of ours the server need not tell of what has come since
            _, found = connection.uid("SEARCH", "UNSEEN")
            for key in found[0].split()[:MOST]:
                _, fetched = connection.uid("FETCH", key.decode(), "(BODY.PEEK[])")
                raw = next((part[1] for part in fetched if isinstance(part, tuple)), None)
                if raw is not None:
                    yield Fetched(key.decode(), raw)

    def mark_read(self, key: str) -> None:
        """See IncomingMailbox."""
        connection = self._connected()
        with self._told():
            connection.uid("STORE", key, "+FLAGS.SILENT", r"(\Seen)")

    def close(self) -> None:
        """Sign out."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                connection.logout()

    def _connected(self) -> imaplib.IMAP4:
        with self._told():
            connection = self._connection or self._connect()
        self._connection = connection
        return connection

    def _connect(self) -> imaplib.IMAP4:
        context = ssl.create_default_context()
        connection: imaplib.IMAP4
        if self._is_tls:
            connection = imaplib.IMAP4_SSL(self._host, self._port, ssl_context=context, timeout=TIMEOUT_SECONDS)
        else:
            connection = imaplib.IMAP4(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            if not self._is_tls and self._host not in {"127.0.0.1", "::1", "localhost"}:
                connection.starttls(context)
            connection.login(self._user, self._password)
            answer, _ = connection.select(f'"{self._folder}"')
            if answer != "OK":
                raise imaplib.IMAP4.error("the folder cannot be opened")
        except (imaplib.IMAP4.error, OSError):
            connection.shutdown()
            raise
        return connection

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (imaplib.IMAP4.error, OSError) as error:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.shutdown()
            raise MailboxUnavailable(
                f"the mailbox at {self._host} cannot be read ({type(error).__name__})"
            ) from error
