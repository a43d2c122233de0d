"""A relay on loopback that does what its script says and writes down what it kept.

The journal is a file of JSON lines, so that any process can read it; it is also the relay's acceptance log.
"""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nudgepay import clock
from nudgepay.gateways.fakes.smtp_session import Arrival, Manners, Session
from nudgepay.gateways.fakes.smtp_turns import Script
from nudgepay.gateways.mail import Finding

MESSAGE_ID = re.compile(rb"(?im)^message-id:[ \t]*(?:\r\n[ \t]+)?(<[^>\r\n]+>)")


class SmtpSink:
    """`with SmtpSink(journal) as sink:` listens on `sink.port` of 127.0.0.1 until the block ends."""

    def __init__(
        self,
        journal: Path,
        *,
        manners: Manners | None = None,
        on_kept: Callable[[dict[str, Any]], None] = lambda _: None,
        port: int = 0,
    ) -> None:
        """`on_kept` is told of a letter that is written down but not yet answered, in its session's thread."""
        self.host = "127.0.0.1"
        self.journal = journal
        self.script = Script()
        self._manners = manners or Manners()
        self._on_kept = on_kept
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._sessions: list[Session] = []
        self._verbs: list[str] = []
        self.conversations = 0
        self.dropped = 0
        self._keys: set[bytes] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True, name="smtp-sink")

    def __enter__(self) -> Self:
        """Start listening."""
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        self.journal.touch()
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """See `stop`."""
        self.stop()

    def stop(self) -> None:
        """Stop listening and end every session; may be repeated."""
        if self._closing.is_set():
            return
        self._closing.set()
        with socket.create_connection(("127.0.0.1", self.port), timeout=5):
            self._thread.join(timeout=5)
        self._listener.close()
        for session in self.sessions():
            session.hang_up()
            session.join(timeout=5)

    def sessions(self) -> list[Session]:
        """The conversations that go on now."""
        return [session for session in self._sessions if session.is_alive()]

    def verbs(self) -> list[str]:
        """Every command that was heard, in all conversations, in order."""
        return list(self._verbs)

    def kept(self) -> list[dict[str, Any]]:
        """What was kept so far, oldest first."""
        return list(read_journal(self.journal))

    def _listen(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._closing.is_set():
                sock.close()
                return
            session = Session(
                sock,
                manners=self._manners,
                script=self.script,
                keep=self._keep,
                heard=self._verbs.append,
                monotonic=clock.monotonic,
                closing=self._closing,
            )
            self.conversations += 1
            self._sessions = [*self.sessions(), session]
            session.start()

    def _is_known(self, letter: Arrival) -> bool:
        name = self._manners.idempotency_header
        if name is None:
            return False
        head = letter.content.partition(b"\r\n\r\n")[0].split(b"\r\n")
        keys = {line for line in head if line.lower().startswith(name.lower().encode() + b":")}
        with self._lock:
            is_known = bool(keys & self._keys)
            self._keys |= keys
        return is_known

    def _keep(self, letter: Arrival) -> None:
        if self._is_known(letter):
            self.dropped += 1
            return
        found = MESSAGE_ID.search(letter.content)
        entry = {
            "message_id": found[1].decode("ascii", "replace") if found else None,
            "sender": letter.sender,
            "recipients": letter.recipients,
            "encrypted": letter.encrypted,
            "data_at": letter.data_at,
            "kept_at": clock.now().isoformat(),
            "content": letter.content.decode("latin-1"),
        }
        with self._lock, self.journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self._on_kept(entry)


class SinkReceipts:
    """The sink's journal as a source of acceptance, for any process that can read the file."""

    def __init__(self, journal: Path) -> None:
        """`journal` is the file of a sink."""
        self._journal = journal

    def find(self, message_id: str, *, since: datetime) -> Finding:
        """Exact; `cannot_tell` when there is no journal."""
        if not self._journal.exists():
            return Finding("cannot_tell", source="sink")
        for entry in read_journal(self._journal):
            if entry["message_id"] == message_id:
                return Finding("accepted", at=datetime.fromisoformat(entry["kept_at"]), source="sink")
        return Finding("absent", source="sink")


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Every whole entry of a journal; a line still being written is left out."""
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
